"""Let max pooling follow spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.analysis.carried import wraps_ops
from snnc.engine.presentation import is_temporal
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.passes.base import Context, Pass, Stage

FORGETFUL = 0.9
"""What is left of a sum after a step of a temporal model: a memory of some ten steps."""


@dataclass(frozen=True)
class SpikingMaxPooling(Pass):
    """Swap max pooling behind spiking neurons for pooling that passes the input with the most spikes so far.

    The maximum of every single step would be too large, since spikes of several inputs would pass. In front of the
    first spiking layer, where the input does not change, max pooling is exact and stays. In a temporal model, whose
    inputs change, spikes of long ago count less. It stays in front of neurons that wrap ops, sigma-delta and
    signed-if ones: it is a part of them, and takes the maximum of what has arrived.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=lif} : spikes[6,6,4]
        %pool = max-pool(%conv) {size=(2,2) strides=(2,2)} : spikes[3,3,4]

    After::

        %conv = neurons(%x) {model=lif} : spikes[6,6,4]
        %pool = spiking-max-pool(%conv) {size=(2,2) strides=(2,2)} : spikes[3,3,4]
    """

    name: ClassVar[str] = "spiking-max-pool"
    stage: ClassVar[Stage] = Stage.SPIKE
    after: ClassVar[tuple[str, ...]] = ("swap-activations",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("nengo", "tensorflow")
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if wraps_ops(graph):
            return
        decay = FORGETFUL if is_temporal(graph) else 1.0
        for node in behind_spikes(graph):
            op = node.op
            if isinstance(op, ops.MaxPool):
                pool = SpikingMaxPool(size=op.size, strides=op.strides, padding=op.padding, decay=decay)
                graph.replace(node.name, pool)
            elif isinstance(op, ops.GlobalMaxPool):
                _swap_global(graph, node, decay)

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in () if wraps_ops(graph) else behind_spikes(graph):
            if isinstance(node.op, (ops.MaxPool, ops.GlobalMaxPool)):
                yield f"node {node.name!r} pools spikes step by step"


def _swap_global(graph: Graph, node: Node, decay: float) -> None:
    """Pool the whole space, and take the axes of space out again, unless what follows gives another shape anyway."""
    *space, channels = graph[graph.sources(node.name)[0]].type.shape
    whole = SpikingMaxPool(size=tuple(space), strides=tuple(space), decay=decay)
    reader = graph.sole_reader(node.name)
    if reader is None or not isinstance(graph[reader].op, ops.Reshape):
        graph.split(node.name, graph.fresh_name(f"{node.name}.pool"), whole, ops.Reshape(shape=(channels,)))
    elif graph[reader].type.shape == (*(1 for _ in space), channels):
        graph.fuse((node, graph[reader]), whole)
    else:
        graph.replace(node.name, whole)


def behind_spikes(graph: Graph) -> list[Node]:
    """Return the nodes that spikes reach, through linear ops and pooling, in topological order."""
    spiking: set[str] = set()
    found = []
    for node in graph:
        fed = not spiking.isdisjoint(graph.sources(node.name))
        if fed:
            found.append(node)
        if fed or (isinstance(node.op, Neurons) and node.op.model.spiking):
            spiking.add(node.name)
    return found
