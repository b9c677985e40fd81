"""A network with nengo-loihi's settings, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import nengo_loihi
import numpy as np
from snnc_nengo.build import Built, NetworkBuilder, Reading
from snnc_nengo.build import build as build_network
from snnc_nengo.building import building
from snnc_nengo.program import NengoProgram

from snnc.api import (
    AnyArray,
    Array,
    CoreUse,
    Graph,
    LoweringContext,
    LoweringError,
    Program,
    Recording,
    StoredInput,
    presentation,
    progress_bar,
)
from snnc_loihi.board import fit
from snnc_loihi.check_network import check_network
from snnc_loihi.core_map import map_files
from snnc_loihi.emulator import Emulator, Hardware
from snnc_loihi.hybrid import ExternalReplica
from snnc_loihi.lags import lags_of
from snnc_loihi.neuron_types import CHIP_TYPES
from snnc_loihi.placement import Plan
from snnc_loihi.placement_queries import on_chip, sends_spikes
from snnc_loihi.planner import plan
from snnc_loihi.replica import PART, Replica
from snnc_loihi.soft_reset import add_clock, choose_axons
from snnc_loihi.stored import stored_inputs
from snnc_loihi.utilisation import Utilisation, utilisation


class LoihiBuilder(NetworkBuilder):
    """Makes the objects of a network whose filters are those of the chip's compartments."""

    free_filters = True


def build(
    graph: Graph, target: LoweringContext, chips: int | None = None, like: Plan | None = None
) -> tuple[Built, Plan]:
    """Return the network of a graph, with its populations on the cores of the chip or on the host, planned like one."""
    built = build_network(graph, target, LoihiBuilder)
    nengo_loihi.add_params(built.network)
    for ensemble in built.network.all_ensembles:
        built.network.config[ensemble].on_chip = isinstance(ensemble.neuron_type, CHIP_TYPES)
    choose_axons(built.network)
    add_clock(built.network)
    check_network(built.network)
    placed = plan(built.network, chips, target.dt, like)
    placed.apply(built.network)
    return built, placed


