"""A network that runs in NengoDL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import nengo_dl
import numpy as np
from snnc_nengo.building import building
from snnc_nengo.program import NengoProgram
from snnc_tensorflow.program import equal_parts

from snnc.api import (
    Array,
    Graph,
    LoweringContext,
    Op,
    Recording,
    UsageError,
    as_run,
    evaluate_nodes,
    presentation,
    progress_bar,
)
from snnc_nengo_dl.network import built
from snnc_nengo_dl.simulation import Simulation
from snnc_nengo_dl.split import split
from snnc_nengo_dl.training import absorbed

ELEMENTS = 1 << 20
"""Elements of the widest vector of a minibatch: enough for TensorFlow's kernels, few enough for a cache."""
LARGEST = 64
"""Samples of a minibatch, where the network is small."""


class NengoDlProgram(NengoProgram):
    """A ``nengo.Network`` for ``nengo_dl.Simulator``, and how to run it.

    ``network`` is the whole graph, to simulate and train as one likes. ``run`` simulates what changes from step to step
    and computes the rest once a sample.
    """

    def __init__(self, graph: Graph, target: LoweringContext, minibatch: int) -> None:
        """Build the network."""
        whole, self.trainable = built(graph, target)
        super().__init__(graph, target, whole)
        self.minibatch = minibatch
        self._split = split(graph)
        self._simulations: dict[tuple[int, tuple[str, ...]], Simulation] = {}

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        if jobs is not None and jobs < 1:
            raise UsageError(f"jobs must be at least 1, not {jobs}")
        names = tuple(dict.fromkeys(watch))
        self.require_readable(names)
        batch = len(next(iter(inputs.values())))
        recording = Recording.zeros(self.graph, batch, steps, names)
        with progress_bar(shown=progress) as bar:
            task = bar.add_task("NengoDL", total=batch)
            for part, samples in equal_parts(inputs, self.minibatch or good_minibatch(self.graph)):
                self._show(samples, steps, names, recording, part)
                bar.advance(task, part.stop - part.start)
        return recording

    def absorb(self, trained: Any) -> dict[str, Op]:
        """Return the ops that a ``nengo_dl.Simulator`` of ``network`` has trained, by node.

        Raises:
            UsageError: it simulates another network, or is closed.
            LoweringError: the graph has no place for what was trained.

        """
        if not isinstance(trained, nengo_dl.Simulator):
            raise UsageError(f"absorb takes a nengo_dl.Simulator, not {type(trained).__name__}")
        if trained.closed:
            raise UsageError("this simulator is closed: absorb inside its `with` block, where its parameters still are")
        if trained.model.toplevel is not self.network:
            raise UsageError("this simulator runs another network: make it of the same c.network")

        def read(obj: Any, name: str) -> Array:
            return np.asarray(trained.data.get_params((obj, name))[0], dtype=np.float32)

        graph = absorbed(self.graph, self.trainable, read)
        return {node.name: node.op for node in graph if node.op is not self.graph[node.name].op}

    def _show(
        self, samples: Mapping[str, Array], steps: int, watch: tuple[str, ...], recording: Recording, part: slice
    ) -> None:
        """Run one minibatch and write what it gave to a part of the recording."""
        still, moving = self._split.still, self._split.moving
        size, count = len(next(iter(samples.values()))), part.stop - part.start
        window = self.target.read_out.window(steps)
        watched = tuple(name for name in watch if name in moving and moving[name].op.arity != 0)
        resting = [name for name in watch if name not in watched]
        given = {name: samples[name] for name in still.inputs}
        values = evaluate_nodes(still, given, {*still.outputs, *resting})
        shown = self._simulator_of(size, watched).show({name: values[name] for name in moving.inputs}, steps, window)
        rest = {name: values[name] for name in resting}
        how = presentation(self.graph)
        means = how.mean(rest, window)
        sizes, sent = {n: np.abs(y) for n, y in rest.items()}, {n: (y != 0).astype(np.float32) for n, y in rest.items()}
        totals, messages = (
            {name: steps * y for name, y in how.mean(values, slice(0, steps)).items()} for values in (sizes, sent)
        )
        for table in (shown, Recording(means=means, totals=totals, messages=messages)):
            recording.put(part, table.head(count))

    def _simulator_of(self, size: int, watch: tuple[str, ...]) -> Simulation:
        """Return the simulation of so many samples at a time; it is built when it is first asked for."""
        key = (size, watch)
        if key not in self._simulations:
            with building():
                graph = as_run(self._split.moving, watch)
                self._simulations[key] = Simulation(graph, self.target, size, watch)
        return self._simulations[key]


def good_minibatch(graph: Graph) -> int:
    """Return how many samples are simulated together fastest, about."""
    widest = max(node.type.size for node in graph)
    return min(max(ELEMENTS // widest, 1), LARGEST)
