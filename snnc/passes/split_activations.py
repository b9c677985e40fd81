"""Make activations nodes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ops.activations import Activation
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class SplitActivations(Pass):
    """Split ``dense{activation=relu}`` into a linear op and the activation, which keeps the layer's name.

    Before::

        %x = input() {shape=(3)} : rate[3]
        %dense = dense(%x) {weight=f32[3,4] activation=relu ...} : rate[4]

    After::

        %dense.linear = dense(%x) {weight=f32[3,4] ...} : rate[4]
        %dense = relu(%dense.linear) : rate[4]

    An activation of one number gets an axis of one channel between two reshapes: neurons have channels.
    """

    name: ClassVar[str] = "split-activations"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph.nodes(ops.Dense, ops.Conv):
            if node.op.activation is not None:
                linear = replace(node.op, activation=None)
                graph.split(node.name, graph.fresh_name(f"{node.name}.linear"), linear, node.op.activation)
        for name in _of_one_number(graph):
            graph.insert_before(name, 0, graph.fresh_name(f"{name}.channel"), ops.Reshape(shape=(1,)))
            graph.insert_after(name, graph.fresh_name(f"{name}.number"), ops.Reshape(shape=()))

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph.nodes(ops.Dense, ops.Conv):
            if node.op.activation is not None:
                yield f"node {node.name!r} has its activation inside"
        for name in _of_one_number(graph):
            yield f"node {name!r} is an activation without a channel"


def _of_one_number(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes(Activation) if node.type.shape == ()]
