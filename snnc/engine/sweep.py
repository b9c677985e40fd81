"""Run the populations of a graph in order, each on what those before it sent, while the graph is being corrected.

A pass that measures a population, corrects what is behind it, and goes on with the next would run everything in front
of each again: the square of the depth. Here each population is run once, what it sent is kept, and the next one is
shown that. What was kept is used as long as all in front of it is as it was: a pass may change the graph as it likes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from snnc.engine.batching import over_parts, part_of_batch, parts_of
from snnc.engine.simulate import FEWEST, MOST, External, Run, Stepper, Values, as_run
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons import Neurons
from snnc.ops.kernels.spread import spread


class Sweep:
    """Means of populations of a graph that changes meanwhile: those in front are not run again.

    It keeps what populations sent as long as some that read them are still to be run: a bit a neuron, sample and step
    where that are single spikes, a byte where they are counted.
    """

    def __init__(
        self, graph: Graph, inputs: Mapping[str, Array], steps: int, *, window: slice, dt: float, seed: int
    ) -> None:
        """Hold what is run; nothing is yet.

        Args:
            graph: as it is whenever a mean is asked for.
            inputs: validated.
            steps: as many as there are slices, for a temporal graph.
            window: the steps of the means.
            dt: seconds a step.
            seed: of the initial states.
        """
        self.graph, self.steps, self.window, self.dt, self.seed = graph, steps, window, dt, seed
        self.inputs = inputs
        self._parts = parts_of(inputs, part_of_batch(graph, FEWEST, MOST))
        self._kept: dict[str, list[SpikeTrain] | None] = {}
        """Of populations that were run, what they gave to each part; None once all that reads it was run."""
        self._before: dict[str, tuple[Op, tuple[str, ...]]] = {}
        """The graph when a mean was last asked for."""

    def mean(self, name: str) -> Array:
        """Return the mean over the window of what a population gives, ``(batch, *shape)``."""
        self._drop_changed()
        if not self._kept.get(name):
            self._run(name)
        mean = np.concatenate([train.mean(self.window) for train in self._kept[name] or ()])
        self._let_go(last=name)
        return mean

    def _drop_changed(self) -> None:
        """Drop what populations gave that, or in front of which, something is not as it was."""
        now = {node.name: (node.op, self.graph.sources(node.name)) for node in self.graph}
        changed: set[str] = set()
        for name, (op, sources) in now.items():
            before = self._before.get(name)
            if before is None or before[0] is not op or before[1] != sources or not changed.isdisjoint(sources):
                changed.add(name)
        self._kept = {name: kept for name, kept in self._kept.items() if name in now and name not in changed}
        self._before = now

    def _run(self, name: str) -> None:
        """Run a population, and whatever in front of it is not kept, on what is."""
        graph = as_run(self.graph, [name])
        shown = self._nearest(graph, name)
        new = [n for n in _between(graph, name, shown) if _sends(graph[n])]
        parts = over_parts(range(len(self._parts)), lambda i: self._run_part(graph, i, shown, new))
        for n in new:
            self._kept[n] = [part[n] for part in parts]

    def _run_part(self, graph: Graph, part: int, shown: Collection[str], new: Sequence[str]) -> dict[str, SpikeTrain]:
        """Return what new populations give to a part of the batch."""
        replay = _Replay({n: kept[part] for n in shown if (kept := self._kept[n])})
        inputs = self._parts[part]
        batch = len(next(iter(inputs.values())))
        after = {
            node.name: SpikeTrain((batch, *node.type.shape), node.op.worth(self.dt))
            for node in graph.nodes(Neurons)
            if node.name in new
        }

        def keep(n: str, step: int, value: Array) -> None:
            after[n].append(value)

        Run(graph, self.steps, self.window, self.dt, self.seed, (*after,), {}, replay, keep, sums=False).part(inputs)
        return after

    def _nearest(self, graph: Graph, name: str) -> set[str]:
        """Return the populations in front of a node whose spikes are kept, on each way the nearest."""
        found, seen, todo = set(), {name}, list(graph.sources(name))
        while todo:
            source = todo.pop()
            if source in seen:
                continue
            seen.add(source)
            if self._kept.get(source):
                found.add(source)
            else:
                todo += graph.sources(source)
        return found

    def _let_go(self, last: str) -> None:
        """Let go of what only populations read that were run; the last one may still be corrected itself."""
        needed = {last}
        for node in self.graph.nodes(Neurons):
            if _sends(node) and (node.name not in self._kept or node.name == last):
                needed |= self._nearest(self.graph, node.name)
        self._kept = {name: kept if name in needed else None for name, kept in self._kept.items()}


class SpikeTrain:
    """What a population gave to a batch in each step, exactly, and as small as it can be."""

    def __init__(self, shape: Shape, worth: Array) -> None:
        """Start empty.

        Args:
            shape: of the values of a step, ``(batch, *shape)``.
            worth: what one spike of a step gives.
        """
        self.shape, self.worth = shape, spread(worth, np.empty(shape, dtype=np.bool_))
        self._steps: list[AnyArray] = []

    def append(self, y: Array) -> None:
        """Add a step: single spikes as bits, counts as bytes, anything else as it is."""
        fired = y != 0
        if np.array_equal(fired * self.worth, y):
            self._steps.append(np.packbits(fired))
            return
        counts = np.clip(np.rint(y / self.worth), -128, 127).astype(np.int8)
        self._steps.append(counts if np.array_equal(counts * self.worth, y) else y.copy())

    def __getitem__(self, step: int) -> Array:
        """Return what was given in a step."""
        counts, scaled = self._counts(step)
        return counts if scaled else counts * self.worth

    def mean(self, window: slice) -> Array:
        """Return the mean over some of the steps."""
        spikes = np.zeros(self.shape, dtype=np.int32)
        others = np.zeros(self.shape, dtype=np.float32)
        steps = range(len(self._steps))[window]
        for step in steps:
            counts, scaled = self._counts(step)
            if scaled:
                others += counts
            else:
                spikes += counts
        return (others + spikes.astype(np.float32) * self.worth) / np.float32(len(steps))

    def _counts(self, step: int) -> tuple[AnyArray, bool]:
        """Return the spikes of a step, or what they gave and True."""
        packed = self._steps[step]
        if packed.dtype == np.uint8:
            packed = np.unpackbits(packed, count=int(np.prod(self.shape))).reshape(self.shape)
        return packed, packed.dtype == np.float32


class _Replay(External, Stepper):
    """Populations that give what they gave before."""

    def __init__(self, trains: Mapping[str, SpikeTrain]) -> None:
        """Stand at the first step."""
        self.trains, self.reads = trains, dict.fromkeys(trains, ())
        self._step = 0

    def start(self, batch: int) -> Stepper:
        return self

    def drive(self, name: str, values: Values) -> AnyArray | None:
        return None

    def step(self, name: str, drive: AnyArray | None) -> Array:
        return self.trains[name][self._step]

    def finish(self, values: Values, watch: Sequence[str]) -> Values:
        self._step += 1
        return {}


def _sends(node: Node) -> bool:
    """Return whether a node is a population of spiking neurons, of which is kept what it sent."""
    return isinstance(node.op, Neurons) and node.op.model.spiking


def _between(graph: Graph, name: str, shown: Collection[str]) -> list[str]:
    """Return a node and all in front of it as far as the nodes that are shown, in topological order."""
    needed = {name}
    for node in reversed(list(graph)):
        if node.name in needed and node.name not in shown:
            needed.update(graph.sources(node.name))
    return [node.name for node in graph if node.name in needed and node.name not in shown]
