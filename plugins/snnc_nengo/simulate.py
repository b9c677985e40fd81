"""Run a network sample by sample with the operators of ``nengo.Simulator``, each sample from the same fresh state.

A Simulator is made for one run. Here it is built once, without Nengo's optimizer, and what depends on nothing that
changes is done anew for each sample, in its first step only. Operators and their order are the same, so the outputs are
those of ``nengo.Simulator``, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.processes import SimProcess
from nengo.cache import NoDecoderCache

from snnc.api import AnyArray, Array, ReadOut, Recording
from snnc_nengo.build import Reading
from snnc_nengo.building import building
from snnc_nengo.find_populations import changing_operators
from snnc_nengo.operators import Once, Population


@dataclass(frozen=True)
class Job:
    """A network with the settings that a process needs to run samples on it."""

    key: str
    """The same for jobs of the same network."""
    network: Any
    dt: float
    seed: int
    read_out: ReadOut
    """Over its window means are taken."""
    bits: int
    """Of Nengo's floating-point numbers: 32 or 64."""
    inputs: Mapping[str, Any]
    """The input Node by the input's name."""
    probes: Mapping[str, Any]
    """The Probe by the output's name."""
    watch: Mapping[str, Reading]
    """By the names under which means, totals and messages are wanted."""


class Simulation:
    """A network, built once."""

    def __init__(self, job: Job) -> None:
        """Build; that is the slow part."""
        with building(job.bits):
            model = nengo.builder.Model(dt=job.dt, label=job.network.label, decoder_cache=NoDecoderCache())
            # no optimizer: it takes seconds for deep networks, and merges constant signals with changing ones
            sim = nengo.Simulator(
                job.network, dt=job.dt, seed=job.seed, model=model, progress_bar=False, optimize=False
            )
        self._job, self._signals = job, sim.signals
        self._order = [op.operator if isinstance(op, Once) else op for op in sim.step_order]
        sim.close()
        self._inputs = self._look_up({name: model.sig[node]["out"] for name, node in job.inputs.items()})
        self._outputs = self._look_up({name: model.sig[probe]["in"] for name, probe in job.probes.items()})
        self._model = model
        self._states = [(self._signals[s], s.initial_value) for s in self._signals if not s.readonly]
        changing = changing_operators(self._order)
        # what a Node plays in a Simulator of the user's own, ``show`` puts in its place
        played = {model.sig[node]["out"] for node in job.inputs.values()}
        self._order = [op for op in self._order if not (isinstance(op, SimProcess) and op.output in played)]
        self._steps = self._make_steps(self._order)
        self._repeated = [i for i, op in enumerate(self._order) if op in changing]
        self._remade = [i for i, op in enumerate(self._order) if _remembers(op)]
        drawing = [rng for op in self._order if isinstance(op, SimNeurons) for rng in op.state_extra.values()]
        self._random = [(rng, rng.get_state()) for rng in drawing]

    def show(self, inputs: Mapping[str, Array], steps: int, watch: Mapping[str, Reading]) -> Recording:
        """Present one sample for a number of steps from the fresh state.

        Its inputs are flattened, a row a step or one for all; so is what it gave, which has no axis of samples.
        """
        self._reset()
        shown = [(self._inputs[name], x) for name, x in inputs.items() if name in self._inputs]
        moving = [(signal, x) for signal, x in shown if len(x) > 1]
        for signal, x in shown:
            signal[...] = x[0]
        outputs = {name: np.empty((steps, y.size), dtype=np.float32) for name, y in self._outputs.items()}
        watched = self._look_up({name: self._model.sig[reading.obj]["out"] for name, reading in watch.items()})
        sent, messages, window = ({name: np.zeros(y.shape) for name, y in watched.items()} for _ in range(3))
        offsets = {name: watch[name].constant.ravel() / np.ravel(watch[name].scale) for name in watched}
        repeated = [self._steps[i] for i in self._repeated]
        start = self._job.read_out.window(steps).start
        with np.errstate(invalid="raise", divide="ignore"):  # as nengo.Simulator has it
            for t in range(steps):
                for signal, x in moving:
                    signal[...] = x[t]
                for step in repeated if t else self._steps:
                    step()
                for name, y in self._outputs.items():
                    outputs[name][t] = y
                for name, y in watched.items():
                    if t >= start:
                        window[name] += y
                    value = y + offsets[name]
                    sent[name] += np.abs(value)
                    messages[name] += value != 0
        means, totals = {}, {}
        for name, reading in watch.items():
            scale, constant = np.ravel(reading.scale), reading.constant.ravel()
            means[name] = window[name] / (steps - start) * scale + constant
            totals[name] = sent[name] * np.abs(scale)
        return Recording(outputs, means, totals, messages)

    def _reset(self) -> None:
        for array, initial in self._states:
            array[...] = initial
        for rng, first in self._random:
            rng.set_state(first)
        for i in self._remade:
            self._steps[i] = self._make_steps([self._order[i]])[0]

    def _make_steps(self, operators: Sequence[Any]) -> list[Callable[[], None]]:
        rng = np.random.RandomState(self._job.seed)
        return [op.make_step(self._signals, self._job.dt, rng) for op in operators]

    def _look_up(self, signals: Mapping[str, Any]) -> dict[str, AnyArray]:
        """Return the arrays of signals, without those that no operator uses."""
        return {name: self._signals[s] for name, s in signals.items() if s in self._signals}


def _remembers(op: Any) -> bool:
    """Return whether a step may keep something outside of the signals, so that it has to be made anew."""
    if isinstance(op, Population):
        return op.still
    return isinstance(op, SimProcess) and not isinstance(op.process, nengo.LinearFilter)
