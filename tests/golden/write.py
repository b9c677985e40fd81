"""Write what an snnc of now saves, for every later one to load: ``python -m tests.golden.write tests/golden/v1``.

A folder is written once, when the format gets a new version, and never again.
"""

import sys
from pathlib import Path

import numpy as np

import snnc
from snnc import neurons, ops
from snnc.files import npz_bytes
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, dump
from snnc.ops.stateful import Causal
from tests.conftest import conv, dense
from tests.ops.samples import OPS

SAMPLES, SLICES, STEPS = 3, 4, 20


def every_op(temporal):
    """Return a graph with an output for each op, neuron and synapse model: causal ones where inputs are sequences."""
    records = [
        *OPS,
        *((neurons.Neurons(model=model(), scale=model().unit_scale), [(4,)]) for model in neurons.MODELS),
        *((neurons.Synapse(model=model(tau=0.01)), [(4,)]) for model in neurons.SYNAPSES),
    ]
    graph = Graph("every op over time" if temporal else "every op")
    for number, (op, shapes) in enumerate(records):
        if not shapes or isinstance(op, Causal) != temporal:
            continue
        for slot, shape in enumerate(shapes):
            graph.add(f"in{number}.{slot}", ops.Input(shape=shape, dt=0.001 if temporal else None))
        graph.add(f"op{number}", op, [f"in{number}.{slot}" for slot in range(len(shapes))], layers=[op.kind])
    graph.set_outputs({node.name: node.name for node in graph if node.op.arity != 0})
    return graph


def compiled():
    """Return a small spiking network, of weights that are binary fractions, compiled at level 1."""
    rng = np.random.default_rng(5)

    def binary(op, *fields):
        return op.__class__(**{**op.attrs(), **{f: np.round(op.attrs()[f] * 8) / 16 for f in fields}})

    graph = Graph("small")
    graph.add("image", ops.Input(shape=(6, 6, 1)))
    graph.add("conv", binary(conv(rng, (3, 3), 1, 4, activation=ops.Relu()), "kernel", "bias"), ["image"])
    graph.add("pool", ops.AvgPool(size=(2, 2), strides=(2, 2)), ["conv"])
    graph.add("flat", ops.Reshape(shape=(-1,)), ["pool"])
    graph.add("logits", binary(dense(rng, 16, 3), "weight", "bias"), ["flat"])
    graph.set_outputs({"logits": "logits"})
    return snnc.compile(graph, neurons="soft-reset-if", scale=250, synapse=0.004, steps=STEPS, read_out="last")


def write(folder):
    """Write the three folders of a version, each with the inputs and what comes of them as values.npz."""
    rng = np.random.default_rng(11)
    for name, temporal in (("ops", False), ("temporal", True)):
        graph = every_op(temporal)
        leading = (SAMPLES, SLICES) if temporal else (SAMPLES,)
        x = {n: rng.uniform(0.1, 0.9, (*leading, *graph[n].type.shape)).astype(np.float32) for n in graph.inputs}
        (folder / name).mkdir(parents=True)
        for file, data in dump({GRAPH_FILE: graph}).items():
            (folder / name / file).write_bytes(data)
        (folder / name / "values.npz").write_bytes(npz_bytes({**x, **graph.evaluate(x)}))
    network = compiled()
    image = (rng.integers(0, 9, (SAMPLES, 6, 6, 1)) / 8).astype(np.float32)
    network.save(folder / "artifact")
    values = {"image": image, "logits": network.run(image)["logits"], "rate": network.graph.evaluate(image)["logits"]}
    (folder / "artifact" / "values.npz").write_bytes(npz_bytes(values))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
