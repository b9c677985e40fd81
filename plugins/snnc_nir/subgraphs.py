"""Graphs inside a graph of a NIR file, as nodes and edges of the graph itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Edges = tuple[tuple[str, str], ...]


class Typed(Protocol):
    """A node that says its type."""

    @property
    def type(self) -> str:
        """Return the type."""


def ends(nodes: Mapping[str, Typed], kind: str) -> list[str]:
    """Return the names of the inputs or outputs among nodes."""
    return [name for name, node in nodes.items() if node.type == kind]


def spliced(name: str, edges: Edges, inner: Mapping[str, Typed], inner_edges: Edges) -> Edges:
    """Return the edges of a graph in which what is inside a node stands in its place, as ``name.inner``.

    What reads the node reads what its one output reads, and what it reads goes to what reads its one input: edges
    into a node add up, so that each way through an end is an edge of its own.
    """
    (first,), (last,) = ends(inner, "Input"), ends(inner, "Output")
    into = [(a, b) for a, b in edges if b == name]
    out = [(a, b) for a, b in edges if a == name]
    made = [(a, b) for a, b in edges if name not in (a, b)]
    for a, b in inner_edges:
        sources = [source for source, _ in into] if a == first else [f"{name}.{a}"]
        targets = [target for _, target in out] if b == last else [f"{name}.{b}"]
        made += [(source, target) for source in sources for target in targets]
    return tuple(made)
