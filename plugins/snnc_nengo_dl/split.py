"""Cut a graph in two: nodes that are constant while a sample is shown, and nodes that change from step to step."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.api import Graph, ops, schedule


@dataclass(frozen=True)
class Split:
    """Two graphs; the inputs of the second are the outputs of the first."""

    still: Graph
    moving: Graph


def split(graph: Graph) -> Split:
    """Return what can be computed once a sample, and the rest.

    Where nothing changes at all, or the inputs do, they are the first part and everything else is the second.
    """
    moving = set(schedule(graph, [node.name for node in graph]).dynamic)
    if not moving:
        moving = {node.name for node in graph if node.op.arity != 0}
    read = {source for name in moving for source in graph.sources(name)}
    shown = {name for name in graph.output_nodes.values() if name not in moving}
    border = {node.name for node in graph if node.name in (read | shown) - moving}
    needed = graph.ancestors(border)
    still, rest = Graph(graph.name), Graph(graph.name)
    for node in graph:
        if node.name in needed:
            still.add(node.name, node.op, graph.sources(node.name))
        if node.name in border:
            rest.add(node.name, node.op if node.op.arity == 0 else ops.Input(shape=node.type.shape))
        elif node.name in moving:
            rest.add(node.name, node.op, graph.sources(node.name))
    still.set_outputs({node.name: node.name for node in graph if node.name in border})
    rest.set_outputs(dict(graph.output_nodes))
    return Split(still, rest)
