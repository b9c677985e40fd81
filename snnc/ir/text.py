"""The printed form of a graph: one line a node, for people, tests and ``snnc show``."""

from __future__ import annotations

from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import show


def text(graph: Graph) -> str:
    """Return the whole graph, one line a node in topological order."""
    lines = [f"graph {graph.name!r} -> {', '.join(_output(o, n) for o, n in graph.output_nodes.items())}"]
    return "\n".join(lines + [f"  {line(graph, node)}" for node in graph])


def line(graph: Graph, node: Node, *, origin: bool = True) -> str:
    """Return one node: name, op, inputs, fields, type and, if it is wanted, origin."""
    fields = " ".join(f"{key}={show(value)}" for key, value in node.op.attrs().items() if value is not None)
    reads = ", ".join(f"%{source}" for source in graph.sources(node.name))
    shown = f"%{node.name} = {node.op.kind}({reads})" + (f" {{{fields}}}" if fields else "") + f" : {node.type}"
    came_from = str(node.origin) if origin else ""
    return f"{shown}  ; {came_from}" if came_from else shown


def _output(output: str, node: str) -> str:
    return f"%{node}" if output == node else f"{output}=%{node}"
