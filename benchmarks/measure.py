"""One measurement in a process of its own: ``python benchmarks/measure.py TASK MODEL`` prints a line of JSON.

Times are processor time of all threads. A simulation and Keras take turns, so that whatever else the machine does hits
both, and their ratio is that of the medians. What ``speed.py`` asks for is in TASKS.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import gc
import json
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

BATCH = {"example": 50, "five_layer": 50, "vgg_like": 20, "mobilenet": 4, "resnet": 4}
"""Images at a time."""
STEPS, ROUNDS = 20, 3
SYNAPSE = 0.005
"""Seconds, for both compilers: what the keras-to-snn tutorial ends with."""
SETTINGS = {"scale": 100, "neurons": "spiking-relu", "verify": False}


def processor_time(work):
    """Return the seconds of processor time that a function takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak():
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_nengo(model, x, network):
    """Simulate a network in a ``nengo.Simulator`` with its default settings, one image.

    BLAS is kept to one thread: others wait in busy loops between the products, and processor time would count that.
    """
    import nengo
    from threadpoolctl import threadpool_limits

    start = time.process_time()
    with threadpool_limits(1, "blas"), nengo.Simulator(network, progress_bar=False) as sim:
        build = time.process_time() - start
        return against_keras(model, x, lambda: sim.run_steps(STEPS, progress_bar=False), STEPS, build)


def in_nengo_dl(model, x, network, image):
    """Simulate a network in a ``nengo_dl.Simulator``, as its settings say, a batch of images."""
    import nengo_dl

    data = {image: np.tile(x.reshape(len(x), 1, -1), (1, STEPS, 1))}
    start = time.process_time()
    with nengo_dl.Simulator(network, minibatch_size=len(x), progress_bar=False) as sim:
        build = time.process_time() - start
        return against_keras(model, x, lambda: sim.predict(data, verbose=0), STEPS * len(x), build)


def live(name):
    """Return a Keras model and a batch of images for it."""
    import models

    model = models.untrained(name)
    shape = (BATCH.get(name, 1), *model.input_shape[1:])
    return model, np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


def against_keras(model, x, work, image_steps, build):
    """Return milliseconds an image and step of a simulation that has been built, and of Keras."""
    import tensorflow as tf

    forward = tf.function(lambda x: model(x, training=False))
    shown = tf.constant(x)
    passes = max(1, int(0.3 / max(1e-4, (forward(shown), processor_time(lambda: forward(shown)))[1])))
    build += processor_time(work)  # the first run traces and compiles
    rounds = [
        (
            processor_time(lambda: [forward(shown) for _ in range(passes)]) / passes / len(x),
            processor_time(work) / image_steps,
        )
        for _ in range(ROUNDS)
    ]
    keras, simulation = 1000 * np.median(rounds, axis=0)
    return {"keras": keras, "simulation": simulation, "build": build}


def converted(model, synapse=SYNAPSE):
    """Return the NengoDL Converter's conversion."""
    import nengo
    import nengo_dl
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nengo_dl.Converter(
            model,
            swap_activations={tf.keras.activations.relu: nengo.SpikingRectifiedLinear()},
            scale_firing_rates=100,
            synapse=synapse,
        )


def converter(name, planner=None, synapse=SYNAPSE):
    """Simulate the Converter's network in NengoDL, as it comes or with another planner."""
    import nengo_dl

    model, x = live(name)
    conversion = converted(model, synapse)
    if planner is not None:
        with conversion.net:
            nengo_dl.configure_settings(planner=planner)
    return in_nengo_dl(model, x, conversion.net, conversion.inputs[model.inputs[0]])


def converter_noop(name):
    """Simulate the Converter's network with the planner that merges nothing."""
    from nengo_dl.graph_optimizer import noop_planner

    return converter(name, noop_planner)


def converter_nengo(name):
    """Simulate the Converter's network in Nengo's reference simulator."""
    model, x = live(name)
    conversion = converted(model)
    conversion.inputs[model.inputs[0]].output = x[0].ravel()
    return in_nengo(model, x, conversion.net)


def compiled(name, backend, synapse=SYNAPSE, every_step=True, images=None):
    """Simulate with a backend of ours: the outputs of every step, or the answer alone."""
    import snnc

    model, x = live(name)
    start = time.process_time()
    c = snnc.compile(model, backend=backend, synapse=synapse, steps=STEPS, **SETTINGS)
    build = time.process_time() - start
    shown = x if images is None else x[:images]
    program, inputs = c.program, {c.source.inputs[0]: shown}

    def work():
        if every_step:
            program.run(inputs, STEPS, jobs=1)
        else:
            program.decode(inputs, STEPS, c.read_out, c.settings.dt, jobs=1)

    return against_keras(model, x, work, STEPS * len(shown), build)


def nengo_own_simulator(name):
    """Simulate our network in Nengo's reference simulator."""
    import snnc

    model, x = live(name)
    c = snnc.compile(model, synapse=SYNAPSE, **SETTINGS)
    c.network.nodes[0].output = x[0].ravel()
    return in_nengo(model, x, c.network)


