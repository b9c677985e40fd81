"""Run a graph over time in numpy: batched, spike for spike what reference Nengo does.

Order within a step, as Nengo has it: connections and neurons act at once, a synapse shows what it held after the
step before and then takes in the present value. What does not change over time is computed once.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.engine.batching import joined, over_batch, part_of_batch
from snnc.engine.move_filters import move_filters
from snnc.engine.rate import validated_inputs
from snnc.engine.temporal import is_temporal, require_steps
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import AnyArray, Array, TensorType
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import stepwise
from snnc.ops.stateful import State, Stateful, for_batch

_FEWEST, _MOST = 1 << 18, 1 << 21
"""Elements of the largest tensor that a part of the batch holds at a time. With the fewest, populations stay in a
cache; but weights that do not fit there are read once a part and step, so that a part must be worth that."""


@dataclass
class Simulated:
    """What a run gave, float32 in the model's own units."""

    outputs: dict[str, Array] = field(default_factory=dict)
    """By output name: ``(batch, steps, *shape)``."""
    means: dict[str, Array] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the mean over the window."""
    totals: dict[str, Array] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the sum over all steps."""


def initial_state(node: Node, inputs: tuple[TensorType, ...], seed: int) -> State:
    """Return the state before the first step of a node that has one: the same for every backend and sample.

    Arrays have no batch axis; ``inputs`` are the types of what the node reads.
    """
    assert isinstance(node.op, Stateful)
    rng = np.random.default_rng([seed, zlib.crc32(node.name.encode())])
    return node.op.start(inputs, rng)


def simulate(
    graph: Graph,
    x: AnyArray | Mapping[str, AnyArray],
    steps: int,
    *,
    window: slice,
    dt: float = 0.001,
    seed: int = 0,
    watch: Collection[str] = (),
    outputs: bool = True,
) -> Simulated:
    """Present each sample for a number of steps, every one from the same fresh state.

    Args:
        graph: a graph with neurons, or without.
        x: ``(batch, *shape)``, or one such array an input name; ``(batch, time, *shape)`` for a temporal graph.
        steps: how many steps of ``dt`` seconds; the number of slices for a temporal graph.
        window: the steps over which means of watched nodes are taken.
        dt: seconds a step.
        seed: of the initial states.
        watch: nodes whose means and totals are wanted.
        outputs: whether the outputs of every step are wanted; without them only what the watched nodes need runs.

    Raises:
        DataError: the arrays do not fit the inputs, or the steps the slices.
    """
    inputs = validated_inputs(graph, x)
    require_steps(graph, inputs, steps)
    graph = stepwise(graph)
    move_filters(graph, watch)
    run = _Run(graph, steps, window, dt, seed, tuple(watch), outputs)
    parts = over_batch(inputs, run.part, part_of_batch(graph, _FEWEST, _MOST))
    return Simulated(*(joined([getattr(part, table) for part in parts]) for table in ("outputs", "means", "totals")))


class _Run:
    """What is the same for every part of the batch."""

    def __init__(
        self, graph: Graph, steps: int, window: slice, dt: float, seed: int, watch: tuple[str, ...], outputs: bool
    ) -> None:
        self.graph, self.steps, self.window, self.dt, self.watch = graph, steps, window, dt, watch
        self.outputs = dict(graph.output_nodes) if outputs else {}
        self.temporal = is_temporal(graph)
        needed = graph.ancestors({*watch, *self.outputs.values()})
        self.sources = {node.name: graph.sources(node.name) for node in graph}
        self.static: list[Node] = []
        self.dynamic: list[Node] = []
        self.driven: list[Node] = []
        """The populations whose input does not change."""
        self.start: dict[str, State] = {}
        moving: set[str] = set(graph.inputs) if self.temporal else set()
        for node in graph:
            if node.name not in needed or node.op.arity == 0:
                continue
            op, sources = node.op, self.sources[node.name]
            still = moving.isdisjoint(sources)
            stateful = isinstance(op, Stateful) and op.stateful
            if stateful:
                self.start[node.name] = initial_state(node, tuple(graph[s].type for s in sources), seed)
            if still and not stateful:
                self.static.append(node)
                continue
            moving.add(node.name)
            self.dynamic.append(node)
            if still and isinstance(op, Neurons):
                self.driven.append(node)

    def part(self, inputs: Mapping[str, Array]) -> Simulated:
        """Return what a part of the batch gives."""
        batch = len(next(iter(inputs.values()))) if inputs else 1
        values: dict[str, Array] = {} if self.temporal else dict(inputs)
        with np.errstate(all="ignore"):
            for node in self.static:
                values[node.name] = self._evaluate(node, values)
            drives = {node.name: self._drive(node, values) for node in self.driven}
            states = {name: for_batch(state, batch) for name, state in self.start.items()}
            done = self._empty(batch)
            for t in range(self.steps):
                if self.temporal:
                    values.update((name, np.ascontiguousarray(x[:, t])) for name, x in inputs.items())
                for node in self.dynamic:
                    values[node.name] = self._step(node, values, states, drives)
                self._record(done, t, values)
        for name in self.watch:
            done.totals[name] += done.means[name]
            done.means[name] /= self.window.stop - self.window.start
        return done

    def _evaluate(self, node: Node, values: Mapping[str, Array]) -> Array:
        return np.asarray(node.op.evaluate(*(values[s] for s in self.sources[node.name])), dtype=np.float32)

    def _drive(self, node: Node, values: Mapping[str, Array]) -> Array:
        assert isinstance(node.op, Neurons)
        return node.op.drive(values[self.sources[node.name][0]], self.dt)

    def _step(
        self, node: Node, values: Mapping[str, Array], states: Mapping[str, State], drives: Mapping[str, Array]
    ) -> Array:
        op, name = node.op, node.name
        if name not in states:
            return self._evaluate(node, values)
        assert isinstance(op, Stateful)
        if isinstance(op, Neurons):
            return op.fire(drives[name] if name in drives else self._drive(node, values), states[name], self.dt)
        return op.step(states[name], self.dt, *(values[s] for s in self.sources[name]))

    def _empty(self, batch: int) -> Simulated:
        graph = self.graph
        return Simulated(
            {
                output: np.empty((batch, self.steps, *graph[node].type.shape), dtype=np.float32)
                for output, node in self.outputs.items()
            },
            *({n: np.zeros((batch, *graph[n].type.shape), dtype=np.float32) for n in self.watch} for _ in range(2)),
        )

    def _record(self, done: Simulated, t: int, values: Mapping[str, Array]) -> None:
        for output, node in self.outputs.items():
            done.outputs[output][:, t] = values[node]
        sums = done.means if self.window.start <= t < self.window.stop else done.totals
        for name in self.watch:
            sums[name] += values[name]
