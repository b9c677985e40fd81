"""Let spikes alone meet weights and each other, where neurons can stand for values as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from snnc import ops
from snnc.analysis.carried import Carried, carried, weighs
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons, Wrapping
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.swap_activations import DEFAULT, AnyNeurons, ChosenModels

MOVES = (ops.Reshape, ops.Permute, ops.ZeroPad)


@dataclass(frozen=True)
class SpikeBetweenWeights(Pass):
    """Put neurons that give what they are given wherever values would be sent: sigma-delta ones, or signed-if.

    That is in front of weights and of products of two signals that would read what other weights or a nonlinear op
    give, as in the bottlenecks of MobileNets, behind a softmax or a layer normalisation; behind a nonlinear op with
    more than one reader; and in a stream of residual sums, behind each sum that is handed on to the next. All readers
    read the spikes then. What is computed from what has arrived at one population alone, such as a softmax, is part
    of that population (docs/spiking-forms.md).

    Before::

        %x = input() {shape=(7,7,32)} : rate[7,7,32]
        %relu = neurons(%x) {model=sigma-delta} : spikes[7,7,32]
        %project = conv(%relu) {kernel=f32[1,1,32,16] ...} : spikes[7,7,16]
        %expand = conv(%project) {kernel=f32[1,1,16,96] ...} : spikes[7,7,96]

    After ``spike-between-weights{neurons=sigma-delta}``::

        %relu = neurons(%x) {model=sigma-delta{...}} : spikes[7,7,32]
        %project = conv(%relu) {kernel=f32[1,1,32,16] ...} : spikes[7,7,16]
        %project.spikes = neurons(%project) {model=sigma-delta{of=linear}} : spikes[7,7,16]
        %expand = conv(%project.spikes) {kernel=f32[1,1,16,96] ...} : spikes[7,7,96]
    """

    name: ClassVar[str] = "spike-between-weights"
    stage: ClassVar[Stage] = Stage.SPIKE
    arguments: ClassVar[tuple[str, ...]] = ("neurons",)
    after: ClassVar[tuple[str, ...]] = ("swap-activations", "defer-final-activation", "spiking-max-pool")
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True
    neurons: AnyNeurons = DEFAULT

    def apply(self, graph: Graph, context: Context) -> None:
        models = [node.op.model for node in graph.nodes(Neurons)]
        if not models and (chosen := ChosenModels(self.neurons, context).default) is not None:
            models = [chosen]  # of a network without activations, such as one of attention alone
        wrapping = [model for model in models if isinstance(model, Wrapping)]
        if not wrapping:
            return
        relay = Neurons(model=replace(wrapping[0], of=ops.Linear()))
        carries = carried(graph)
        for node in graph:
            for source in dict.fromkeys(graph.sources(node.name)):
                if sends_values(graph, node, source, carries):
                    _relay(graph, source, relay, carries)
                    carries = carried(graph)


def sends_values(graph: Graph, node: Node, source: str, carries: dict[str, Carried]) -> bool:
    """Return whether a node reads values, or sums, that only spikes should bring to it."""
    what = carries[source]
    if what in (Carried.INPUT, Carried.SPIKES):
        return False
    if weighs(graph, node):
        return True
    shared = len(graph.readers(source)) > 1
    if what is Carried.VALUES:
        return shared
    return shared and isinstance(node.op, (ops.Add, ops.Concatenate))


def _relay(graph: Graph, source: str, relay: Neurons, carries: dict[str, Carried]) -> None:
    """Put a population behind what gives the values of a node; outputs stay values."""
    node = graph[source]
    if isinstance(node.op, MOVES) and node.op.is_linear and not graph.is_output(source):
        _relay(graph, graph.sources(source)[0], relay, carries)
    elif isinstance(node.op, ops.Concatenate):
        for part in dict.fromkeys(graph.sources(source)):
            if carries[part] is not Carried.SPIKES:
                _relay(graph, part, relay, carries)
    else:
        outputs = dict(graph.output_nodes)
        graph.insert_after(source, graph.fresh_name(f"{source}.spikes"), relay)
        graph.set_outputs(outputs)
