"""The cost of a run: operations as NeuroBench counts them (Yik et al. 2025), and energy.

Energies are published figures for one operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.analysis.census import census
from snnc.analysis.fan_out import fan_out
from snnc.engine.presentation import presentation
from snnc.engine.recording import Recording
from snnc.ir.graph import Graph
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
    energy_model: float
    """Joules of the model itself: a multiply-add for each weight used, 45 nm."""
    energy_45nm: float
    """Joules of the spiking network: additions for spikes, multiply-adds for values; a constant input counts once."""
    energy_loihi: float
    """Joules of synaptic operations and neuron updates on Loihi, whose host side is not counted."""


@dataclass
class Activity:
    """Spikes of populations and values of inputs, summed over samples, which may come part by part."""

    samples: int = 0
    totals: dict[str, AnyArray] = field(default_factory=dict)
    """By population, ``(*shape)``: the sum of the values of all steps and samples."""
    active: dict[str, AnyArray] = field(default_factory=dict)
    """By population and input, ``(*shape)``: the number of samples in which a value was other than zero; of an input
    that is a sequence, a slice counts as its share of one."""

    def add(self, graph: Graph, inputs: Mapping[str, Array], recording: Recording) -> None:
        """Take in samples and their recorded run with every population watched."""
        count = len(next(iter(inputs.values())))
        self.samples += count
        for name, x in presentation(graph).as_samples(inputs).items():
            _add(self.active, name, count * np.mean(x != 0, axis=0))
        for name, total in recording.totals.items():
            _add(self.totals, name, total.sum(axis=0, dtype=np.float64))
            _add(self.active, name, np.count_nonzero(total, axis=0))

    def share(self, name: str) -> AnyArray:
        """Return in what share of the samples each value of a population or an input was other than zero."""
        return self.active[name] / self.samples

    def spikes(self, name: str, op: Neurons, dt: float) -> AnyArray:
        """Return the spikes of each neuron of a spiking population, ``(*shape)``: the mean over samples."""
        return self.totals[name] / self.samples / (np.asarray(op.scale, dtype=np.float64) / dt)


def cost(graph: Graph, activity: Activity, steps: int, dt: float) -> Cost:
    """Return the cost of so many steps of ``dt`` seconds in which this happened."""
    meets = fan_out(graph)
    synops: dict[str, float] = {}
    additions = products = 0.0
    updates = 0
    for node in graph:
        op = node.op
        if not isinstance(op, Neurons):
            continue
        updates += node.type.size * steps
        if not op.model.spiking:
            products += float((activity.share(node.name) * meets[node.name]).sum()) * steps
            continue
        synops[node.name] = float((activity.spikes(node.name, op, dt) * meets[node.name]).sum())
        if any(isinstance(graph[reader].op, Synapse) for reader, _ in graph.readers(node.name)):
            # what a filter gives is a value in every step once its neuron has fired
            products += float((activity.share(node.name) * meets[node.name]).sum()) * steps
        else:
            additions += synops[node.name]
    first = float(sum((activity.share(name) * meets[name]).sum() for name in graph.inputs))
    shown = presentation(graph).repeats(steps)
    made = census(graph).multiply_adds
    return Cost(
        synops=sum(synops.values()),
        synops_by_layer=synops,
        dense=made * steps,
        effective_acs=additions,
        effective_macs=products + first * steps,
        neuron_updates=updates,
        energy_model=made * MAC_45NM,
        energy_45nm=(products + first * shown) * MAC_45NM + additions * AC_45NM,
        energy_loihi=sum(synops.values()) * SYNOP_LOIHI + updates * UPDATE_LOIHI,
    )


def _add(sums: dict[str, AnyArray], name: str, values: AnyArray) -> None:
    sums[name] = sums[name] + values if name in sums else values
