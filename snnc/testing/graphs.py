"""Small graphs whose sums are exact, so that spikes can be compared for equality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.neurons import NeuronModel, Neurons, Synapse, SynapseModel


def chain(*steps: Op, names: Sequence[str] = ()) -> Graph:
    """Return a graph of ops in a row; the last is the output. Names default to the kinds."""
    graph = Graph("chain")
    previous: list[str] = []
    for i, op in enumerate(steps):
        name = names[i] if i < len(names) else graph.fresh_name(op.kind)
        graph.add(name, op, previous if op.arity != 0 else [], layers=[] if op.arity == 0 else [name])
        previous = [name]
    graph.set_outputs({previous[0]: previous[0]})
    return graph


def in_binary(rng: np.random.Generator, *shape: int) -> Array:
    """Return random weights ``(..., outputs)`` in multiples of 1/32, with a sum of squares of about one an output.

    Products and sums of few such numbers are exact in float32, so that all libraries agree, in whatever order they add.
    """
    return (rng.normal(size=shape) * 32 / np.sqrt(np.prod(shape[:-1]))).round().astype(np.float32) / 32


def binary_inputs(graph: Graph, batch: int = 3, *, steps: int | None = None, seed: int = 1) -> dict[str, Array]:
    """Return inputs by name between 0 and 1, in multiples of 1/8; see ``in_binary``.

    Args:
        graph: what is going to get them.
        batch: how many samples.
        steps: of a temporal graph, the number of slices: ``(batch, steps, *shape)``; else ``(batch, *shape)``.
        seed: of the numbers.
    """
    rng, time = np.random.default_rng(seed), () if steps is None else (steps,)
    return {
        name: (rng.integers(0, 9, size=(batch, *time, *graph[name].type.shape)) / 8).astype(np.float32)
        for name in graph.inputs
    }


def conv(rng: np.random.Generator, inputs: int, outputs: int, padding: str = "valid") -> ops.Conv:
    """Return a convolution with a kernel of 3 x 3 and weights in binary."""
    kernel, bias = in_binary(rng, 3, 3, inputs, outputs), in_binary(rng, outputs)
    return ops.Conv(kernel=kernel, bias=bias, strides=(1, 1), dilation=(1, 1), padding=padding)


def dense(rng: np.random.Generator, inputs: int, units: int) -> ops.Dense:
    """Return a dense layer with weights in binary."""
    return ops.Dense(weight=in_binary(rng, inputs, units), bias=in_binary(rng, units))


def two_layers(model: NeuronModel, synapse: SynapseModel | None = None, seed: int = 0) -> Graph:
    """Return a convolution and a dense layer of spiking neurons, whose spikes and filtered values are outputs.

    The input is ``x`` (6, 6, 1), the populations are ``conv`` (4, 4, 4) and ``dense`` (8,). Everything is in binary.
    """
    rng = np.random.default_rng(seed)
    population = Neurons(model=model, scale=_scale(model))
    bias, kernel, weight = in_binary(rng, 4), in_binary(rng, 3, 3, 1, 4), in_binary(rng, 64, 8) * 4
    if model.kind == "izhikevich":
        # its line from rate to current has no binary numbers, and it is chaotic: nothing may be rounded elsewhere
        bias, weight = 0 * bias, 4 * np.eye(64, 8, k=20, dtype=np.float32)
    graph = Graph("two layers")
    graph.add("x", ops.Input(shape=(6, 6, 1)))
    graph.add("conv.linear", ops.Conv(kernel=kernel, bias=bias, strides=(1, 1), dilation=(1, 1)), ["x"])
    graph.add("conv", population, ["conv.linear"])
    graph.add("flat", ops.Reshape(shape=(-1,)), ["conv"])
    graph.add("dense.linear", ops.Dense(weight=weight, bias=np.tile(bias, 2)), ["flat"])
    graph.add("dense", population, ["dense.linear"])
    graph.set_outputs({"conv": "conv", "dense": "dense"})
    if synapse is not None:
        for name in ("conv", "dense"):
            graph.insert_after(name, f"{name}.filtered", Synapse(model=synapse))
        graph.set_outputs({name: name for name in ("conv", "dense", "conv.filtered", "dense.filtered")})
    return graph


def _scale(model: NeuronModel) -> float:
    return model.unit_scale if model.matches_activation and not model.scale_invariant else 1 / 128


def row() -> Graph:
    """Return a model of three layers in a row, as an importer gives it: activations, no neurons."""
    rng = np.random.default_rng(0)
    flat, relu = ops.Reshape(shape=(-1,)), ops.Relu()
    steps = (conv(rng, 1, 4), relu, flat, dense(rng, 64, 8), relu, dense(rng, 8, 3))
    return chain(ops.Input(shape=(6, 6, 1)), *steps, names=["x", "conv", "first", "flat", "hidden", "second", "logits"])


def branches() -> Graph:
    """Return a model with two inputs, two outputs, a sum, a pool and a concatenation."""
    rng, graph = np.random.default_rng(1), Graph("branches")
    graph.add("x", ops.Input(shape=(4, 4, 2)))
    graph.add("z", ops.Input(shape=(3,)))

    def add(name: str, op: Op, *sources: str) -> None:
        graph.add(name, op, sources, layers=[name])

    add("left", conv(rng, 2, 4, "same"), "x")
    add("relu", ops.Relu(), "left")
    add("right", conv(rng, 4, 4, "same"), "relu")
    add("sum", ops.Add(), "relu", "right")
    add("relu_2", ops.Relu(), "sum")
    add("pool", ops.AvgPool(size=(2, 2), strides=(2, 2)), "relu_2")
    add("flat", ops.Reshape(shape=(-1,)), "pool")
    add("side", dense(rng, 3, 4), "z")
    add("relu_3", ops.Relu(), "side")
    add("joined", ops.Concatenate(), "flat", "relu_3")
    add("logits", dense(rng, 20, 3), "joined")
    add("number", dense(rng, 4, 1), "relu_3")
    graph.set_outputs({"logits": "logits", "number": "number"})
    return graph


def sequence_model(dt: float) -> Graph:
    """Return a temporal model of two layers, of which one slice is presented each step of ``dt`` seconds."""
    rng, shape = np.random.default_rng(2), (5,)
    return chain(
        ops.Input(shape=shape, dt=dt),
        dense(rng, 5, 8),
        ops.Relu(),
        dense(rng, 8, 3),
        names=["x", "hidden", "relu", "y"],
    )


def two_heads() -> Graph:
    """Return a model of two heads whose softmaxes are added, of which one is an output, and so are its logits."""
    rng = np.random.default_rng(3)
    graph = chain(ops.Input(shape=(6,)), dense(rng, 6, 8), ops.Relu(), names=["x", "hidden", "relu"])
    for head in ("first", "second"):
        graph.add(f"{head} logits", dense(rng, 8, 3), ["relu"], layers=[f"{head} logits"])
        graph.add(head, ops.Softmax(), [f"{head} logits"], layers=[head])
    graph.add("both", ops.Add(), ["first", "second"], layers=["both"])
    graph.set_outputs({"both": "both", "first": "first", "logits": "first logits"})
    return graph
