"""CPU time of a spiking step in NengoDL: snnc's network, the Converter's, and a Keras forward pass, all in one run.

Needs the environment of ``make test``. Prints a markdown table; ``--profile`` shows where a step of ``c.run`` goes.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import glob
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl.graph_optimizer import noop_planner

import snnc

EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist" / "mnist_cnn.keras"
STEPS, SCALE, SYNAPSE = 20, 100, 0.005


def cnn():
    """Return the example CNN (built anew, because the Converter does not know a Sequential's tensors) and its batch."""
    loaded = tf.keras.models.load_model(EXAMPLE, compile=False)
    return tf.keras.Model(loaded.inputs, loaded.outputs), 50


def vgg():
    """Return a net of 8 convolutions, 4 average pools and two dense layers with random weights, and its batch."""
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    image = layers.Input((32, 32, 3), name="image")
    x = image
    for i, filters in enumerate((32, 32, 64, 64, 128, 128, 128, 128)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{i}")(x)
        if i % 2:
            x = layers.AveragePooling2D(2, name=f"pool{i}")(x)
    x = layers.Dense(128, activation="relu", name="hidden")(layers.Flatten()(x))
    return tf.keras.Model(image, layers.Dense(10, name="logits")(x)), 20


def cpu(work, repeats):
    """Return the least CPU seconds of several calls, after one that is not counted."""
    work()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def predicting(network, image, x, repeats):
    """Return (CPU seconds of a predict, the outputs) of a network in NengoDL."""
    shown = np.tile(x.reshape(len(x), 1, -1), (1, STEPS, 1))
    with nengo_dl.Simulator(network, minibatch_size=len(x), progress_bar=False) as sim:
        seconds = cpu(lambda: sim.predict({image: shown}, verbose=0), repeats)
        return seconds, next(iter(sim.predict({image: shown}, verbose=0).values()))


def converter(model, x, repeats, planner):
    """Return CPU seconds of the Converter's network, as it comes or with another planner."""
    swap = {tf.keras.activations.relu: nengo.SpikingRectifiedLinear()}
    made = nengo_dl.Converter(model, swap_activations=swap, scale_firing_rates=SCALE, synapse=SYNAPSE)
    with made.net:
        made.net.seed = 0
        nengo_dl.configure_settings(stateful=False, **({} if planner is None else {"planner": planner}))
    return predicting(made.net, made.inputs[model.inputs[0]], x, repeats)[0]


def rows(model, batch, repeats):
    """Yield (what, CPU milliseconds an image and step) of everything that is compared."""
    x = np.random.default_rng(0).random((batch, *model.input_shape[1:]), dtype=np.float32)
    forward, shown = tf.function(lambda v: model(v, training=False)), tf.constant(x)
    c = snnc.compile(
        model, backend="nengo-dl", neurons="spiking-relu", scale=SCALE, synapse=SYNAPSE, steps=STEPS, verify=False
    )
    yield "Keras forward pass", cpu(lambda: [forward(shown) for _ in range(STEPS)], repeats)
    yield "Converter, as it comes", converter(model, x, repeats, None)
    yield "Converter, noop planner", converter(model, x, repeats, noop_planner)
    seconds, outputs = predicting(c.network, c.network_map["image"], x, repeats)
    yield "snnc, `c.network` in `nengo_dl.Simulator`", seconds
    yield "snnc, `c.run`", cpu(lambda: c.run(x), repeats)
    ran = next(iter(c.run(x).values()))
    assert np.abs(outputs.reshape(ran.shape) - ran).max() < 1e-4 * np.abs(ran).max()


def profile(model, batch):
    """Print the share of each operation in the steps of snnc's network."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    c = snnc.compile(model, backend="nengo-dl", scale=SCALE, synapse=SYNAPSE, steps=STEPS, verify=False)
    x = np.random.default_rng(0).random((batch, *model.input_shape[1:]), dtype=np.float32)
    c.run(x)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        c.run(x)
        tf.profiler.experimental.stop()
        (file,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        space = xplane_pb2.XSpace.FromString(Path(file).read_bytes())
    spent: Counter[str] = Counter()
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                if "/iteration_0/" in names[event.metadata_id]:
                    spent[names[event.metadata_id].rpartition(":")[2]] += event.duration_ps
    print("\n| operation | share of the time in the steps |\n|---|---|")
    for name, duration in spent.most_common(8):
        print(f"| {name} | {duration / sum(spent.values()):.0%} |")


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, make in (("the example CNN", cnn), ("VGG-like", vgg)):
        model, batch = make()
        print(f"\n| {name}: batch {batch}, {STEPS} steps | CPU ms an image and step | Keras forward passes |")
        print("|---|---|---|")
        base = None
        for what, seconds in rows(model, batch, options.repeats):
            base = base or seconds
            print(f"| {what} | {1000 * seconds / batch / STEPS:.3f} | {seconds / base:.2f} |", flush=True)
        if options.profile:
            profile(model, batch)


if __name__ == "__main__":
    main()
