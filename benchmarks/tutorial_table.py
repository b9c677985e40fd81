"""The keras-to-snn tutorial's table, the NengoDL Converter and snnc side by side, in one run on the same digits.

``python benchmarks/tutorial_table.py`` from the environment of ``make test``; about 20 minutes. Both compilers get the
same plainly trained model, but for the last row of the Converter, which is the tutorial's own training. The
Converter's rows, with their steps, are what the tutorial goes through by hand; snnc's are level 2 with 256 unlabelled
training digits and nothing chosen but the number of steps.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import warnings

import models
import nengo
import nengo_dl
import numpy as np
import tensorflow as tf

import snnc

STEPS = 30
"""As in the tutorial."""
LAYERS = ("conv0", "conv1")


def converted(model, x, y, steps, *, scale=1, synapse=None, spiking=True):
    """Return (accuracy of the last step, spikes per input) of the Converter's network in NengoDL."""
    swap = {tf.keras.activations.relu: nengo.SpikingRectifiedLinear()} if spiking else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = nengo_dl.Converter(model, swap_activations=swap, scale_firing_rates=scale, synapse=synapse)
    output = converter.outputs[model.get_layer("dense").output]
    with converter.net:
        nengo_dl.configure_settings(stateful=False)
        converter.net.seed = 0
        probes = {name: nengo.Probe(converter.layers[model.get_layer(name).output]) for name in LAYERS}
    batch = 50
    right, spikes = 0, 0.0
    with nengo_dl.Simulator(converter.net, minibatch_size=batch, progress_bar=False) as sim:
        for start in range(0, len(x), batch):
            shown = np.tile(x[start : start + batch].reshape(batch, 1, -1), (1, steps, 1))
            data = sim.predict({converter.inputs[model.inputs[0]]: shown}, verbose=0)
            right += int(np.sum(data[output][:, -1].argmax(-1) == y[start : start + batch]))
            # a spike is 1 / dt / scale high
            spikes += sum(float(data[probe].sum()) for probe in probes.values()) * 0.001 * scale
    return right / len(x), spikes / len(x) if spiking else 0.0


def regularised(data, target=250.0, epochs=10):
    """Return the same layers trained from the start with the tutorial's loss, which draws all activations to 250 Hz.

    The tutorial fits the Converter's rate network in NengoDL. That network computes what the Keras model does, so the
    same optimiser with the same loss and batches on the model itself gives the same, in a tenth of the time.
    """
    path = models.CACHE / f"regularised_{epochs}.h5"
    if path.exists():
        return tf.keras.models.load_model(path, compile=False)
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.Sequential(models.tutorial(tf.keras.layers))
    hidden = [layers.get_layer(name).output for name in LAYERS]
    model = tf.keras.Model(layers.inputs, layers.outputs)
    both = tf.keras.Model(layers.inputs, [*layers.outputs, *hidden])
    classes = tf.losses.SparseCategoricalCrossentropy(from_logits=True)

    def off_target(_, rate):
        return tf.reduce_mean((rate - target) ** 2)

    both.compile(
        optimizer=tf.optimizers.RMSprop(0.001),
        loss=[classes, off_target, off_target],
        loss_weights=[1, 1e-3, 1e-3],
    )
    y, nothing = data["y_train"], np.zeros(len(data["y_train"]))
    both.fit(data["x_train"], [y, nothing, nothing], batch_size=200, epochs=epochs, verbose=2)
    model.save(path, include_optimizer=False)
    return model


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=400)
    parser.add_argument("--no-training", action="store_true", help="leave out the row that trains for minutes")
    options = parser.parse_args()
    file = models.trained("tutorial", epochs=3)
    data = models.digits()
    x, y = data["x_test"][: options.digits], data["y_test"][: options.digits]
    loaded = tf.keras.models.load_model(file, compile=False)
    # the Converter rebuilds a Sequential and then does not know its tensors any more
    model = tf.keras.Model(loaded.inputs, loaded.outputs)
    keras = float(np.mean(model.predict(x, verbose=0).argmax(-1) == y))

    rows = [("Keras", "", "", keras, 0.0)]

    def converter(label, steps=STEPS, network=model, **settings):
        accuracy, spikes = converted(network, x, y, steps, **settings)
        rows.append(("NengoDL Converter", label, steps, accuracy, spikes))
        print(rows[-1], flush=True)

    converter("rate neurons", steps=1, spiking=False)
    converter("spiking, nothing tuned")
    for synapse in (0.001, 0.005, 0.01):
        converter(f"synapse {1000 * synapse:g} ms", steps=60, synapse=synapse)
    for scale in (2, 5, 10):
        converter(f"synapse 10 ms, scale {scale}", synapse=0.01, scale=scale)
    for steps in (10, STEPS):
        converter("scale 1000", steps=steps, scale=1000)
    if not options.no_training:
        converter("trained to 250 Hz, synapse 10 ms", network=regularised(data), synapse=0.01)

    calibration = data["x_train"][:256]
    for steps in (4, 6, 8, 10):
        c = snnc.compile(file, level=2, calibration=calibration, steps=steps)
        found = c.evaluate(x, y)
        rows.append(("snnc", "level 2, nothing tuned", steps, found.accuracy, found.spikes))
        print(rows[-1], flush=True)

    print(f"\n| compiler | setting | steps | accuracy on {len(x)} digits | spikes per input |\n|---|---|---|---|---|")
    for name, setting, steps, accuracy, spikes in rows:
        print(f"| {name} | {setting} | {steps} | {accuracy:.2%} | {spikes:,.0f} |")


if __name__ == "__main__":
    main()
