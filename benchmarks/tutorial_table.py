"""The keras-to-snn tutorial's table, the NengoDL Converter and snnc side by side, in one run on the same digits.

``python benchmarks/tutorial_table.py`` from the environment of ``make test``; about 20 minutes. Both compilers get the
same model, trained as the tutorial trains it, on raw pixels from 0 to 255; but for the last row of the Converter, which
is the tutorial's own training for spikes. The Converter's rows, with their steps, are what the tutorial goes through by
hand; snnc's are level 2 with 256 unlabelled training digits and nothing chosen but, in some, the number of steps. The
table goes into docs/accuracy.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
from pathlib import Path

import accuracy
import accuracy_page
import converter
import datasets
import models
import networks
import numpy as np
import tensorflow as tf

import snnc

STEPS = 30
"""As in the tutorial."""
LAYERS = ("conv0", "conv1")
"""The spiking ones."""


def trained(data, cache, target=None, epochs=2):
    """Return the file of the tutorial's network, trained by its recipe: RMSprop in batches of 200 on raw pixels.

    The tutorial fits the Converter's rate network in NengoDL. That network computes what the Keras model does, so the
    same optimiser with the same loss and batches on the model itself gives the same, in a tenth of the time.

    Args:
        data: images of pixels from 0 to 255, and labels.
        cache: the folder of trained networks.
        target: Hz that a further loss draws all activations to, as at the tutorial's end.
        epochs: the tutorial's 2, or 10 with a target.
    """
    path = cache / f"tutorial_raw_{'plain' if target is None else f'{target:g}Hz'}.h5"
    if path.exists():
        return path
    tf.keras.utils.set_random_seed(0)
    built = tf.keras.Sequential(models.tutorial(tf.keras.layers))
    model = tf.keras.Model(built.inputs, built.outputs)
    classes = tf.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted, losses, weights, wanted = model, [classes], [1.0], [data["y_train"]]
    if target is not None:

        def off_target(_, rate):
            return tf.reduce_mean((rate - target) ** 2)

        fitted = tf.keras.Model(built.inputs, [*built.outputs, *(built.get_layer(name).output for name in LAYERS)])
        losses, weights = [classes, off_target, off_target], [1.0, 1e-3, 1e-3]
        wanted = [data["y_train"], *(np.zeros(len(data["y_train"])) for _ in LAYERS)]
    fitted.compile(tf.optimizers.RMSprop(0.001), loss=losses, loss_weights=weights)
    fitted.fit(data["x_train"], wanted, batch_size=200, epochs=epochs, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path, include_optimizer=False)
    return path


def main():
    """Measure, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=400)
    parser.add_argument("--data", type=Path, help="MNIST as the .npz that Keras gives out")
    parser.add_argument("--cache", type=Path, default=networks.CACHE, help="where trained networks are kept")
    parser.add_argument("--no-training", action="store_true", help="leave out the row that trains for minutes")
    parser.add_argument("--results", type=Path, default=accuracy.RESULTS)
    parser.add_argument("--page", type=Path, default=accuracy_page.PAGE)
    options = parser.parse_args()
    data = datasets.images("mnist", options.data, scale=1)
    x, y = data["x_test"][: options.digits], data["y_test"][: options.digits]
    file = trained(data, options.cache)
    model = converter.functional(file)
    keras = float(np.mean(model.predict(x, verbose=0).argmax(-1) == y))
    rows = []

    def add(compiler, setting, steps, right, spikes):
        rows.append({"compiler": compiler, "setting": setting, "steps": steps, "accuracy": right, "spikes": spikes})
        print(rows[-1], flush=True)

    def convert(setting, steps=STEPS, network=model, **settings):
        given = converter.answers(network, x, steps, **settings)
        add("NengoDL Converter", setting, steps, float(np.mean(given.classes[:, -1] == y)), given.spikes)

    add("Keras", "", None, keras, 0.0)
    convert("rate neurons", steps=1, spiking=False)
    convert("spiking, nothing tuned")
    for synapse in (0.001, 0.005, 0.01):
        convert(f"synapse {1000 * synapse:g} ms", steps=60, synapse=synapse)
    for scale in (2, 5, 10):
        convert(f"synapse 10 ms, scale {scale}", synapse=0.01, scale=scale)
    if not options.no_training:
        drawn = converter.functional(trained(data, options.cache, target=250.0, epochs=10))
        convert("trained to 250 Hz, synapse 10 ms", network=drawn, synapse=0.01)
    for steps in (1, 2, 4, 8, None):
        c = snnc.compile(file, level=2, calibration=data["x_train"][: accuracy.CALIBRATION], steps=steps)
        found = c.evaluate(x, y)
        what = "nothing chosen" if steps is None else "steps given"
        add("snnc", f"level 2, {what}", found.steps, found.accuracy, found.spikes)

    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    results["tutorial"] = {"images": len(x), "commit": accuracy.code(), "rows": rows}
    accuracy.keep(results, options)


if __name__ == "__main__":
    main()
