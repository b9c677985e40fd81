"""Graphs as the passes for the chip find them."""

import numpy as np
from snnc_loihi.models import LoihiEncoder, LoihiSignedIf

from snnc.api import Graph, Neurons, Op, ops


def random(*shape, low=-1.0, high=1.0):
    """Return numbers that depend on the arguments alone, not on what was drawn before."""
    return np.random.default_rng(shape).uniform(low, high, shape).astype(np.float32)


def conv(size, inputs, outputs, *, strides=1, padding="valid", dilation=1, groups=1, rank=2):
    return ops.Conv(
        kernel=random(*(size,) * rank, inputs // groups, outputs),
        bias=random(outputs),
        strides=(strides,) * rank,
        padding=padding,
        dilation=(dilation,) * rank,
        groups=groups,
    )


def dense(inputs, outputs):
    return ops.Dense(weight=random(inputs, outputs), bias=random(outputs))


def chip(scale=1.0):
    return Neurons(model=LoihiSignedIf(), scale=scale)


def encoder(scale=1.0):
    return Neurons(model=LoihiEncoder(), scale=scale)


def row(shape, *steps: Op, name="net", dt=None) -> Graph:
    """Return a graph of ops in a row, from an input, or with a ``dt`` slices, through neurons called a, b, c."""
    graph = Graph(name)
    graph.add("x", ops.Input(shape=shape, dt=dt), layers=["x"])
    previous, letters = "x", iter("abcdef")
    for op in steps:
        wish = next(letters) if isinstance(op, Neurons) else op.kind
        previous = graph.add(graph.fresh_name(wish), op, [previous], layers=[wish]).name
    graph.set_outputs({"y": previous})
    return graph