class LoihiProgram(NengoProgram):
    """A network and the engine that runs it."""

    def __init__(
        self, graph: Graph, target: LoweringContext, built: Built, placed: Plan, engine: str = "replica"
    ) -> None:
        """Hold a built network."""
        super().__init__(graph, target, built)
        self.plan = placed
        self.engine = engine
        self._engines: dict[str, LoihiProgram] = {engine: self}
        self._emulator: tuple[tuple[str, ...], Emulator] | None = None

    @property
    def resources(self) -> Mapping[str, int]:
        return {"cores": self.plan.cores, "chips": self.plan.chips}

    def utilisation(self, chips: int | None = None) -> Utilisation:
        """Return the use of each core by the built network, on so many chips or as few as have the cores.

        Raises:
            LoweringError: the chips do not have the cores, or a core breaks a rule of the hardware; names the layer.
        """
        return utilisation(self.model, fit(self.model, chips))

    @property
    def core_map(self) -> tuple[CoreUse, ...]:
        try:
            found = self.utilisation()
        except LoweringError:  # what boards refuse has no place on one; see warnings
            return ()
        return tuple(CoreUse(c.chip, c.core, c.layer, c.shares(found.limits)) for c in found.cores)

    @property
    def warnings(self) -> tuple[str, ...]:
        try:
            return self.utilisation().warnings
        except LoweringError as error:
            return (str(error),)

    @property
    def stored_inputs(self) -> Mapping[str, StoredInput]:
        return stored_inputs(self.replica)

    def pictures(self) -> Mapping[str, bytes]:
        return map_files(self.utilisation())

    def using(self, engine: str) -> Program:
        if engine in ("program", self.engine):
            return self
        if engine not in self._engines:
            other = LoihiProgram(self.graph, self.target, self.built, self.plan, engine)
            other._engines = self._engines
            self._engines[engine] = other
        return self._engines[engine]

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        names = tuple(dict.fromkeys(watch))
        self.require_readable(names)
        batch = len(next(iter(inputs.values())))
        recording = Recording.zeros(self.graph, batch, steps, names)
        replica = self.engine == "replica"
        size = PART if replica else 1
        with progress_bar(shown=progress) as bar:
            task = bar.add_task(f"Loihi ({self.engine})", total=batch)
            for part in (slice(first, min(first + size, batch)) for first in range(0, batch, size)):
                some = {name: x[part] for name, x in inputs.items()}
                run = self._in_numpy(some, steps, names) if replica else self._emulate(some, steps, names)
                recording.put(part, run)
                bar.advance(task, part.stop - part.start)
        return recording

    def _in_numpy(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        watch: Collection[str],
        each_value: Callable[[str, int, Array], None] | None = None,
    ) -> Recording:
        """Run some samples, the chip in its replica and the host in numpy."""
        return self._simulate(self.graph, inputs, steps, watch, each_value, self.replica)

    def _emulate(self, samples: Mapping[str, Array], steps: int, watch: Collection[str]) -> Recording:
        """Run one sample in nengo-loihi, in its emulator or on the board; what it gave is flattened."""
        readings = {name: self.built.readings[name] for name in watch}
        temporal = presentation(self.graph).temporal
        shown = {self.built.inputs[n]: x.reshape(steps, -1) if temporal else x.ravel() for n, x in samples.items()}
        with building():  # whether the emulator is strict is a setting of the process, too
            emulator = self._emulator_of(readings)
            emulator.show(shown, steps + max(self.lags.values(), default=0))

        def of_slices(name: str, y: AnyArray, seen: int = 0) -> AnyArray:
            first = self.lags.get(name, seen) - seen
            return y[first : first + steps]

        outputs = {
            name: of_slices(node, emulator.data(self.built.probes[name]))
            for name, node in self.graph.output_nodes.items()
        }
        values = {
            # a probe of the chip has a spike in the step in which it is sent, a step before the host
            name: of_slices(name, emulator.probed(name), int(on_chip(self.graph[name]))) * np.ravel(reading.scale)
            + reading.constant.ravel()
            for name, reading in readings.items()
        }
        window = self.target.read_out.window(steps)
        return Recording(
            outputs,
            {name: y[window].mean(axis=0) for name, y in values.items()},
            {name: np.abs(y).sum(axis=0) for name, y in values.items()},
            {name: np.count_nonzero(y, axis=0) for name, y in values.items()},
        )

    @cached_property
    def lags(self) -> Mapping[str, int]:
        """Return by node how many steps after a slice the host gets what it makes of it; empty without sequences."""
        return lags_of(self.graph)

    @cached_property
    def model(self) -> Any:
        """Return nengo-loihi's model of the network, with the numbers that go into the registers."""
        with building():
            emulator = Emulator(self.network, self.target.dt, self.target.seed, {})
            emulator.close()
        return emulator.model

    @cached_property
    def replica(self) -> ExternalReplica:
        """Return the chip's part of the graph in its replica; built when first asked for."""
        ensembles = {
            node.name: self.built.readings[node.name].obj.ensemble for node in self.graph if sends_spikes(node)
        }
        return ExternalReplica(self.graph, Replica(self.model), ensembles, self.target.dt)

    def _emulator_of(self, readings: Mapping[str, Reading]) -> Emulator:
        names = tuple(readings)
        if self._emulator is None or self._emulator[0] != names:
            if self._emulator is not None:
                self._emulator[1].close()
            watched = {name: reading.obj for name, reading in readings.items()}
            engine = Hardware if self.engine == "loihi" else Emulator
            self._emulator = names, engine(self.network, self.target.dt, self.target.seed, watched)
        return self._emulator[1]

    def __del__(self) -> None:
        if self._emulator is not None:
            self._emulator[1].close()
