"""Let ops that are no neurons read the mean of the steps so far, where neurons that count follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from snnc import ops
from snnc.engine.presentation import is_temporal
from snnc.engine.read_out import MeanReadOut
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons, SignedIf
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class CarryMeans(Pass):
    """Compute nonlinear ops of the means so far, in a graph of signed-if neurons.

    Spikes of single steps say little, and the mean of a function is not the function of the mean. So in front of an op
    that is neither linear nor a neuron stands the mean of the steps so far, which is exact in the end; behind it, in
    front of neurons and of sums with spikes, what has this mean. The answer is the mean over all steps: one over the
    last of them would lack what corrects the first.

    Before::

        %x = input() {shape=(4,5)} : rate[4,5]
        %q = neurons(%x) {model=signed-if{of=linear} scale=0.01} : spikes[4,5]
        %k = neurons(%x) {model=signed-if{of=linear} scale=0.01} : spikes[4,5]
        %scores = einsum(%q, %k) {equation=ab,cb->ac} : rate[4,4]
        %softmax = softmax(%scores) : rate[4,4]
        %weights = neurons(%softmax) {model=signed-if{of=linear} scale=0.01} : spikes[4,4]

    After::

        %q = neurons(%x) {model=signed-if{of=linear} scale=0.01} : spikes[4,5]
        %k = neurons(%x) {model=signed-if{of=linear} scale=0.01} : spikes[4,5]
        %q.mean = running(%q) {function=mean} : rate[4,5]
        %k.mean = running(%k) {function=mean} : rate[4,5]
        %scores = einsum(%q.mean, %k.mean) {equation=ab,cb->ac} : rate[4,4]
        %softmax = softmax(%scores) : rate[4,4]
        %softmax.increment = increment(%softmax) : rate[4,4]
        %weights = neurons(%softmax.increment) {model=signed-if{of=linear} scale=0.01} : spikes[4,4]
    """

    name: ClassVar[str] = "carry-means"
    stage: ClassVar[Stage] = Stage.TARGET
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if any(isinstance(node.op.model, SignedIf) for node in graph.nodes(Neurons)) and not is_temporal(graph):
            if carry_means(graph):
                context.choices["read_out"] = MeanReadOut(start=0.0)


def carry_means(graph: Graph) -> bool:
    """Put a graph into the form of the pass; return whether anything had to change."""
    form = _Form(graph)
    for node in list(graph):
        form.convert(node)
    graph.set_outputs({output: form.increment(node) for output, node in graph.output_nodes.items()})
    return bool(form.mean_nodes)


@dataclass
class _Form:
    """A graph on its way into the form: what depends on neurons carries rates, or means of them."""

    graph: Graph
    rates: set[str] = field(default_factory=set)
    means: set[str] = field(default_factory=set)
    mean_nodes: dict[str, str] = field(default_factory=dict)
    """The node that gives the mean so far of a node."""
    increments: dict[str, str] = field(default_factory=dict)

    def convert(self, node: Node) -> None:
        """Convert a node, whose sources are converted."""
        sources, op = self.graph.sources(node.name), node.op
        if isinstance(op, (Neurons, ReadOutActivation)):
            self._read(node, [self.increment(source) for source in sources])
            if isinstance(op, Neurons) or not self.rates.isdisjoint(sources):
                self.rates.add(node.name)
        elif self.rates.isdisjoint(sources) and self.means.isdisjoint(sources):
            pass  # what does not depend on neurons is its own mean
        elif op.is_linear and self.means.isdisjoint(sources):
            self.rates.add(node.name)
        elif op.is_linear and not self.rates.isdisjoint(sources):
            self._read(node, [self.increment(source) for source in sources])
            self.rates.add(node.name)
        else:
            self._read(node, [self.mean(source) for source in sources])
            self.means.add(node.name)

    def mean(self, source: str) -> str:
        """Return the node that gives the mean so far of a node."""
        return self._beside(source, self.rates, self.mean_nodes, "mean", ops.Running())

    def increment(self, source: str) -> str:
        """Return the node whose mean so far is what a node gives."""
        return self._beside(source, self.means, self.increments, "increment", ops.Increment())

    def _beside(
        self, source: str, concerned: set[str], known: dict[str, str], ending: str, op: ops.Running | ops.Increment
    ) -> str:
        if source not in concerned:
            return source
        if source not in known:
            name = self.graph.fresh_name(f"{source}.{ending}")
            self.graph.add(name, op, [source], layers=self.graph[source].origin.layers)
            known[source] = name
        return known[source]

    def _read(self, node: Node, sources: Sequence[str]) -> None:
        if tuple(sources) != self.graph.sources(node.name):
            self.graph.rebuild(node.name, node.op, sources)
