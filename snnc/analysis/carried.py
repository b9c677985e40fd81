"""What the wires of a graph carry: spikes, sums of weighted spikes, or values that were computed."""

from __future__ import annotations

from enum import Enum

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons, Wrapping
from snnc.ops.spiking_max_pool import SpikingMaxPool

MAXIMA = (ops.MaxPool, ops.GlobalMaxPool, SpikingMaxPool)


class Carried(Enum):
    """What a node gives to its readers."""

    INPUT = "input"
    """An input of the network, or what is made of inputs alone before any weights."""
    SPIKES = "spikes"
    """Spikes, as they are or moved, pooled by averages, added: one of a known size that readers may weigh."""
    SUMS = "sums"
    """What weights make of spikes or inputs, or a sum with such in it: the current of a dendrite."""
    VALUES = "values"
    """What a nonlinear op makes of spikes or sums: a number that is new in every step."""


def carried(graph: Graph) -> dict[str, Carried]:
    """Return what each node carries, by its name."""
    wrapped = wraps_ops(graph)
    found: dict[str, Carried] = {}
    for node in graph:
        found[node.name] = _carried(graph, node, {found[source] for source in graph.sources(node.name)}, wrapped)
    return found


def carrying_spikes(graph: Graph) -> set[str]:
    """Return the nodes that carry spikes: populations, and what passes their spikes on without weights."""
    return {name for name, what in carried(graph).items() if what is Carried.SPIKES}


def wraps_ops(graph: Graph) -> bool:
    """Return whether nonlinear ops of a graph are parts of populations: they read what has arrived so far."""
    return any(isinstance(node.op.model, Wrapping) for node in graph.nodes(Neurons))


def weighs(graph: Graph, node: Node) -> bool:
    """Return whether a node multiplies what it reads: by weights, by a table of them, or by each other."""
    inputs = [graph[source].type for source in graph.sources(node.name)]
    return isinstance(node.op, ops.Embedding) or bool(node.op.multiply_adds(*inputs))


def _carried(graph: Graph, node: Node, read: set[Carried], wrapped: bool) -> Carried:
    op = node.op
    if not read:
        return Carried.INPUT
    largest = isinstance(op, MAXIMA)
    if node.type.signal == "spikes" and not op.is_linear and not (largest and wrapped):
        return Carried.SPIKES
    if isinstance(op, ops.Embedding) and read == {Carried.INPUT}:
        return Carried.SUMS  # a row of its table is what weights make of an input that is 1 at the index
    weighing = weighs(graph, node) and not (op.is_bilinear and read == {Carried.INPUT})
    if op.is_linear or (largest and not wrapped):
        if weighing:
            return Carried.SUMS
        if len(read) == 1:
            return next(iter(read))
        return Carried.VALUES if Carried.VALUES in read else Carried.SUMS
    return Carried.INPUT if read == {Carried.INPUT} and not weighing else Carried.VALUES
