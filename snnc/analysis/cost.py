"""The cost of a run: operations as NeuroBench counts them (Yik et al. 2025), and energy.

Energies are published figures for one operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.analysis.carried import carrying_spikes
from snnc.analysis.census import census, inside_populations
from snnc.analysis.fan_out import fan_out
from snnc.engine.presentation import presentation
from snnc.engine.recording import Recording
from snnc.engine.schedule import schedule
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons, Synapse

PICO = 1e-12
MAC_45NM, AC_45NM = 4.6 * PICO, 0.9 * PICO
"""Joules of a 32-bit floating-point multiply-add, and of an addition, in 45 nm (Horowitz 2014)."""
SYNOP_LOIHI, UPDATE_LOIHI = 23.6 * PICO, 81 * PICO
"""Joules of a synaptic operation, and of a neuron update, on Loihi (Davies et al. 2018)."""


@dataclass(frozen=True)
class Cost:
    """Per input. Memory traffic is not counted, so energies compare designs; they predict no device."""

    synops: float
    """Spikes times the non-zero weights that each meets, whatever a filter makes of them."""
    synops_by_layer: dict[str, float]
    dense: int
    """NeuroBench's dense operations: all multiply-adds of all steps."""
    effective_acs: float
    """NeuroBench's effective additions: inputs of weights that are unfiltered spikes."""
    effective_macs: float
    """NeuroBench's effective multiply-adds: inputs that are values, the model's own among them, in every step."""
    neuron_updates: int
    inner_operations: int
    """Numbers that ops inside populations, such as a softmax, compute in all steps: what a step costs beside synapses
    and neurons (docs/spiking-forms.md)."""
    energy_model: float
    """Joules of the model itself: a multiply-add for each weight used, 45 nm."""
    energy_model_sparse: float
    """The same without the multiply-adds of zeros: what hardware needs that skips them, on these samples."""
    energy_45nm: float
    """Joules of the spiking network: additions for spikes, multiply-adds for values; what does not change over time
    counts once. The host's values and those behind weights are values, too."""
    energy_loihi: float
    """Joules of synaptic operations and neuron updates on Loihi, whose host side is not counted."""


@dataclass
class Activity:
    """Spikes of populations and values of inputs, summed over samples, which may come part by part."""

    samples: int = 0
    totals: dict[str, AnyArray] = field(default_factory=dict)
    """By population, ``(*shape)``: the sum of the values of all steps and samples."""
    messages: dict[str, AnyArray] = field(default_factory=dict)
    """By population, ``(*shape)``: the number of steps in which there was anything, of all samples."""
    active: dict[str, AnyArray] = field(default_factory=dict)
    """By node, ``(*shape)``: the number of samples in which a value was other than zero; of a sequence, a slice counts
    as its share of one."""

    def add(self, graph: Graph, inputs: Mapping[str, Array], recording: Recording) -> None:
        """Take in samples and their recorded run with every population watched."""
        self.add_values(graph, inputs)
        for name, total in recording.totals.items():
            _add(self.totals, name, total.sum(axis=0, dtype=np.float64))
            _add(self.messages, name, recording.messages[name].sum(axis=0, dtype=np.float64))
            _add(self.active, name, np.count_nonzero(total, axis=0))

    def add_values(self, graph: Graph, values: Mapping[str, Array]) -> None:
        """Take in samples of which only values are known, by the name of what gave them."""
        count = len(next(iter(values.values())))
        self.samples += count
        for name, x in presentation(graph).as_samples(values).items():
            _add(self.active, name, count * np.mean(x != 0, axis=0))

    def shares(self) -> dict[str, AnyArray]:
        """Return in what share of the samples each value was other than zero, by the name of what gave it."""
        return {name: active / self.samples for name, active in self.active.items()}

    def spikes(self, name: str, op: Neurons, dt: float) -> AnyArray:
        """Return the spikes of each neuron of a spiking population, ``(*shape)``: the mean over samples.

        A graded spike is one, whatever its size; a message that may hold several counts as if it did.
        """
        if op.model.graded:
            return self.messages[name] * (op.model.spikes_a_message / self.samples)
        return self.sizes(name, op, dt)

    def messages_of(self, name: str) -> float:
        """Return the messages of a population: the mean over samples."""
        return float(self.messages[name].sum()) / self.samples

    def sizes(self, name: str, op: Neurons, dt: float) -> AnyArray:
        """Return the sizes of each neuron's spikes together, ``(*shape)``, 1 being that of plain ones."""
        return self.totals[name] / self.samples / (np.asarray(op.scale, dtype=np.float64) / dt)


