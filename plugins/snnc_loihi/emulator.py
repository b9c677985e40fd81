"""Run a network in nengo-loihi's emulator, every sample from the fresh state, which it cannot go back to by itself.

It is always strict: an overflow of a register is an error, where it would otherwise be a warning and a silent layer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import nengo
import nengo_loihi
import numpy as np
from nengo.builder.processes import SimProcess
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.simulator import StepRunner

from snnc.api import AnyArray, Array, LoweringError
from snnc_loihi.quick_build import quick
from snnc_loihi.rounding import in_units_of_resets


@contextmanager
def strict() -> Iterator[None]:
    """Let the emulator raise an error for an overflow inside."""
    before = EmulatorInterface.strict
    EmulatorInterface.strict = True
    try:
        yield
    finally:
        EmulatorInterface.strict = before


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Say in one line what nengo-loihi does not take."""
    try:
        yield
    except (nengo.exceptions.NengoException, NotImplementedError, AssertionError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LoweringError(f"{what}: nengo-loihi refuses it: {reason}") from error


class Emulator:
    """A network built for the emulator once."""

    target: ClassVar[str] = "sim"

    def __init__(self, network: Any, dt: float, seed: int, watched: Mapping[str, Any]) -> None:
        """Build, with a probe for each object that is watched besides those that the network has."""
        self._network, self._dt, self._seed = network, dt, seed
        with network:
            self._probes = {name: nengo.Probe(obj) for name, obj in watched.items()}
        try:
            self._sim = self._build()
        finally:
            for probe in self._probes.values():
                network.probes.remove(probe)

    def _build(self) -> Any:
        options = {"dt": self._dt, "seed": self._seed, "target": self.target, "progress_bar": False}
        with strict(), quiet(), quick(), in_units_of_resets(), refusals(f"network {self._network.label!r}"):
            return nengo_loihi.Simulator(self._network, **options)

    @property
    def model(self) -> Any:
        """Return nengo-loihi's model, with the numbers that go into the registers."""
        return self._sim.model

    def close(self) -> None:
        """End the simulation."""
        self._sim.close()

    def show(self, inputs: Mapping[Any, Array], steps: int) -> None:
        """Present one sample for a number of steps from the fresh state.

        Args:
            inputs: by input Node a flat vector, or ``(slices, size)``: one a step, and from then on the last one.
            steps: how many.
        """
        for node, x in inputs.items():
            if x.ndim == 2:
                self._play(node, np.concatenate([x, np.repeat(x[-1:], max(0, steps - len(x)), axis=0)]))
        self._fresh()
        for node, x in inputs.items():
            for host in self._hosts():
                signal = host.model.sig[node].get("out")
                if x.ndim == 1 and signal is not None and signal in host.signals:
                    host.signals[signal][...] = x
        with strict(), quiet(), refusals(f"network {self._sim.network.label!r}"):
            self._sim.run_steps(steps)

    def probed(self, name: str) -> AnyArray:
        """Return what a watched object gave in the steps since, ``(steps, size)``."""
        return self._sim.data[self._probes[name]]

    def data(self, probe: Any) -> AnyArray:
        """Return what a probe of the network itself has seen, ``(steps, size)``."""
        return self._sim.data[probe]

    def _play(self, node: Any, slices: Array) -> None:
        """Let an input Node give a row each step, once the host starts afresh."""
        for host in self._hosts():
            signal = host.model.sig[node].get("out")
            for operator in host.model.operators:
                if isinstance(operator, SimProcess) and operator.output is signal:
                    operator.process = nengo.processes.PresentInput(slices, self._dt)

    def _hosts(self) -> list[Any]:
        return [sim for name, sim in self._sim.sims.items() if name not in ("emulator", "loihi")]

    def _fresh(self) -> None:
        sim = self._sim
        sim.clear_probes()
        with strict(), quiet():
            for host in self._hosts():
                host.reset(seed=self._seed)
            for source in sim.model.inputs:
                source.spikes.clear()
            sim.sims["emulator"] = EmulatorInterface(sim.model, seed=self._seed)
        sim._runner = StepRunner(sim.model, sim.sims, sim.precompute, sim.timers)
        sim._n_steps = 0


class Hardware(Emulator):
    """A network for the chip itself, built anew for every sample: it is not reset in another way.

    Nobody has run this: it is what nengo-loihi's documentation says of the chip.
    """

    target: ClassVar[str] = "loihi"

    def __init__(self, network: Any, dt: float, seed: int, watched: Mapping[str, Any]) -> None:
        """Raise LoweringError without NxSDK, Intel's library; then keep the probes in the network for all builds."""
        if not nengo_loihi.hardware.HAS_NXSDK:
            raise LoweringError(
                "the engine 'loihi' is the chip itself, which needs Intel's NxSDK, and there is none here; use the "
                "engine 'replica' or 'emulator', which give its spikes"
            )
        super().__init__(network, dt, seed, watched)

    def _fresh(self) -> None:
        self._sim.close()
        for probe in self._probes.values():
            self._network.probes.append(probe)
        try:
            self._sim = self._build()
            self._sim.__enter__()
        finally:
            for probe in self._probes.values():
                self._network.probes.remove(probe)


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out warnings that say nothing here, or that the report of the cores says better.

    They are about untested versions of Nengo, NaN in arrays that nothing reads, and bits of weights.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has not been tested with your Nengo version.*")
        warnings.filterwarnings("ignore", message="Lost .* extra bits in weight rounding")
        warnings.filterwarnings("ignore", message="invalid value encountered in cast")
        yield
