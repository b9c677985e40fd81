"""What differs between two graphs, node by node: names are tensors, so that nodes of one name belong together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import numpy as np

from snnc.ir.graph import Graph
from snnc.ir.op import Record, show
from snnc.ir.text import line


def differences(a: Graph, b: Graph) -> Iterator[str]:
    """Yield the lines of a diff from one graph to another; none where they compute the same in the same nodes.

    ``-`` and ``+`` are in front of a node as it was and as it is, ``~`` in front of one whose printed line is the same,
    and below it are the fields that differ, with how much. Graphs' names and nodes' origins say nothing about what is
    computed, and are not compared; nor is an order of nodes that their inputs leave open.
    """
    if dict(a.output_nodes) != dict(b.output_nodes) or a.outputs != b.outputs:
        yield from (f"{sign} outputs {_outputs(graph)}" for sign, graph in (("-", a), ("+", b)))
    if a.made_for != b.made_for:
        yield from (f"{sign} made for {graph.made_for}" for sign, graph in (("-", a), ("+", b)))
    names = [node.name for node in a], [node.name for node in b]
    for how, i, j, k, m in difflib.SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if how != "equal":
            yield from (f"- {_line(a, name)}" for name in names[0][i:j] if name not in b)
        for name in names[1][k:m]:
            yield from _node(a, b, name) if name in a else [f"+ {_line(b, name)}"]


def _node(a: Graph, b: Graph, name: str) -> Iterator[str]:
    """Yield the lines of a node that is in both."""
    before, after = a[name], b[name]
    if before.op == after.op and a.sources(name) == b.sources(name) and before.type == after.type:
        return
    was, now = _line(a, name), _line(b, name)
    yield from [f"~ {now}"] if was == now else [f"- {was}", f"+ {now}"]
    if type(before.op) is type(after.op):
        yield from (f"    {row}" for row in _fields(before.op, after.op, ""))


def _fields(a: Record, b: Record, prefix: str) -> Iterator[str]:
    """Yield a row for each field of two records of one class that differs in what their printed form does not show."""
    theirs = b.attrs()
    for key, mine in a.attrs().items():
        other = theirs[key]
        if isinstance(mine, Record) and type(mine) is type(other):
            yield from _fields(mine, other, f"{prefix}{key}.")
        elif isinstance(mine, np.ndarray) and isinstance(other, np.ndarray) and mine.shape == other.shape:
            if not np.array_equal(mine, other):
                yield f"{prefix}{key} {show(mine)}: {_difference(mine, other)}"
        elif show(mine) == show(other) and not _equal(mine, other):
            yield f"{prefix}{key}: {mine!r} became {other!r}"


def _equal(mine: Any, other: Any) -> bool:
    return bool(np.array_equal(mine, other)) if isinstance(mine, np.ndarray) else bool(mine == other)


def _difference(mine: Any, other: Any) -> str:
    apart = np.abs(mine.astype(np.float64) - other)
    count = int((mine != other).sum())
    return (
        f"{count} of {mine.size} values differ, by {apart.max():.3g} at most (largest value {np.abs(mine).max():.3g})"
    )


def _line(graph: Graph, name: str) -> str:
    return line(graph, graph[name], origin=False)


def _outputs(graph: Graph) -> str:
    return ", ".join(f"{output}=%{node}" for output, node in graph.output_nodes.items())
