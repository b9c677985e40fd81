"""The chip's replica beside the engine in numpy, which plays the host: together they run a graph, a batch at a time.

In a step the host computes first: it sees the spikes of the chip's last step, and what it sends arrives in the chip's
next one. So it is in nengo-loihi's emulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc.api import AnyArray, Array, External, Graph, Stepper, ops
from snnc_loihi.lags import lags_of
from snnc_loihi.placement_queries import is_encoder, on_chip
from snnc_loihi.replica import Replica


class ExternalReplica(External):
    """The populations of the chip and the encoders that send it spikes."""

    def __init__(self, graph: Graph, replica: Replica, ensembles: Mapping[str, Any], dt: float) -> None:
        """Hold a replica and where the nodes of a graph are in it.

        Args:
            graph: a graph as lowered.
            replica: of the graph's network.
            ensembles: the ensemble of each population and encoder, by the node's name.
            dt: seconds a step.
        """
        self.graph, self.replica, self.dt = graph, replica, dt
        self.lags = lags_of(graph)
        self.chip = {node.name: ensembles[node.name] for node in graph if on_chip(node)}
        self.encoders = {node.name: ensembles[node.name] for node in graph if is_encoder(node)}
        # what a population of the chip reads, the chip itself computes
        self.reads: dict[str, Sequence[str]] = {
            **{name: () for name in self.chip},
            **{name: (self._read(name),) for name in self.encoders},
        }

    def start(self, batch: int) -> ReplicaStepper:
        """Return the chip and the encoders in their fresh state, for so many samples."""
        return ReplicaStepper(self, batch)

    def current(self, encoder: str, values: Mapping[str, Array]) -> AnyArray:
        """Return the current of an encoder in float64, as Nengo computes it: a spike more or less depends on it."""
        x = values[self._read(encoder)].astype(np.float64)
        (source,) = self.graph.sources(encoder)
        op = self.graph[source].op
        return x * op.scale + op.shift if isinstance(op, ops.Affine) else x

    def _read(self, encoder: str) -> str:
        """Return the node in front of an encoder and of the scaling of its input."""
        (source,) = self.graph.sources(encoder)
        return self.graph.sources(source)[0] if isinstance(self.graph[source].op, ops.Affine) else source


class ReplicaStepper(Stepper):
    """The chip and the encoders in a state."""

    def __init__(self, whole: ExternalReplica, batch: int) -> None:
        """Start with nothing fired and every voltage zero."""
        self._whole, self._batch = whole, batch
        self._chip = whole.replica.start(batch)
        self._cores = {core.ensemble: core for core in self._chip.cores}
        self._voltages = {name: np.zeros((batch, e.n_neurons)) for name, e in whole.encoders.items()}

    def drive(self, name: str, values: Mapping[str, Array]) -> AnyArray | None:
        """Return the current of an encoder; what drives a population of the chip never leaves it."""
        return self._whole.current(name, values) if name in self._whole.encoders else None

    def step(self, name: str, drive: AnyArray | None) -> Array:
        """Return the spikes of an encoder in this step, or those of a population of the chip in its last one."""
        if drive is None:
            return self._fired(name)
        whole, voltages = self._whole, self._voltages[name]
        spikes = np.empty_like(voltages)
        whole.encoders[name].neuron_type.step(whole.dt, drive.reshape(spikes.shape), spikes, voltage=voltages)
        return spikes.reshape(drive.shape).astype(np.float32)

    def finish(self, values: Mapping[str, Array], watch: Sequence[str]) -> dict[str, Array]:
        """Let the chip take its step; return the spikes of watched populations in it, which the host has yet to see.

        Where inputs change it returns none: what a population gives is recorded when the host sees it.
        """
        sent = {ensemble: values[name].reshape(self._batch, -1) != 0 for name, ensemble in self._whole.encoders.items()}
        self._chip.step(sent)
        return {name: self._fired(name) for name in watch if name in self._whole.chip and not self._whole.lags}

    def _fired(self, name: str) -> Array:
        fired = self._cores[self._whole.chip[name]].fired.T.reshape(self._batch, *self._whole.graph[name].type.shape)
        return fired.astype(np.float32) * np.float32(1 / self._whole.dt)
