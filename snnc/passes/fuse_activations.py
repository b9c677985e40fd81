"""Recognise activations that are written as several ops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import concrete
from snnc.ir.types import AnyArray
from snnc.ops.combine import Elementwise
from snnc.passes.base import Context, Pass, Stage

GRID = np.linspace(-12, 12, 241, dtype=np.float32)
"""Where two functions are compared: both sides of every knee, and where all of them have come to their ends."""
CLOSE = 2e-6
"""The most that they may differ, in float32."""


@dataclass(frozen=True)
class FuseActivations(Pass):
    """Put one activation in the place of several ops that are one: x * relu6(x + 3) / 6 is a hard swish.

    The ops have to be functions of single elements of one tensor, and their values must have no other reader. They
    are compared with all activations that have no parameters on a grid, so that it does not matter how they are
    written. One population stands for all of them then, and no product of two signals is left.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %shift = affine(%x) {scale=1 shift=3} : rate[4]
        %gate = relu(%shift) {max_value=6} : rate[4]
        %sixth = affine(%gate) {scale=0.16666667 shift=0} : rate[4]
        %y = multiply(%x, %sixth) : rate[4]

    After::

        %y = hard-swish(%x) : rate[4]
    """

    name: ClassVar[str] = "fuse-activations"
    stage: ClassVar[Stage] = Stage.FUSE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in reversed(list(graph)):
            if node.name not in graph or not isinstance(node.op, Elementwise):
                continue
            found = _region(graph, node)
            activation = None if found is None else _same_function(graph, *found)
            if found is not None and activation is not None:
                source, region = found
                parts = [graph[name].origin for name in region]
                after = graph.rebuild(node.name, activation, [source])
                graph.set_origin(node.name, after.origin.joined(parts))
                graph.prune()


def _region(graph: Graph, end: Node) -> tuple[str, list[str]] | None:
    """Return the one tensor that a node is a function of, element by element, and the nodes between, or None."""
    inside: set[str] = set()
    waiting, borders = [end.name], set[str]()
    while waiting and len(borders) < 2:
        name = waiting.pop()
        if name not in inside:
            inside.add(name)
            for source in graph.sources(name):
                (waiting.append if _is_pointwise(graph, source) else borders.add)(source)
    if len(borders) != 1 or len(inside) < 2:
        return None
    order = [node.name for node in graph if node.name in inside]
    closed = all(r in inside for name in order[:-1] for r, _ in graph.readers(name))
    (source,) = borders
    same = all(graph[name].type.shape == end.type.shape for name in (*order, source))
    return (source, order) if closed and same and order[-1] == end.name else None


def _is_pointwise(graph: Graph, name: str) -> bool:
    """Return whether a node is a function of single elements, and no output."""
    op = graph[name].op
    scalar = isinstance(op, ops.Affine) and op.scale.size == op.shift.size == 1
    function = isinstance(op, (ops.Activation, Elementwise)) and op.elementwise and not any(op.arrays())
    return (scalar or function) and not graph.is_output(name)


def _same_function(graph: Graph, source: str, region: list[str]) -> ops.Activation | None:
    """Return the activation without parameters that does the same as some nodes, or None."""
    values = {source: GRID.reshape(-1, *(1 for _ in graph[source].type.shape))}
    with np.errstate(all="ignore"):
        for name in region:
            values[name] = graph[name].op.evaluate(*(values[s] for s in graph.sources(name)))
    ours = np.asarray(values[region[-1]], dtype=np.float64).ravel()
    if not np.isfinite(ours).all():
        return None
    return next((activation for activation, theirs in _known() if _close(ours, theirs)), None)


def _close(a: AnyArray, b: AnyArray) -> bool:
    return bool(np.all(np.abs(a - b) <= CLOSE * (1 + np.abs(b))))


@cache
def _known() -> tuple[tuple[ops.Activation, AnyArray], ...]:
    return tuple(_evaluated())


def _evaluated() -> Iterator[tuple[ops.Activation, AnyArray]]:
    """Yield each activation that needs no parameters, with its values on the grid."""
    for cls in concrete(ops.Activation, ops.activations, ops.functions):
        try:
            activation = cls()
        except TypeError:
            continue  # one with parameters
        forms = (activation, ops.Gelu(approximate=True)) if isinstance(activation, ops.Gelu) else (activation,)
        for form in forms:
            if form.elementwise and not form.is_linear:
                yield form, np.asarray(form.evaluate(GRID[:, None]), dtype=np.float64).ravel()
