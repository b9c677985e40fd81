"""Networks as NIR files, and what numpy gives for them."""

from dataclasses import replace

import numpy as np
from snnc_nir.exporter import NirExporter

import snnc
from snnc import ops
from snnc.api import simulate
from snnc.ir.graph import Graph
from snnc.neurons import Neurons
from snnc.testing.graphs import binary_inputs, in_binary

RELU = ops.Relu()


class Weights:
    """Random weights; in binary, every library gets the same sums in whatever order it adds."""

    def __init__(self, binary):
        self.rng, self.binary = np.random.default_rng(3), binary

    def __call__(self, *shape):
        if self.binary:
            return in_binary(self.rng, *shape)
        return (self.rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))).astype(np.float32)

    def conv(self, *kernel, strides=None, padding="same", groups=1):
        axes, outputs = len(kernel) - 2, kernel[-1]
        bias = np.abs(self(outputs))
        strides = strides or (1,) * axes
        return ops.Conv(
            kernel=self(*kernel), bias=bias, strides=strides, padding=padding, dilation=(1,) * axes, groups=groups
        )

    def dense(self, inputs, units):
        return ops.Dense(weight=self(inputs, units), bias=self(units))


def _graph(shape, *steps):
    """Return a graph of (name, op, sources)."""
    graph = Graph("net")
    graph.add("x", ops.Input(shape=shape))
    for name, op, *sources in steps:
        graph.add(name, op, sources, layers=[name])
    graph.set_outputs({steps[-1][0]: steps[-1][0]})
    return graph


def depthwise(w):
    return _graph(
        (8, 8, 2),
        ("c1", w.conv(3, 3, 2, 4), "x"),
        ("r1", RELU, "c1"),
        ("dw", w.conv(3, 3, 1, 8, groups=4), "r1"),
        ("r2", RELU, "dw"),
        ("pw", w.conv(1, 1, 8, 6), "r2"),
        ("r3", RELU, "pw"),
        ("flat", ops.Reshape(shape=(-1,)), "r3"),
        ("logits", w.dense(384, 5), "flat"),
    )


def strided_same(w):
    return _graph(
        (9, 7, 2),
        ("c1", w.conv(3, 3, 2, 6, strides=(2, 2)), "x"),
        ("r1", RELU, "c1"),
        ("c2", w.conv(2, 3, 6, 4, strides=(2, 1)), "r1"),
        ("r2", RELU, "c2"),
        ("pad", ops.ZeroPad(padding=((0, 1), (2, 0))), "r2"),
        ("c3", w.conv(3, 3, 4, 4, padding="valid"), "pad"),
        ("r3", RELU, "c3"),
        ("flat", ops.Reshape(shape=(-1,)), "r3"),
        ("logits", w.dense(32, 5), "flat"),
    )


def residual(w):
    return _graph(
        (6, 6, 2),
        ("c1", w.conv(3, 3, 2, 4), "x"),
        ("r1", RELU, "c1"),
        ("c2", w.conv(3, 3, 4, 4), "r1"),
        ("r2", RELU, "c2"),
        ("sum", ops.Add(), "r1", "r2"),
        ("c3", w.conv(3, 3, 4, 4), "sum"),
        ("r3", RELU, "c3"),
        ("joined", ops.Concatenate(), "sum", "r3"),
        ("c4", w.conv(1, 1, 8, 6), "joined"),
        ("r4", RELU, "c4"),
        ("pool", ops.GlobalAvgPool(), "r4"),
        ("logits", w.dense(6, 3), "pool"),
    )


def average_pool(w):
    return _graph(
        (8, 8, 1),
        ("c1", w.conv(3, 3, 1, 4), "x"),
        ("r1", RELU, "c1"),
        ("p1", ops.AvgPool(size=(2, 2), strides=(2, 2)), "r1"),
        ("c2", w.conv(3, 3, 4, 8), "p1"),
        ("r2", RELU, "c2"),
        ("p2", ops.AvgPool(size=(2, 2), strides=(2, 2)), "r2"),
        ("flat", ops.Reshape(shape=(-1,)), "p2"),
        ("logits", w.dense(32, 5), "flat"),
        ("shares", ops.Softmax(), "logits"),
    )


