"""Remove ops that do nothing at inference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class DropIdentities(Pass):
    """Remove dropout and the like, and reshapes, permutations, paddings and sums that change nothing.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %dropout = identity(%x) : rate[4]
        %dense = dense(%dropout) {weight=f32[4,2] ...} : rate[2]

    After::

        %dense = dense(%x) {weight=f32[4,2] ...} : rate[2]
    """

    name: ClassVar[str] = "drop-identities"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    after: ClassVar[tuple[str, ...]] = ("split-activations",)
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph:
            if is_identity(graph, node):
                graph.remove(node.name)

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph.nodes(ops.Identity):
            yield f"node {node.name!r} does nothing"


def is_identity(graph: Graph, node: Node) -> bool:
    """Return whether a node gives what it reads, element by element and in the same shape."""
    op, sources = node.op, graph.sources(node.name)
    if len(sources) != 1:
        return False
    if isinstance(op, (ops.Reshape, ops.Permute)):
        identical = isinstance(op, ops.Reshape) or op.order == tuple(range(len(op.order)))
        return identical and graph[sources[0]].type.shape == node.type.shape
    if isinstance(op, ops.ZeroPad):
        return not any(a or b for a, b in op.padding)
    return isinstance(op, (ops.Identity, ops.Add, ops.Concatenate))
