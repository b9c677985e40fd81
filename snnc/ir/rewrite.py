"""The most common change of a graph: other ops in the place of all of one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from snnc.ir.graph import Graph
from snnc.ir.op import Op

A = TypeVar("A", bound=Op)


def rewrite(graph: Graph, kind: type[A], change: Callable[[A], Op | None]) -> None:
    """Replace each op of a class by ``change(op)``; None leaves it."""
    for node in graph.nodes(kind):
        new = change(node.op)
        if new is not None:
            graph.replace(node.name, new)
