"""Run a graph over time in numpy: batched, spike for spike what reference Nengo does.

Order within a step, as Nengo has it: connections and neurons act at once, a synapse shows what it held after the
step before and then takes in the present value. What does not change over time is computed once.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.ir.evaluate import feed
from snnc.ir.graph import Graph, Node
from snnc.ir.neurons import Neurons, State, Synapse
from snnc.ir.parallel import over_batch
from snnc.ir.readout import in_time
from snnc.ir.types import AnyArray, Array

_ELEMENTS = 1 << 21
"""Elements of the largest tensor that a part of the batch holds at a time."""


@dataclass
class Simulated:
    """What a run gave, float32 in the model's own units."""

    outputs: dict[str, Array] = field(default_factory=dict)
    """By output name: ``(batch, steps, *shape)``."""
    means: dict[str, Array] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the mean over the window."""
    totals: dict[str, Array] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the sum over all steps."""


def initial_state(node: Node, seed: int) -> State:
    """Return the state of a population before the first step, ``shape`` each: the same for every backend and sample."""
    op = node.op
    assert isinstance(op, Neurons)
    rng = np.random.default_rng([seed, zlib.crc32(node.name.encode())])
    return op.model.start(node.type.shape, rng)


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
        x: ``(batch, *shape)``, or one such array an input name.
        steps: how many steps of ``dt`` seconds.
        window: the steps over which means of watched nodes are taken.
        dt: seconds a step.
        seed: of the initial states.
        watch: nodes whose means and totals are wanted.
        outputs: whether the outputs of every step are wanted; without them only what the watched nodes need runs.

    Raises:
        DataError: the arrays do not fit the inputs.
    """
    inputs = feed(graph, x)
    graph = in_time(graph)
    run = _Run(graph, steps, window, dt, seed, tuple(watch), outputs)
    widest = max(node.type.size for node in graph)
    parts = over_batch(inputs, run.part, largest=max(1, _ELEMENTS // widest))
    return _joined(parts)


def _joined(parts: Sequence[Simulated]) -> Simulated:
    if len(parts) == 1:
        return parts[0]
    return Simulated(
        *(
            {name: np.concatenate([getattr(p, table)[name] for p in parts]) for name in getattr(parts[0], table)}
            for table in ("outputs", "means", "totals")
        )
    )


class _Run:
    """What is the same for every part of the batch."""

    def __init__(
        self, graph: Graph, steps: int, window: slice, dt: float, seed: int, watch: tuple[str, ...], outputs: bool
    ) -> None:
        self.graph, self.steps, self.window, self.dt, self.watch = graph, steps, window, dt, watch
        self.outputs = dict(graph.output_nodes) if outputs else {}
        needed = graph.ancestors({*watch, *self.outputs.values()})
        self.sources = {node.name: graph.sources(node.name) for node in graph}
        self.static: list[Node] = []
        self.dynamic: list[Node] = []
        moving: set[str] = set()
        for node in graph:
            if node.name not in needed:
                continue
            if _acts_over_time(node) or not moving.isdisjoint(self.sources[node.name]):
                moving.add(node.name)
                self.dynamic.append(node)
            elif node.op.arity != 0:
                self.static.append(node)
        self.start = {node.name: initial_state(node, seed) for node in self.dynamic if isinstance(node.op, Neurons)}

    def part(self, inputs: Mapping[str, Array]) -> Simulated:
        """Return what a part of the batch gives."""
        batch = len(next(iter(inputs.values()))) if inputs else 1
        values = dict(inputs)
        with np.errstate(all="ignore"):
            for node in self.static:
                values[node.name] = self._evaluate(node, values)
            states = {
                name: {key: np.repeat(value[None], batch, axis=0) for key, value in state.items()}
                for name, state in self.start.items()
            }
            done = self._empty(batch)
            for t in range(self.steps):
                for node in self.dynamic:
                    values[node.name] = self._step(node, values, states)
                self._record(done, t, values)
        for name in self.watch:
            done.means[name] /= self.window.stop - self.window.start
        return done

    def _evaluate(self, node: Node, values: Mapping[str, Array]) -> Array:
        return np.asarray(node.op.evaluate(*(values[s] for s in self.sources[node.name])), dtype=np.float32)

    def _step(self, node: Node, values: Mapping[str, Array], states: dict[str, State]) -> Array:
        op = node.op
        if isinstance(op, Neurons):
            return op.step(values[self.sources[node.name][0]], states[node.name], self.dt)
        if isinstance(op, Synapse):
            return op.model.step(values[self.sources[node.name][0]], states.setdefault(node.name, {}), self.dt)
        return self._evaluate(node, values)

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
        for name in self.watch:
            done.totals[name] += values[name]
            if self.window.start <= t < self.window.stop:
                done.means[name] += values[name]


def _acts_over_time(node: Node) -> bool:
    return isinstance(node.op, Synapse) or (isinstance(node.op, Neurons) and node.op.model.spiking)
