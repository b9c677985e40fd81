"""Make activations nodes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class SplitActivations(Pass):
    """Split ``dense{activation=relu}`` into a linear op and the activation, which keeps the layer's name.

    Before::

        %dense = dense(%x) {... activation=relu} : rate[4]

    After::

        %dense.linear = dense(%x) {...} : rate[4]
        %dense = relu(%dense.linear) : rate[4]
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

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph.nodes(ops.Dense, ops.Conv):
            if node.op.activation is not None:
                yield f"node {node.name!r} has its activation inside"
