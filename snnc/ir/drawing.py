"""A graph as a picture: a box a node from top to bottom, and lines at the side for what is read further down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from snnc.ir.graph import Graph
from snnc.ir.node import Node

ROW, BOX, LANE, TOP = 30, 22, 9, 4
"""Pixels: of a row, of the box in it, between two lines at the side, and above the first row."""
WIDTH = 560
"""Pixels of a box, where nobody says."""
LETTER = 6.6
"""Pixels of a letter at most, of the monospaced 11 that all is written in."""


@dataclass(frozen=True)
class Line:
    """A value that is read further down than in the next row: from one row past others to all that read it."""

    start: int
    ends: tuple[int, ...]
    lane: int
    """Which of the lines at the side it is, counted from the boxes outwards."""


def rows(graph: Graph) -> dict[str, int]:
    """Return the row of each node: every one below all that it reads, and branches one after another."""
    waiting = {node.name: len(set(graph.sources(node.name))) for node in graph}
    ready = [name for name in reversed(waiting) if not waiting[name]]
    placed: dict[str, int] = {}
    while ready:
        name = ready.pop()
        placed[name] = len(placed)
        for reader in reversed(list(dict.fromkeys(reader for reader, _ in graph.readers(name)))):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return placed


def lines(graph: Graph, row: Mapping[str, int]) -> list[Line]:
    """Return the lines at the side; two that pass the same row never share a lane."""
    taken: list[int] = []  # by lane, the last row that it is taken in
    found = []
    for name, start in row.items():
        ends = tuple(sorted({row[reader] for reader, _ in graph.readers(name) if row[reader] > start + 1}))
        if not ends:
            continue
        lane = next((i for i, last in enumerate(taken) if last < start), len(taken))
        taken[lane : lane + 1] = [ends[-1]]
        found.append(Line(start, ends, lane))
    return found


def drawing(
    graph: Graph,
    beside: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    *,
    link: Callable[[str], str] | None = None,
    width: int = WIDTH,
) -> str:
    """Return a graph as an SVG element without styles or scripts, in the colours of the text around it.

    Args:
        graph: what to draw.
        beside: by node, what stands at the right end of its box, by default its shape.
        kinds: by node, a class of its group beside ``node``, such as ``spikes``, for style sheets.
        link: where a node's box leads to, by its name; by default nowhere.
        width: pixels of a box.
    """
    row = rows(graph)
    found = lines(graph, row)
    left = LANE * (3 + max((line.lane for line in found), default=-1))
    height = 2 * TOP + ROW * len(graph)
    parts = [
        f'<svg class="graph" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {left + width + 2} {height}" width="{left + width + 2}" height="{height}" '
        'font-family="ui-monospace, monospace" font-size="11">',
        f"<title>{_text(f'graph {graph.name}')}</title>",
        f'<g class="edges" stroke="currentColor" opacity="0.6">{_edges(graph, row, found, left)}</g>',
    ]
    for node in (graph[name] for name in row):
        shown = str(node.type) if beside is None else beside.get(node.name, "")
        box = _box(node, shown, left, TOP + ROW * row[node.name], width)
        kind = "node" if kinds is None else f"node {kinds.get(node.name, '')}".strip()
        group = f'<g class="{escape(kind)}">{box}</g>'
        parts.append(group if link is None else f'<a href="{escape(link(node.name))}">{group}</a>')
    return "".join([*parts, "</svg>"])


def _edges(graph: Graph, row: Mapping[str, int], found: list[Line], left: int) -> str:
    paths, heads = [], []
    for name, here in row.items():
        if any(row[reader] == here + 1 for reader, _ in graph.readers(name)):
            bottom = TOP + ROW * here + BOX
            paths.append(f"M{left + 14} {bottom}v{ROW - BOX}")
            heads.append(f"M{left + 11} {bottom + ROW - BOX - 5}h6l-3 5z")
    for line in found:
        x = left - LANE * (2 + line.lane)
        paths.append(f"M{left} {_middle(line.start)}H{x + 4}q-4 0 -4 4V{_middle(line.ends[-1]) - 4}")
        for end in line.ends:
            paths.append(f"M{x} {_middle(end) - 4}q0 4 4 4H{left}")
            heads.append(f"M{left - 6} {_middle(end) - 3}v6l6 -3z")
    if not paths:
        return ""
    return f'<path fill="none" d="{"".join(paths)}"/><path fill="currentColor" stroke="none" d="{"".join(heads)}"/>'


def _middle(row: int) -> int:
    return TOP + ROW * row + BOX // 2


def _box(node: Node, beside: str, left: int, top: int, width: int) -> str:
    room = int((width - 24) / LETTER)
    right = _short(beside, room // 2)
    name = _short(f"{node.name}  {node.op.kind}" if node.name != node.op.kind else node.name, room - len(right) - 2)
    tip = f"{node.name} = {node.op.kind} : {node.type}" + (f"\n{node.origin}" if str(node.origin) else "")
    return (
        f"<title>{_text(tip)}</title>"
        f'<rect x="{left}" y="{top}" width="{width}" height="{BOX}" rx="4" fill="currentColor" fill-opacity="0.06" '
        'stroke="currentColor" stroke-opacity="0.45"/>'
        f'<text x="{left + 8}" y="{top + 15}" fill="currentColor">{_text(name)}</text>'
        f'<text x="{left + width - 8}" y="{top + 15}" fill="currentColor" text-anchor="end">{_text(right)}</text>'
    )


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def _text(text: str) -> str:
    """Return text as XML can hold it: no control characters but the end of a line."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))
