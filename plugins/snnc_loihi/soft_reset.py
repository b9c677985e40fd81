"""What soft-reset neurons on the chip need beside their connections: biases, and axons of one kind.

Their current integrates, and the bias register does not go into it. So biases are spikes of a clock: step by step a
wave goes through relay neurons on a core of their own, one for each layer that a spike passes. A layer reads its biases
from the relay of its depth, so that they begin in the step in which its input does: what it would integrate before
would stay in it for ever.
"""

from __future__ import annotations

from typing import Any

import nengo
import networkx
import numpy as np

from snnc.api import LoweringError
from snnc_loihi.models import STEP
from snnc_loihi.neuron_types import ChipSoftResetIF, Relay


def choose_axons(network: Any) -> None:
    """Give soft-reset ensembles that feed convolutions population axons: boards refuse mixtures."""
    convolutions = (nengo.Convolution, nengo.transforms.ConvolutionTranspose)
    for connection in network.all_connections:
        if isinstance(connection.transform, convolutions) and isinstance(connection.pre_obj, nengo.ensemble.Neurons):
            ensemble = connection.pre_obj.ensemble
            kind = ensemble.neuron_type
            if isinstance(kind, ChipSoftResetIF):
                ensemble.neuron_type = ChipSoftResetIF(kind.model, kind.amplitude, by_population=True)


def add_clock(network: Any) -> None:
    """Let the biases of soft-reset ensembles come from a clock, in place of their bias register.

    Args:
        network: connected from neurons to neurons, with nengo-loihi's config; a clock is added where one is needed.
    """
    depth = _depths(network)
    soft = [e for e in network.all_ensembles if isinstance(e.neuron_type, ChipSoftResetIF)]
    biased = {e: np.asarray(e.bias) for e in soft if np.any(e.bias)}
    if not biased:
        return
    deepest = max(depth[ensemble] for ensemble in biased)
    first = np.zeros(deepest)
    first[0] = 1 / STEP
    label = "clock"
    while any(ensemble.label == label for ensemble in network.all_ensembles):
        label += "_"
    with network:
        clock = nengo.Ensemble(deepest, 1, neuron_type=Relay(), gain=np.ones(deepest), bias=first, label=label)
        network.config[clock].on_chip = True
        if deepest > 1:
            nengo.Connection(clock.neurons, clock.neurons, transform=np.eye(deepest, k=-1), synapse=None)
        for ensemble, bias in biased.items():
            relay = clock.neurons[depth[ensemble] - 1 : depth[ensemble]]
            nengo.Connection(relay, ensemble.neurons, transform=bias[:, None] * STEP, synapse=None)
            ensemble.bias = np.zeros_like(bias)


def _depths(network: Any) -> dict[Any, int]:
    """Return for each ensemble on the chip in which step its first input comes at the latest, from 1."""
    on_chip = {e for e in network.all_ensembles if network.config[e].on_chip is not False}
    graph = networkx.DiGraph()
    graph.add_nodes_from(on_chip)
    ends = ((_object(c.pre_obj), _object(c.post_obj)) for c in network.all_connections)
    graph.add_edges_from((source, target) for source, target in ends if source is not target)
    if not networkx.is_directed_acyclic_graph(graph):
        raise LoweringError("layers of the chip feed one another in a loop, where loihi-soft-if has no first step")
    depth: dict[Any, int] = {}
    for item in networkx.topological_sort(graph):
        # a step to each ensemble of the chip, and one from the chip back to the host
        hops = (depth[source] + (item in on_chip or source in on_chip) for source in graph.predecessors(item))
        depth[item] = max(hops, default=int(item in on_chip))
    return {ensemble: depth[ensemble] for ensemble in on_chip}


def _object(end: Any) -> Any:
    return end.ensemble if isinstance(end, nengo.ensemble.Neurons) else end
