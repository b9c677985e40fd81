"""Let spikes alone meet weights, where neurons can stand for values as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from snnc import ops
from snnc.analysis.fan_out import carrying_spikes
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons, SigmaDelta
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class SpikeBetweenWeights(Pass):
    """Put sigma-delta neurons that give what they are given in front of weights that would read values.

    Such are the weights of a linear layer behind another, as in the bottlenecks of MobileNets, and those behind an op
    that is no neuron, such as a product of two signals: every step would cost as many products as the model. All
    readers of the values read the spikes then. What does not depend on spikes is computed once and stays.

    Before::

        %project = conv(%relu) {...} : spikes[7,7,16]
        %expand = conv(%project) {...} : spikes[7,7,96]

    After::

        %project = conv(%relu) {...} : spikes[7,7,16]
        %project.spikes = neurons(%project) {model=sigma-delta{of=linear ...} scale=1} : spikes[7,7,16]
        %expand = conv(%project.spikes) {...} : spikes[7,7,96]
    """

    name: ClassVar[str] = "spike-between-weights"
    stage: ClassVar[Stage] = Stage.SPIKE
    after: ClassVar[tuple[str, ...]] = ("swap-activations", "defer-final-activation", "spiking-max-pool")
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        models = [node.op.model for node in graph.nodes(Neurons) if isinstance(node.op.model, SigmaDelta)]
        if not models:
            return
        relay = Neurons(model=replace(models[0], of=ops.Linear()))
        driven, spikes = _driven(graph), carrying_spikes(graph)
        for node in graph:
            if _weighs(graph, node):
                for source in graph.sources(node.name):
                    if source in driven and source not in spikes:
                        _relay(graph, source, relay)
                        spikes = carrying_spikes(graph)


def _weighs(graph: Graph, node: Node) -> bool:
    return bool(node.op.multiply_adds(*(graph[source].type for source in graph.sources(node.name))))


def _driven(graph: Graph) -> set[str]:
    """Return the nodes that depend on neurons; all others are computed once."""
    found: set[str] = set()
    for node in graph:
        if isinstance(node.op, Neurons) or not found.isdisjoint(graph.sources(node.name)):
            found.add(node.name)
    return found


def _relay(graph: Graph, source: str, relay: Neurons) -> None:
    """Put a population behind what gives the values of a node; outputs stay values."""
    first, outputs = _before_moves(graph, source), dict(graph.output_nodes)
    graph.insert_after(first, graph.fresh_name(f"{first}.spikes"), relay)
    graph.set_outputs(outputs)


def _before_moves(graph: Graph, name: str) -> str:
    """Return the node whose values a node gives, moved or with zeros between them."""
    while isinstance(graph[name].op, (ops.Reshape, ops.Permute, ops.ZeroPad)) and graph[name].op.is_linear:
        (name,) = graph.sources(name)
    return name
