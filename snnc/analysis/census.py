"""Statistics of a graph: how much of it spikes, in which forms, and which ops stay on the host."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from snnc import ops
from snnc.analysis.carried import Carried, carried, weighs, wraps_ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons
from snnc.ops.activations import Linear
from snnc.ops.read_out_activation import ReadOutActivation


@dataclass(frozen=True)
class Census:
    """Statistics of a graph: neurons, their forms, ops on the host, and what drives its multiply-adds."""

    neurons: int
    """All neurons, of all populations."""
    spiking_neurons: int
    populations: tuple[str, ...]
    host: tuple[str, ...]
    """Nonlinear ops that are no neurons and in no population, so that a host computes them every step: ``name
    (kind)``."""
    rate: tuple[str, ...]
    """Populations that give values, not spikes: ``name (model)``."""
    multiply_adds: int
    """Of one forward pass: products with weights, and of signals with each other."""
    spiking_multiply_adds: int
    """Those whose factors come from spiking neurons as spikes, with no other weights or nonlinear op in between."""
    input_multiply_adds: int = 0
    """Those of the first layers, which read the inputs themselves."""
    valued: tuple[str, ...] = ()
    """The ops whose multiply-adds are driven by neither, but by values or sums: ``name (kind)``."""
    forms: dict[str, str] = field(default_factory=dict)
    """By spiking population, what it computes of what has arrived, such as ``relu``, ``softmax``, ``max-pool, relu``;
    ``identity`` where it sends what arrives (docs/spiking-forms.md)."""

    @property
    def spiking_share(self) -> float:
        """Return the share of the multiply-adds that spikes drive (never the first layer: its input is analog)."""
        return self.spiking_multiply_adds / self.multiply_adds if self.multiply_adds else 0.0

    @property
    def input_share(self) -> float:
        """Return the share of the multiply-adds that inputs drive."""
        return self.input_multiply_adds / self.multiply_adds if self.multiply_adds else 0.0

    @property
    def kinds(self) -> dict[str, int]:
        """Return how many populations have each form, the most frequent first."""
        return dict(Counter(self.forms.values()).most_common())


def census(graph: Graph) -> Census:
    """Return the census of a graph."""
    carries, inside = carried(graph), inside_populations(graph)
    populations, host, rate, valued = [], [], [], []
    forms: dict[str, str] = {}
    neurons = firing = total = driven = analog = 0
    for node in graph:
        op, sources = node.op, graph.sources(node.name)
        if isinstance(op, Neurons):
            populations.append(node.name)
            neurons += node.type.size
            if op.model.spiking:
                firing += node.type.size
                forms[node.name] = form(graph, node)
            else:
                rate.append(f"{node.name} ({op.model.kind})")
            continue
        read = {carries[source] for source in sources}
        ends = op.is_linear or op.arity == 0 or isinstance(op, ReadOutActivation)
        of_inputs = carries[node.name] in (Carried.INPUT, Carried.SUMS)
        if not (ends or node.name in inside or of_inputs or node.type.signal == "spikes"):
            host.append(f"{node.name} ({op.kind})")
        count = op.multiply_adds(*(graph[s].type for s in sources))
        total += count
        if not count or isinstance(op, ReadOutActivation):
            continue
        by_spikes = read <= {Carried.SPIKES, Carried.INPUT} and (op.is_linear or op.is_bilinear)
        if read == {Carried.INPUT}:
            analog += count
        elif by_spikes and (op.is_bilinear or Carried.INPUT not in read):
            driven += count
        else:
            valued.append(f"{node.name} ({op.kind})")
    return Census(
        neurons=neurons,
        spiking_neurons=firing,
        populations=tuple(populations),
        host=tuple(host),
        rate=tuple(rate),
        multiply_adds=total,
        spiking_multiply_adds=driven,
        input_multiply_adds=analog,
        valued=tuple(valued),
        forms=forms,
    )


def form(graph: Graph, node: Node) -> str:
    """Return what a population computes of what has arrived: the nonlinear ops between its dendrites and its spikes."""
    assert isinstance(node.op, Neurons)
    found: list[str] = []
    waiting, seen = [*graph.sources(node.name)], set()
    while waiting:
        name = waiting.pop(0)
        before = graph[name]
        weighted = before.op.is_linear and weighs(graph, before)
        if name in seen or weighted or isinstance(before.op, (Neurons, ops.Embedding)):
            continue
        seen.add(name)
        if not before.op.is_linear and before.op.arity != 0:
            found.append(before.op.kind)
        waiting.extend(graph.sources(name))
    activation = node.op.model.activation
    own = node.op.model.kind if activation is None else activation.kind
    kinds = [*dict.fromkeys(reversed(found)), *([] if isinstance(activation, Linear) else [own])]
    return ", ".join(kinds) or "identity"


def inside_populations(graph: Graph) -> set[str]:
    """Return the ops that are part of a population: computed of what has arrived, and sent on by spikes alone."""
    found: set[str] = set()
    if not wraps_ops(graph):
        return found
    carries = carried(graph)
    for node in reversed(list(graph)):
        if isinstance(node.op, Neurons) or graph.is_output(node.name) or not graph.readers(node.name):
            continue
        by_spikes = {carries[source] for source in graph.sources(node.name)} <= {Carried.SPIKES, Carried.INPUT}
        weighing = weighs(graph, node) and not (node.op.is_bilinear and by_spikes)
        readers = [reader for reader, _ in graph.readers(node.name)]
        if not weighing and all(r in found or isinstance(graph[r].op, Neurons) for r in readers):
            found.add(node.name)
    return found
