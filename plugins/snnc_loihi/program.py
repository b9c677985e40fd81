"""A network with nengo-loihi's settings, and how to run it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import nengo_loihi
import numpy as np
from rich.console import Console
from rich.progress import Progress

from snnc.api import Array, Graph, Program, Recording, Target, UsageError, feed, readout_window
from snnc_loihi.emulator import Emulator
from snnc_loihi.guards import check_network
from snnc_loihi.neuron_types import CHIP_TYPES
from snnc_nengo.build import Built, Reading
from snnc_nengo.build import build as build_network


def build(graph: Graph, target: Target) -> Built:
    """Return the network of a graph, with its populations on the chip or on the host."""
    built = build_network(graph, target)
    nengo_loihi.add_params(built.network)
    for ensemble in built.network.all_ensembles:
        built.network.config[ensemble].on_chip = isinstance(ensemble.neuron_type, CHIP_TYPES)
    check_network(built.network)
    return built


class LoihiProgram(Program):
    """A network and the engine that runs it."""

    def __init__(self, graph: Graph, target: Target, built: Built) -> None:
        """Hold a built network."""
        self.network = built.network
        self.graph = graph
        self.target = target
        self.built = built
        self._emulators: dict[tuple[str, ...], Emulator] = {}

    @property
    def network_map(self) -> Mapping[str, Any]:
        """Return the Node or Neurons of each layer and of each node of the graph, by name."""
        return MappingProxyType(dict(self.built.objects))

    def using(self, engine: str) -> Program:
        return self

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        fed = feed(self.graph, inputs)
        names = tuple(dict.fromkeys(watch))
        readings = {name: self._reading(name) for name in names}
        emulator = self._emulator(names, readings)
        batch = len(next(iter(fed.values())))
        outputs: dict[str, list[Array]] = {name: [] for name in self.built.probes}
        window = readout_window(steps, self.target.read_out)
        means = {name: np.empty((batch, *self.graph[name].type.shape), dtype=np.float32) for name in names}
        totals = {name: np.empty_like(mean) for name, mean in means.items()}
        with Progress(console=Console(stderr=True), disable=not (progress and sys.stderr.isatty())) as bar:
            task = bar.add_task("Loihi emulator", total=batch)
            for i in range(batch):
                emulator.show({self.built.inputs[name]: x[i].ravel() for name, x in fed.items()}, steps)
                for name, probe in self.built.probes.items():
                    outputs[name].append(np.asarray(emulator.data(probe), dtype=np.float32))
                for name, reading in readings.items():
                    values = emulator.probed(name) * np.ravel(reading.scale) + reading.constant.ravel()
                    means[name][i] = values[window].mean(axis=0).reshape(means[name].shape[1:])
                    totals[name][i] = values.sum(axis=0).reshape(means[name].shape[1:])
                bar.advance(task)
        shapes = {name: self.graph[node].type.shape for name, node in self.graph.output_nodes.items()}
        return Recording(
            {name: np.stack(y).reshape(batch, steps, *shapes[name]) for name, y in outputs.items()}, means, totals
        )

    def _reading(self, name: str) -> Reading:
        if name not in self.built.readings:
            hint = "it is part of a connection" if name in self.graph else "the graph has no such node"
            raise UsageError(f"cannot watch {name!r}: {hint}; watch {', '.join(self.built.readings)}")
        return self.built.readings[name]

    def _emulator(self, names: tuple[str, ...], readings: Mapping[str, Reading]) -> Emulator:
        if names not in self._emulators:
            for emulator in self._emulators.values():
                emulator.close()
            watched = {name: reading.obj for name, reading in readings.items()}
            self._emulators = {names: Emulator(self.network, self.target.dt, self.target.seed, watched)}
        return self._emulators[names]

    def __del__(self) -> None:
        for emulator in self._emulators.values():
            emulator.close()