def value_operations(graph: Graph, share: Mapping[str, AnyArray]) -> dict[str, float]:
    """Return the multiply-adds of one forward pass, by the node whose values they read.

    Values are inputs, what weights give, and what nonlinear ops give that are no spiking neurons. The weights that such
    an op has itself, as a recurrent layer, count as its own.

    Args:
        graph: of ops and populations.
        share: in what share of the samples each value of a node, ``(*shape)``, was other than zero; a node that is
            not there is taken never to be zero.
    """
    meets = fan_out(graph)
    found = {}
    for name in giving_values(graph):
        op, inputs = graph[name].op, [graph[source].type for source in graph.sources(name)]
        own = 0 if op.is_linear or op.is_bilinear else op.multiply_adds(*inputs)
        found[name] = own + float((share.get(name, np.ones(1)) * meets[name]).sum())
    return found


def energy_of_values(graph: Graph, reads: Mapping[str, float], steps: int) -> float:
    """Return the joules of multiply-adds by the node whose values they read: each when that is computed."""
    static = set(schedule(graph, graph.output_nodes.values()).static)
    shown = presentation(graph).repeats(steps)
    times = {name: shown if name in graph.inputs else 1 if name in static else steps for name in reads}
    return MAC_45NM * sum(count * times[name] for name, count in reads.items())


def giving_values(graph: Graph) -> list[str]:
    """Return the nodes whose values meet weights as they are: inputs, weights, and what is nonlinear and no spike."""
    spikes = carrying_spikes(graph)

    def gives(node: Node) -> bool:
        weighs = node.op.multiply_adds(*(graph[source].type for source in graph.sources(node.name)))
        return node.op.arity == 0 or bool(weighs) or (not node.op.is_linear and node.name not in spikes)

    return [node.name for node in graph if gives(node)]


def cost(
    graph: Graph, activity: Activity, steps: int, dt: float, model: Graph, model_share: Mapping[str, AnyArray]
) -> Cost:
    """Return the cost of so many steps of ``dt`` seconds in which this happened.

    Args:
        graph: that ran.
        activity: of its populations and inputs.
        steps: how many steps a sample was shown.
        dt: seconds.
        model: the graph as imported, its activations being nodes of their own.
        model_share: of its values other than zero, as for ``value_operations``.
    """
    meets, shown = fan_out(graph), presentation(graph).repeats(steps)
    known = activity.shares()
    reads = value_operations(graph, known)
    synops: dict[str, float] = {}
    additions, filtered, updates = 0.0, 0.0, 0
    for node in graph:
        op = node.op
        if not isinstance(op, Neurons):
            continue
        updates += node.type.size * steps
        if not op.model.spiking:
            continue
        synops[node.name] = float((activity.spikes(node.name, op, dt) * meets[node.name]).sum())
        if any(isinstance(graph[reader].op, Synapse) for reader, _ in graph.readers(node.name)):
            # what a filter gives is a value in every step once its neuron has fired
            filtered += float((known[node.name] * meets[node.name]).sum())
        else:
            additions += synops[node.name]
    return Cost(
        synops=sum(synops.values()),
        synops_by_layer=synops,
        dense=census(graph).multiply_adds * steps,
        effective_acs=additions,
        effective_macs=(sum(reads.values()) + filtered) * steps,
        neuron_updates=updates,
        inner_operations=steps
        * sum(graph[name].type.size for name in inside_populations(graph) if not graph[name].op.is_linear),
        energy_model=census(model).multiply_adds * shown * MAC_45NM,
        energy_model_sparse=sum(value_operations(model, model_share).values()) * shown * MAC_45NM,
        energy_45nm=energy_of_values(graph, reads, steps) + filtered * steps * MAC_45NM + additions * AC_45NM,
        energy_loihi=sum(synops.values()) * SYNOP_LOIHI + updates * UPDATE_LOIHI,
    )


def _add(sums: dict[str, AnyArray], name: str, values: AnyArray) -> None:
    sums[name] = sums[name] + values if name in sums else values
