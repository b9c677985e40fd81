"""Run a graph over time in numpy: batched, with the spikes of reference Nengo.

Order within a step, as Nengo has it: connections and neurons act at once, a synapse shows what it held after the
step before and then takes in the present value. What does not change over time is computed once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from snnc.engine.batching import over_batch, part_of_batch
from snnc.engine.move_filters import move_filters
from snnc.engine.presentation import is_temporal, presentation
from snnc.engine.rate import validated_inputs
from snnc.engine.recording import Recording
from snnc.engine.schedule import schedule, sending
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.text import line
from snnc.ir.types import AnyArray, Array, TensorType
from snnc.neurons import Neurons
from snnc.ops.kernels.exact import exact_spikes
from snnc.ops.read_out_activation import stepwise
from snnc.ops.stateful import State, Stateful, for_batch

FEWEST, MOST = 1 << 18, 1 << 21
"""Elements of the largest tensor that a part of the batch holds at a time. With the fewest, populations stay in a
cache; but weights that do not fit there are read once a part and step, so that a part must be worth that."""

_Drive = TypeVar("_Drive")
Values: TypeAlias = Mapping[str, Array]
"""Of nodes, ``(batch, *shape)`` by name."""


class External(Protocol):
    """Nodes that something beside the engine computes, such as a chip whose host the engine plays."""

    reads: Mapping[str, Sequence[str]]
    """By the name of each such node, the nodes whose values it is computed from."""
    lags: Mapping[str, int] = MappingProxyType({})
    """By node of a temporal graph, how many steps after its slice its value comes; those that are not named come at
    once. A run goes on for as many steps more, while the last slice stays, and all that it records is of the slices."""

    def start(self, batch: int) -> Stepper:
        """Return it in its fresh state, for so many samples; it may be asked by several threads at a time."""


class Stepper(Protocol):
    """External nodes in a state."""

    def drive(self, name: str, values: Values) -> AnyArray | None:
        """Return all of a node's step that depends on what it reads alone; asked once where that does not change."""

    def step(self, name: str, drive: AnyArray | None) -> Array:
        """Return the value of a node in this step, in its place among the nodes of the graph."""

    def finish(self, values: Values, watch: Sequence[str]) -> Values:
        """End the step, of which all values are there; return the values that watched nodes have beside those."""


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
) -> Recording:
    """Present each sample for a number of steps, every one from the same fresh state.

    Args:
        graph: a graph with neurons, or without.
        x: ``(batch, *shape)``, or one such array an input name; ``(batch, time, *shape)`` for a temporal graph.
        steps: how many steps of ``dt`` seconds; the number of slices for a temporal graph.
        window: the steps over which means of watched nodes are taken.
        dt: seconds a step.
        seed: of the initial states.
        watch: nodes whose means, totals and messages are wanted.
        outputs: whether the outputs of every step are wanted; without them only what the watched nodes need runs.

    Raises:
        DataError: the arrays do not fit the inputs, or the steps the slices.
    """
    inputs = validated_inputs(graph, x)
    steps = presentation(graph).steps(inputs, steps, steps)
    return present(as_run(graph, watch), inputs, steps, window=window, dt=dt, seed=seed, watch=watch, outputs=outputs)


def as_run(graph: Graph, watch: Collection[str] = ()) -> Graph:
    """Return the graph as engines run it step by step: see ``stepwise`` and ``move_filters``."""
    graph = stepwise(graph)
    with graph.authored_by("move-filters"):
        move_filters(graph, watch)
    return graph


def text_as_run(graph: Graph) -> str:
    """Return the printed form of what ``simulate`` runs of a graph, by when it is computed."""
    graph = as_run(graph)
    when = schedule(graph, graph.output_nodes.values())
    lines = []
    for title, names in (("inputs", graph.inputs), ("once", when.static), ("in every step", when.dynamic)):
        lines += [f"{title}:", *(f"  {line(graph, graph[name])}" for name in names)]
    return "\n".join(lines)


def present(
    graph: Graph,
    inputs: Mapping[str, Array],
    steps: int,
    *,
    window: slice,
    dt: float = 0.001,
    seed: int = 0,
    watch: Collection[str] = (),
    outputs: bool = True,
    external: External | None = None,
    each_value: Callable[[str, int, Array], None] | None = None,
    sums: bool = True,
) -> Recording:
    """Do as ``simulate`` with a graph just as it is, and inputs that are validated; see there.

    Args:
        graph: a graph, most often one of ``as_run``.
        inputs: what ``validated_inputs`` gave.
        steps: as many as there are slices, for a temporal graph.
        window: the steps over which means of watched nodes are taken.
        dt: seconds a step.
        seed: of the initial states.
        watch: nodes whose means, totals and messages are wanted.
        outputs: whether the outputs of every step are wanted.
        external: what computes some of the nodes.
        each_value: is given each watched node, the number of each step, from 0, and its value in it; of one sample, as
            parts of a batch are computed side by side.
        sums: whether means, totals and messages of watched nodes are wanted.
    """
    shown = graph.output_nodes if outputs else {}
    run = Run(graph, steps, window, dt, seed, tuple(dict.fromkeys(watch)), shown, external, each_value, sums)
    return Recording.joined(over_batch(inputs, run.part, part_of_batch(graph, FEWEST, MOST)))