def conv1d(w):
    return _graph(
        (16, 3),
        ("c1", w.conv(3, 3, 8), "x"),
        ("r1", RELU, "c1"),
        ("c2", w.conv(3, 8, 8, strides=(2,)), "r1"),
        ("r2", RELU, "c2"),
        ("flat", ops.Reshape(shape=(-1,)), "r2"),
        ("d1", w.dense(64, 12), "flat"),
        ("r3", RELU, "d1"),
        ("logits", w.dense(12, 4), "r3"),
    )


def dense(w):
    return _graph(
        (10,),
        ("d1", w.dense(10, 20), "x"),
        ("r1", RELU, "d1"),
        ("logits", w.dense(20, 4), "r1"),
    )


NETWORKS = {f.__name__: f for f in (depthwise, strided_same, residual, average_pool, conv1d, dense)}


def compiled(graph, neurons, **arguments):
    """Return a compilation whose steps and scale are powers of two; its softmaxes are applied to the read-out."""
    return snnc.compile(graph, neurons=neurons, **{"dt": 2.0**-10, "scale": 256, "seed": 3, **arguments})


def inputs(graph, batch=4, *, binary=True):
    if binary:
        return next(iter(binary_inputs(graph, batch).values()))
    shape = graph[next(iter(graph.inputs))].type.shape
    return np.random.default_rng(5).uniform(size=(batch, *shape)).astype(np.float32)


def to_nir(c, path, steps=8):
    """Write a compilation as a NIR file that shows samples for some steps."""
    path.write_bytes(NirExporter().to_bytes(replace(c.exported, steps=steps)))
    return path


def populations(c):
    return [node.name for node in c.graph.nodes(Neurons)]


def spikes(c, x, steps):
    """Return the spikes of every population in every step, ``(batch, steps, *shape)``, as numpy runs the graph."""
    graph = c.graph.copy()
    graph.set_outputs({name: name for name in populations(c)})
    graph.prune()
    found = simulate(graph, x, steps, window=slice(0, steps), dt=c.settings.dt, seed=c.settings.seed).outputs
    return {name: y / np.float32(np.asarray(c.graph[name].op.scale) / c.settings.dt) for name, y in found.items()}


TIE = 1e-5
"""A neuron whose voltage comes so near to the threshold may fire a step earlier or later where sums are rounded."""


def after_ties(c, x, got):
    """Return which samples went another way than in numpy, each from a tie on; fail where it was none.

    Args:
        c: a compilation with neurons of one spike a step.
        x: inputs.
        got: spikes in every step by layer.

    """
    steps = next(iter(got.values())).shape[1]
    wanted, drives = spikes(c, x, steps), arriving(c, x, steps)
    assert set(got) == set(wanted)
    batch = len(next(iter(got.values())))
    other, undecided = np.zeros(batch, dtype=bool), np.ones(batch, dtype=bool)
    voltages = {name: np.full_like(y[:, 0], c.graph[name].op.model.initial, np.float64) for name, y in wanted.items()}
    for t in range(steps):
        for layer, fired in wanted.items():  # in the order of a step
            voltages[layer] += drives[layer][:, t]
            wrong = np.round(fired[:, t]) != got[layer][:, t]
            ties = np.abs(voltages[layer] - 1) < TIE
            voltages[layer] -= np.round(fired[:, t])
            axes = tuple(range(1, wrong.ndim))
            assert not (wrong & ~ties).any(axis=axes)[undecided].any(), (layer, t)
            other |= wrong.any(axis=axes)
            undecided &= ~other
    return other


def arriving(c, x, steps):
    """Return what arrives at every population in every step, in thresholds, as numpy runs the graph."""
    graph = c.graph.copy()
    graph.set_outputs({name: graph.sources(name)[0] for name in populations(c)})
    graph.prune()
    found = simulate(graph, x, steps, window=slice(0, steps), dt=c.settings.dt, seed=c.settings.seed).outputs
    return {name: y * np.float32(c.settings.dt / np.asarray(c.graph[name].op.scale)) for name, y in found.items()}
