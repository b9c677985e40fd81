"""What a notebook shows of a graph: a drawing, folded up where it is long."""

from __future__ import annotations

from snnc.ir.drawing import drawing
from snnc.ir.graph import Graph
from snnc.notebook import Drawing, shown

OPEN, DRAWN = 20, 300
"""The most nodes of a drawing that is shown unfolded, and of one that is made at all: a box takes 0.7 KB."""


def html(graph: Graph) -> str:
    """Return a graph as HTML: its name, and a drawing of what is not too large for one."""
    title = f"graph {graph.name}: {len(graph)} nodes, {', '.join(graph.inputs)} to {', '.join(graph.outputs)}"
    if not 0 < len(graph) <= DRAWN:
        return shown(title, calls={"print(graph)": "for a line a node"})
    tip = "drawing; point at a box to see where it came from"
    return shown(title, drawing=Drawing(tip, drawing(graph), len(graph) <= OPEN))