def nengo_dl_own_simulator(name):
    """Simulate our network in the user's own NengoDL simulator."""
    import snnc

    model, x = live(name)
    c = snnc.compile(model, backend="nengo-dl", synapse=SYNAPSE, **SETTINGS)
    return in_nengo_dl(model, x, c.network, c.network_map[c.source.inputs[0]])


def nengo_dl_profile(name):
    """Return the share of each operation in the time of the steps of our network in NengoDL."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    import snnc

    model, x = live(name)
    c = snnc.compile(model, backend="nengo-dl", synapse=SYNAPSE, steps=STEPS, **SETTINGS)
    c.run(x)  # traces and compiles
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        c.run(x)
        tf.profiler.experimental.stop()
        (file,) = Path(folder).glob("**/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    spent = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                operation = plane.event_metadata[event.metadata_id].name
                if "/iteration_0/" in operation:  # inside the loop over the steps
                    spent[operation.rpartition(":")[2]] += event.duration_ps
    return {operation: time / spent.total() for operation, time in spent.most_common()}


def conversion(name):
    """Convert with both: seconds of the Converter and of ``snnc.compile`` at level 1, network included."""
    import snnc

    model, _ = live(name)
    snnc.compile(model, **SETTINGS)  # what is imported and cached the first time
    converted(model)
    rounds = []
    for _ in range(ROUNDS):
        both = (lambda: snnc.compile(model, **SETTINGS)), (lambda: converted(model))
        rounds.append([(gc.collect(), processor_time(work))[1] for work in both])
    ours, theirs = np.median(rounds, axis=0)
    return {"snnc": float(ours), "converter": float(theirs)}


def memory(name, convert):
    """Return what conversion adds to the most memory in MB, with the model's weights and activations beside it."""
    import nengo_dl  # noqa: F401 - imports are not part of it
    import snnc_nengo.program  # noqa: F401

    model, _ = live(name)
    weights = sum(w.size for w in model.get_weights()) * 4 / 2**20
    activations = sum(np.prod(layer.output.shape[1:]) for layer in model.layers) * 4 / 2**20
    before = peak()
    start = time.process_time()
    convert(model)
    seconds = time.process_time() - start
    added = peak() - before
    return {"added": added, "weights": float(weights), "activations": float(activations), "seconds": seconds}


def memory_snnc(name):
    """Compile to Nengo."""
    import snnc

    return memory(name, lambda model: snnc.compile(model, **SETTINGS))


def memory_converter(name):
    """Convert with the Converter."""
    return memory(name, converted)


def nengo_build(name):
    """Build simulators of deep networks: the Converter's as it comes, and ours as ``run`` does it."""
    import nengo

    import snnc

    model, x = live(name)
    conversion = converted(model)
    theirs = processor_time(lambda: nengo.Simulator(conversion.net, progress_bar=False).close())
    c = snnc.compile(model, **SETTINGS)
    inputs = {c.source.inputs[0]: x}
    first = processor_time(lambda: c.program.run(inputs, 1, jobs=1))
    again = processor_time(lambda: c.program.run(inputs, 1, jobs=1))
    return {"converter": theirs, "snnc": first - again}


def nengo_dl_build(name):
    """Build simulators of deep networks in NengoDL, for one image; ours with what ``run`` compiles at first."""
    import nengo_dl

    import snnc

    model, x = live(name)
    conversion = converted(model)
    data = {conversion.inputs[model.inputs[0]]: x.reshape(1, 1, -1)}

    def first():
        with nengo_dl.Simulator(conversion.net, minibatch_size=1, progress_bar=False) as sim:
            sim.predict(data, verbose=0)

    theirs = processor_time(first)
    c = snnc.compile(model, backend="nengo-dl", **SETTINGS)
    return {"converter": theirs, "snnc": processor_time(lambda: c.program.run({c.source.inputs[0]: x}, 1))}


def tensorflow_build(name):
    """Build the function of deep networks, with what TensorFlow compiles at the first run."""
    import snnc

    model, x = live(name)
    c = snnc.compile(model, backend="tensorflow", build=False, **SETTINGS)
    return {"snnc": processor_time(lambda: c.program.run({c.source.inputs[0]: x}, 1))}


TASKS = {
    "converter": converter,
    "converter, no synapse": lambda name: converter(name, synapse=None),
    "converter, noop planner": converter_noop,
    "nengo-dl": lambda name: compiled(name, "nengo-dl"),
    "nengo-dl, own simulator": nengo_dl_own_simulator,
    "nengo-dl profile": nengo_dl_profile,
    "nengo-dl, no synapse": lambda name: compiled(name, "nengo-dl", synapse=None),
    "tensorflow": lambda name: compiled(name, "tensorflow"),
    "tensorflow, no synapse": lambda name: compiled(name, "tensorflow", synapse=None),
    "tensorflow, answer": lambda name: compiled(name, "tensorflow", synapse=None, every_step=False),
    "converter in nengo": converter_nengo,
    "nengo, own simulator": nengo_own_simulator,
    "nengo": lambda name: compiled(name, "nengo", images=2),
    "conversion": conversion,
    "memory, snnc": memory_snnc,
    "memory, converter": memory_converter,
    "nengo build": nengo_build,
    "nengo-dl build": nengo_dl_build,
    "tensorflow build": tensorflow_build,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](sys.argv[2])))
