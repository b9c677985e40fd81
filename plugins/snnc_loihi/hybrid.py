"""Run a graph with its populations of the chip in the replica and the rest in numpy, a batch at a time.

In a step the host computes first: it sees the spikes of the chip's last step, and what it sends arrives in the chip's
next one. So it is in nengo-loihi's emulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc.api import AnyArray, Array, Graph, Node, State, Stateful, for_batch, initial_state, ops
from snnc_loihi.placement_queries import is_encoder, on_chip
from snnc_loihi.recorder import Recorder
from snnc_loihi.replica import Replica


class Hybrid:
    """A graph, and where its populations are in the replica of its network."""

    def __init__(self, graph: Graph, replica: Replica, ensembles: Mapping[str, Any], dt: float, seed: int) -> None:
        """Sort the nodes of the host by whether they change over time.

        Args:
            graph: a graph as lowered.
            replica: of the graph's network.
            ensembles: the ensemble of each population and encoder, by the node's name.
            dt: seconds a step.
            seed: of initial states.
        """
        self.graph, self.replica, self.dt = graph, replica, dt
        self.chip = {node.name: ensembles[node.name] for node in graph if on_chip(node)}
        self.encoders = {node.name: ensembles[node.name] for node in graph if is_encoder(node)}
        self.sources = {node.name: graph.sources(node.name) for node in graph}
        self.still: list[Node] = []
        self.moving: list[Node] = []
        self.steady: list[Node] = []
        """Encoders of what does not change."""
        self.start: dict[str, State] = {}
        moves = set(self.chip)
        for node in graph:
            if node.op.arity == 0 or node.name in self.chip:
                continue
            if node.name in self.encoders:
                (self.moving if not moves.isdisjoint(self.sources[node.name]) else self.steady).append(node)
                moves.add(node.name)
                continue
            stateful = isinstance(node.op, Stateful) and node.op.stateful
            if stateful:
                types = tuple(graph[s].type for s in self.sources[node.name])
                self.start[node.name] = initial_state(node, types, seed)
            if stateful or not moves.isdisjoint(self.sources[node.name]):
                self.moving.append(node)
                moves.add(node.name)
            else:
                self.still.append(node)
        needed = graph.ancestors([*graph.output_nodes.values(), *self.encoders]) - self._feeds()
        self.still = [node for node in self.still if node.name in needed]
        self.moving = [node for node in self.moving if node.name in needed]

    def run(self, inputs: Mapping[str, Array], steps: int, recorder: Recorder, samples: Sequence[int]) -> None:
        """Present a batch from the fresh state and record it as these samples."""
        batch = len(next(iter(inputs.values())))
        values: dict[str, Array] = dict(inputs)
        states = {name: for_batch(state, batch) for name, state in self.start.items()}
        chip = self.replica.start(batch)
        fired = {core.ensemble: core for core in chip.cores}
        voltages = {name: np.zeros((batch, e.n_neurons)) for name, e in self.encoders.items()}
        shapes = {name: (batch, *self.graph[name].type.shape) for name in self.chip}
        spike = np.float32(1 / self.dt)
        with np.errstate(all="ignore"):
            for node in self.still:
                values[node.name] = self._evaluate(node, values)
            drives = {node.name: self._drive(node, values) for node in self.steady}
            for t in range(steps):
                for node in self.steady:
                    values[node.name] = self._encode(node.name, drives[node.name], voltages)
                for name, ensemble in self.chip.items():
                    values[name] = fired[ensemble].fired.T.reshape(shapes[name]).astype(np.float32) * spike
                for node in self.moving:
                    if node.name in self.encoders:
                        values[node.name] = self._encode(node.name, self._drive(node, values), voltages)
                    else:
                        values[node.name] = self._step(node, values, states)
                recorder.outputs(samples, t, values)
                chip.step({e: values[name].reshape(batch, -1) != 0 for name, e in self.encoders.items()})
                for name, ensemble in self.chip.items():
                    if name in recorder.watched:
                        values[name] = fired[ensemble].fired.T.reshape(shapes[name]).astype(np.float32) * spike
                recorder.watch(samples, t, values)

    def _feeds(self) -> set[str]:
        """Return the nodes that nothing but populations of the chip depends on: what the replica computes."""
        feeds: set[str] = set()
        for node in reversed(list(self.graph)):
            readers = [reader for reader, _ in self.graph.readers(node.name)]
            inside = all(reader in self.chip or reader in feeds for reader in readers)
            if readers and inside and node.op.is_linear and not self.graph.is_output(node.name):
                feeds.add(node.name)
        return feeds

    def _drive(self, node: Node, values: Mapping[str, Array]) -> AnyArray:
        """Return the current of an encoder in float64, as Nengo computes it: a spike more or less depends on it."""
        (source,) = self.sources[node.name]
        op = self.graph[source].op
        if isinstance(op, ops.Affine):
            (before,) = self.sources[source]
            return values[before].astype(np.float64) * op.scale + op.shift
        return values[source].astype(np.float64)

    def _encode(self, name: str, drive: AnyArray, voltages: Mapping[str, AnyArray]) -> Array:
        """Return the spikes of a step of an encoder."""
        spikes = np.empty_like(voltages[name])
        self.encoders[name].neuron_type.step(self.dt, drive.reshape(spikes.shape), spikes, voltage=voltages[name])
        return spikes.reshape(drive.shape).astype(np.float32)

    def _evaluate(self, node: Node, values: Mapping[str, Array]) -> Array:
        return np.asarray(node.op.evaluate(*(values[s] for s in self.sources[node.name])), dtype=np.float32)

    def _step(self, node: Node, values: Mapping[str, Array], states: Mapping[str, State]) -> Array:
        if node.name not in states:
            return self._evaluate(node, values)
        assert isinstance(node.op, Stateful)
        return node.op.step(states[node.name], self.dt, *(values[s] for s in self.sources[node.name]))
