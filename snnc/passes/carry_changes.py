"""Let wires carry changes, as neurons that send changes want them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.engine.read_out import LastReadOut
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op, frozen_array
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons, SigmaDelta
from snnc.passes.base import Context, Pass, Stage

CHANGE = ".change"
"""Behind the names of nodes that give changes of what was before a node of that name."""


@dataclass(frozen=True)
class CarryChanges(Pass):
    """Put a graph of sigma-delta neurons into the form in which everything between them is a change.

    A linear op acts on changes as on values, without its bias. What biases bring is computed once, by letting the
    network run with all neurons silent: it is where neurons and sums begin. In front of the first neurons, where
    values do not come from spikes, stands the difference to the step before; in front of whatever else needs values,
    such as an op that is no neuron, or an output, stands the sum so far, so that the answer is that of the last step.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %relu = neurons(%conv) {model=sigma-delta scale=0.001} : spikes[6,6,4]
        %flat = reshape(%relu) {shape=(-1)} : spikes[144]
        %dense = dense(%flat) {weight=f32[144,10] ...} : spikes[10]

    After::

        %conv = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv.change = difference(%conv) : rate[6,6,4]
        %relu = neurons(%conv.change) {model=sigma-delta{...} scale=0.001} : spikes[6,6,4]
        %flat = reshape(%relu) {shape=(-1)} : spikes[144]
        %dense.change = dense(%flat) {weight=f32[144,10] ...} : spikes[10]
        %dense = accumulate(%dense.change) {initial=f32[10]} : rate[10]
    """

    name: ClassVar[str] = "carry-changes"
    stage: ClassVar[Stage] = Stage.TARGET
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if any(isinstance(node.op.model, SigmaDelta) for node in graph.nodes(Neurons)):
            carry_changes(graph)
            context.choices["read_out"] = LastReadOut(start=0.0)

    def postcondition(self, graph: Graph) -> Iterator[str]:
        sums = any(isinstance(node.op, ops.Accumulate) for node in graph)
        for node in graph.nodes(Neurons):
            if isinstance(node.op.model, SigmaDelta) and not sums:
                yield f"the neurons of {node.name!r} send changes, which nothing adds up"


def carry_changes(graph: Graph) -> None:
    """Put a graph into the form of the pass; raise UsageError where other spiking neurons are in it."""
    other = [n.name for n in graph.nodes(Neurons) if n.op.model.spiking and not isinstance(n.op.model, SigmaDelta)]
    if other:
        raise UsageError(
            f"layer {other[0]!r}: sigma-delta neurons send changes, and these read and send rates; give all layers "
            "sigma-delta neurons, or none"
        )
    form = _Form(graph)
    for node in list(graph):
        form.convert(node)
    form.sum_outputs()


@dataclass
class _Form:
    """A graph on its way into the form."""

    graph: Graph
    silent: dict[str, Array] = field(default_factory=dict)
    """Of nodes that carry changes: their value while all neurons are silent, ``(1, *shape)``."""
    sums: dict[str, str] = field(default_factory=dict)
    """The node that adds up the changes of a node."""
    differences: dict[str, str] = field(default_factory=dict)

    def convert(self, node: Node) -> None:
        """Convert a node, whose sources are converted."""
        sources, op = self.graph.sources(node.name), node.op
        if isinstance(op, Neurons) and isinstance(op.model, SigmaDelta):
            self.read(node, [self.difference(sources[0])])
            self.silent[node.name] = np.zeros((1, *node.type.shape), dtype=np.float32)
            constant = self.silent.get(sources[0])
            if constant is not None and constant.any():
                initial = shortest(constant[0] / np.asarray(op.scale, dtype=np.float32))
                self.graph.replace(node.name, replace(op, model=replace(op.model, initial=initial)))
        elif self.silent.keys().isdisjoint(sources):
            pass  # values, as before
        elif self.passes_changes(op, sources):
            self.read(node, [self.difference(source) for source in sources])
            constant = self.evaluate(op, [self.silent.get(source) for source in sources], sources)
            if constant.any():  # what the node gives is no longer what its name says
                node = self.graph.rename(node.name, self.graph.fresh_name(f"{node.name}{CHANGE}"))
            self.silent[node.name] = constant
            self.without_constant(node, sources)
        else:
            if isinstance(op, ops.SpikingMaxPool):
                pool = ops.MaxPool(size=op.size, strides=op.strides, padding=op.padding)
                self.graph.replace(node.name, pool)
                node = self.graph[node.name]
            self.read(node, [self.sum(source) for source in sources])

    def passes_changes(self, op: Op, sources: Sequence[str]) -> bool:
        """Return whether an op does with changes what it does with values."""
        if isinstance(op, ops.Causal):
            return isinstance(op, ops.DelayLine) and not self.silent[sources[0]].any()
        return op.is_linear and not isinstance(op, Neurons)

    def evaluate(self, op: Op, constants: Sequence[Array | None], sources: Sequence[str]) -> Array:
        """Return what an op gives for constants, ``(1, *shape)``, with zeros for None."""
        shapes = [(1, *self.graph[source].type.shape) for source in sources]
        inputs = [np.zeros(s, dtype=np.float32) if c is None else c for c, s in zip(constants, shapes, strict=True)]
        return np.asarray(op.evaluate(*inputs), dtype=np.float32)

    def without_constant(self, node: Node, sources: Sequence[str]) -> None:
        """Take the bias from an op."""
        op = node.op
        own = self.evaluate(op, [None] * len(sources), sources)
        if not own.any():
            return
        if isinstance(op, (ops.Dense, ops.Conv, ops.ConvTranspose)):
            self.graph.replace(node.name, replace(op, bias=np.zeros_like(op.bias)))
        elif isinstance(op, ops.Affine):
            self.graph.replace(node.name, replace(op, shift=np.zeros_like(op.shift)))
        else:
            back = ops.Affine(scale=frozen_array(1.0), shift=-own[0])
            after = self.graph.insert_after(node.name, self.graph.fresh_name(f"{node.name}.shift"), back)
            self.silent[after.name] = self.silent[node.name]

    def difference(self, source: str) -> str:
        """Return the node that gives the changes of a node."""
        if source in self.silent:
            return source
        if source not in self.differences:
            name = self.graph.fresh_name(f"{source}{CHANGE}")
            self.graph.add(name, ops.Difference(), [source], layers=self.graph[source].origin.layers)
            self.differences[source] = name
        return self.differences[source]

    def sum(self, source: str) -> str:
        """Return the node that gives the values of a node."""
        if source not in self.silent:
            return source
        if source not in self.sums:
            old = source.removesuffix(CHANGE)  # which is free again, where the source was renamed
            name = self.graph.fresh_name(f"{source}.sum" if old in self.graph else old)
            adding = ops.Accumulate(initial=shortest(self.silent[source][0]))
            self.graph.add(name, adding, [source], layers=self.graph[source].origin.layers)
            self.sums[source] = name
        return self.sums[source]

    def read(self, node: Node, sources: Sequence[str]) -> None:
        """Let a node read other sources."""
        if tuple(sources) != self.graph.sources(node.name):
            self.graph.rebuild(node.name, node.op, sources)

    def sum_outputs(self) -> None:
        """Let every output be a value."""
        self.graph.set_outputs({output: self.sum(node) for output, node in self.graph.output_nodes.items()})


def shortest(values: AnyArray) -> float | AnyArray:
    """Return one number, or one a channel, where that says the same as ``(*shape)`` values."""
    first = values.reshape(-1, values.shape[-1])[0] if values.ndim else values
    if (values == first).all():
        return float(first.flat[0]) if (first == first.flat[0]).all() else first
    return values
