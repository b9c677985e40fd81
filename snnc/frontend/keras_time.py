"""TimeDistributed: the ops of a layer, moved one axis to the right so that they leave the first axis alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Shape
from snnc.ops.activations import Activation
from snnc.ops.each_slice import EachSlice

Inside: TypeAlias = Callable[[Graph, str], str]
"""Adds a layer to a graph behind the given node and returns the node of its output."""


def distribute(graph: Graph, name: str, source: str, inside: Inside) -> str:
    """Apply a layer to every slice of ``source`` along its first axis; return the node of the output.

    Where an op has a form that does the same with one axis more (a convolution with a kernel of size one along it),
    that is used: every backend knows those. Anything else is evaluated slice by slice.
    """
    steps, *shape = graph[source].type.shape
    inner = Graph(name)
    start = inner.add(f"{name}.slice", ops.Input(shape=tuple(shape))).name
    output = inside(inner, start)
    place = {start: source}
    for node in inner:
        if node.name != start:
            types = [inner[s].type.shape for s in inner.sources(node.name)]
            inputs = [place[s] for s in inner.sources(node.name)]
            *before, last = lift(node.op, steps, types[0], node.type.shape)
            for op in before:
                new = graph.fresh_name(f"{node.name}.{op.kind}")
                inputs = [graph.add(new, op, inputs, layers=node.origin.layers).name]
            new = graph.fresh_name(node.name)
            place[node.name] = graph.add(new, last, inputs, layers=node.origin.layers).name
    return place[output]


def lift(op: Op, steps: int, shape: Shape, output: Shape) -> tuple[Op, ...]:
    """Return the ops that do to each slice along a new first axis of size ``steps`` what ``op`` does to one.

    Args:
        op: an op on a slice.
        steps: the size of the new axis.
        shape: of the slice that the op reads first.
        output: the shape that the op makes of it.

    """
    if isinstance(op, (ops.GlobalAvgPool, ops.GlobalMaxPool)):
        kind = ops.AvgPool if isinstance(op, ops.GlobalAvgPool) else ops.MaxPool
        window = (1, *shape[:-1])
        return kind(size=window, strides=window), ops.Reshape(shape=(steps, *output))
    return (_lift_one(op, steps, shape, output),)


def _lift_one(op: Op, steps: int, shape: Shape, output: Shape) -> Op:
    match op:
        case ops.Conv():
            return replace(
                op,
                kernel=op.kernel[None],
                strides=(1, *op.strides),
                dilation=(1, *op.dilation),
                padding=((0, 0), *op.pads(shape[:-1])),
                activation=_lift_activation(op.activation, op.kernel.ndim - 1),
            )
        case ops.Pool():
            return replace(op, size=(1, *op.size), strides=(1, *op.strides), padding=((0, 0), *op.pads(shape[:-1])))
        case ops.ZeroPad():
            return replace(op, padding=((0, 0), *op.padding))
        case ops.Reshape():
            return replace(op, shape=(steps, *output))
        case ops.Permute():
            return replace(op, order=(0, *(axis + 1 for axis in op.order)))
        case ops.Concatenate():
            return replace(op, axis=op.axis + 1 if op.axis >= 0 else op.axis)
        case ops.Dense():
            return replace(op, activation=_lift_activation(op.activation, len(shape)))
        case Activation() if not isinstance(op, ops.PRelu):
            return _lift_activation(op, len(shape)) or op
        case ops.Identity() | ops.BatchNorm() | ops.Affine() | ops.PRelu():
            return op  # they broadcast from the right
        case _:
            return EachSlice(op=op)


def _lift_activation(activation: Activation | None, rank: int) -> Activation | None:
    """Return the activation over the same axis of a tensor that has one axis more in front."""
    if isinstance(activation, (ops.Softmax, ops.LogSoftmax)) and activation.axis >= 0:
        return replace(activation, axis=activation.axis - rank)
    return activation
