"""Which nodes of a graph are on the chip, and through what they are connected."""

from __future__ import annotations

from collections.abc import Iterator

from snnc.api import Causal, Graph, Neurons, Node, Synapse
from snnc_loihi.models import ON_CHIP, LoihiEncoder


def on_chip(node: Node) -> bool:
    """Return whether a node is a population of the chip."""
    return isinstance(node.op, Neurons) and isinstance(node.op.model, ON_CHIP)


def is_encoder(node: Node) -> bool:
    """Return whether a node is a population on the host that sends the chip spikes."""
    return isinstance(node.op, Neurons) and isinstance(node.op.model, LoihiEncoder)


def sends_spikes(node: Node) -> bool:
    """Return whether a node is a population of the chip, or one on the host that sends it spikes."""
    return on_chip(node) or is_encoder(node)


def is_link(node: Node) -> bool:
    """Return whether a node is part of connections: it is linear, and remembers nothing but what a filter does."""
    return isinstance(node.op, Synapse) or (node.op.is_linear and not isinstance(node.op, Causal))


def populations(graph: Graph) -> list[Node[Neurons]]:
    """Return the populations of the chip, in topological order."""
    return [node for node in graph.nodes(Neurons) if on_chip(node)]


def leads_to_chip(graph: Graph, name: str) -> bool:
    """Return whether a node is a population of the chip, or such a one reads it through links."""
    node = graph[name]
    return on_chip(node) or (is_link(node) and any(leads_to_chip(graph, reader) for reader, _ in graph.readers(name)))


def linear_sources(graph: Graph, name: str) -> Iterator[Node]:
    """Yield each node that gives what a node reads through links, once, the nearest way first."""
    seen: set[str] = set()
    todo = list(graph.sources(name))
    while todo:
        source = todo.pop(0)
        if source in seen:
            continue
        seen.add(source)
        node = graph[source]
        if is_link(node):
            todo += graph.sources(source)
        else:
            yield node


def synapse_of(graph: Graph, name: str) -> str:
    """Return the filter behind a population, where that alone reads it, or the population."""
    reader = graph.sole_reader(name)
    return reader if reader is not None and isinstance(graph[reader].op, Synapse) else name
