"""What a run costs: operations as NeuroBench counts them, and energy by published figures for one operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.backend import Recording
from snnc.ir.census import census
from snnc.ir.fanout import fan_out
from snnc.ir.graph import Graph
from snnc.ir.neurons import Neurons, Synapse
from snnc.ir.sequence import as_samples, is_temporal
from snnc.ir.types import Array

PICO = 1e-12
MAC_45NM, AC_45NM = 4.6 * PICO, 0.9 * PICO
"""Joules of a 32-bit floating-point multiply-add, and of an addition, in 45 nm (Horowitz, ISSCC 2014)."""
SYNOP_LOIHI, UPDATE_LOIHI = 23.6 * PICO, 81 * PICO
"""Joules of a synaptic operation, and of a neuron update, on Loihi (Davies et al., IEEE Micro 2018)."""


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


def cost(graph: Graph, inputs: Mapping[str, Array], recording: Recording, steps: int, dt: float) -> Cost:
    """Return the cost of a recorded run with every population watched; ``dt`` in seconds."""
    meets = fan_out(graph)
    synops: dict[str, float] = {}
    additions = products = 0.0
    updates = 0
    for node in graph:
        op = node.op
        if not isinstance(op, Neurons):
            continue
        updates += node.type.size * steps
        total = recording.totals[node.name]
        if not op.model.spiking:
            products += float((np.mean(total != 0, axis=0) * meets[node.name]).sum()) * steps
            continue
        count = (total / (np.asarray(op.scale, dtype=np.float64) / dt)).mean(axis=0)
        synops[node.name] = float((count * meets[node.name]).sum())
        if any(isinstance(graph[reader].op, Synapse) for reader, _ in graph.readers(node.name)):
            # what a filter gives is a value in every step once its neuron has fired
            products += float((np.mean(total != 0, axis=0) * meets[node.name]).sum()) * steps
        else:
            additions += synops[node.name]
    first = float(sum((np.mean(x != 0, axis=0) * meets[name]).sum() for name, x in as_samples(graph, inputs).items()))
    shown = steps if is_temporal(graph) else 1
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