@dataclass
class Run:
    """A run: all that is the same for every part of the batch."""

    graph: Graph
    steps: int
    window: slice
    dt: float
    seed: int
    watch: tuple[str, ...]
    outputs: Mapping[str, str]
    external: External | None
    each_value: Callable[[str, int, Array], None] | None = None
    sums: bool = True
    """Whether the values of watched nodes are added up."""

    def __post_init__(self) -> None:
        graph, reads = self.graph, {} if self.external is None else self.external.reads
        self.temporal = is_temporal(graph)
        self.sources = {node.name: graph.sources(node.name) for node in graph}
        self.schedule = schedule(graph, {*self.watch, *self.outputs.values()}, reads)
        self.start = {
            name: initial_state(graph[name], tuple(graph[s].type for s in self.sources[name]), self.seed)
            for name in self.schedule.stateful
            if name not in reads
        }
        self.sending = () if self.temporal or self.external else sending(graph, self.schedule.stateful)
        self.lags = dict(self.external.lags) if self.temporal and self.external is not None else {}

    def part(self, inputs: Mapping[str, Array]) -> Recording:
        """Return what a part of the batch gives."""
        batch = len(next(iter(inputs.values()))) if inputs else 1
        values: dict[str, Array] = {} if self.temporal else dict(inputs)
        stepper = None if self.external is None else self.external.start(batch)
        watch = self.watch if self.sums else ()
        done = Recording.zeros(self.graph, batch, self.steps, watch, outputs=bool(self.outputs))
        with np.errstate(all="ignore"), exact_spikes():
            for name in self.schedule.static:
                values[name] = self._evaluate(name, values)
            steps = [(name, self._stepper(name, values, batch, stepper)) for name in self.schedule.dynamic]
            for t in range(self.steps + max(self.lags.values(), default=0)):
                if self.temporal:
                    now = min(t, self.steps - 1)
                    values.update((name, np.ascontiguousarray(x[:, now])) for name, x in inputs.items())
                for name, step in steps:
                    values[name] = step(values)
                for output, node in self.outputs.items():
                    if 0 <= (of := t - self.lags.get(node, 0)) < self.steps:
                        done.outputs[output][:, of] = values[node]
                seen = values if stepper is None else {**values, **stepper.finish(values, self.watch)}
                self._record(done, seen, t)
                if self.sending and not any(values[name].any() for name in self.sending):
                    for output, node in self.outputs.items():
                        done.outputs[output][:, t + 1 :] = values[node][:, None]
                    for later in range(t + 1, self.steps):
                        self._record(done, seen, later)
                    break
        for name in watch:
            done.means[name] /= self.window.stop - self.window.start
        return done

    def _record(self, done: Recording, seen: Values, t: int) -> None:
        """Add the values of watched nodes in a step to their sums."""
        for name in self.watch:
            of = t - self.lags.get(name, 0)
            if not 0 <= of < self.steps:
                continue
            if self.each_value is not None:
                self.each_value(name, of, seen[name])
            if not self.sums:
                continue
            if self.window.start <= of < self.window.stop:
                done.means[name] += seen[name]
            done.totals[name] += np.abs(seen[name])
            done.messages[name] += seen[name] != 0

    def _evaluate(self, name: str, values: Values) -> Array:
        y = self.graph[name].op.evaluate(*(values[s] for s in self.sources[name]))
        return np.asarray(y, dtype=np.float32)

    def _stepper(self, name: str, values: Values, batch: int, external: Stepper | None) -> Callable[[Values], Array]:
        """Return what gives the value of a node in a step from those of the nodes in front of it."""
        if name not in self.schedule.stateful:
            return lambda values: self._evaluate(name, values)
        op, sources = self.graph[name].op, self.sources[name]
        if name not in self.start:
            assert external is not None
            return self._driven(name, values, lambda v: external.drive(name, v), lambda d: external.step(name, d))
        state = for_batch(self.start[name], batch)
        if isinstance(op, Neurons):
            return self._driven(
                name, values, lambda v: op.drive(v[sources[0]], self.dt), lambda d: op.fire(d, state, self.dt)
            )
        assert isinstance(op, Stateful)
        return lambda values: op.step(state, self.dt, *(values[s] for s in sources))

    def _driven(
        self, name: str, values: Values, drive: Callable[[Values], _Drive], step: Callable[[_Drive], Array]
    ) -> Callable[[Values], Array]:
        """Return a step whose drive is computed now where it does not change."""
        if name not in self.schedule.driven:
            return lambda values: step(drive(values))
        constant = drive(values)
        return lambda values: step(constant)
