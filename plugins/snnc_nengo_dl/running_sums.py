"""Sums of values over the steps of a run, kept in the simulation, because all of their history would not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
import tensorflow as tf
from nengo.builder.operator import Copy, Operator, Reset, TimeUpdate
from nengo_dl.builder import OpBuilder


class Tally(Operator):
    """Adds ``x`` to a sum: in the steps from a certain one on, or in those before it."""

    def __init__(self, x: Any, total: Any, count: Any, start: Any, late: bool) -> None:
        """Take the signals of what to add, of the sum and of the number of the step, and the variable of the step."""
        super().__init__(tag=f"{x.name} tally")
        self.x, self.total, self.count, self.start, self.late = x, total, count, start, late
        self.sets, self.incs = list[Any](), list[Any]()
        self.reads, self.updates = [x, count], [total]


class TallyBuilder(OpBuilder):
    """Builds a Tally."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        (op,) = self.ops
        late = signals.gather(signals[op.count])[0] > op.start  # steps count from 1
        x, total = signals.gather(signals[op.x]), signals.gather(signals[op.total])
        counts = late if op.late else tf.logical_not(late)
        signals.scatter(signals[op.total], tf.cond(counts, lambda: total + x, lambda: total))


class Tallies:
    """A simplification for NengoDL that makes sums of certain nodes."""

    def __init__(self, start: Any) -> None:
        """Take a variable: the number of steps before those of the read-out."""
        self.start = start
        self._late: dict[str, bool] = {}

    def add(self, name: str, source: Any) -> tuple[Any, Any]:
        """Add probes to a network that give the sums of an object before and inside the window, when it has run."""
        probes = []
        for late in (False, True):
            node = nengo.Node(size_in=source.size_out, label=f"{name} {'inside' if late else 'before'}")
            nengo.Connection(source, node, synapse=None)
            probes.append(nengo.Probe(node, label=node.label))
            self._late[f"{node}.in"] = late
        return probes[0], probes[1]

    def __call__(self, operators: Sequence[Any]) -> list[Any]:
        """Return the operators, with those of our nodes replaced."""
        steps = [operator.step for operator in operators if isinstance(operator, TimeUpdate)]
        result = []
        for operator in operators:
            if isinstance(operator, Copy) and operator.dst.name in self._late:
                late = self._late[operator.dst.name]
                operator = Tally(operator.src, operator.dst, steps[0], self.start, late)
            elif isinstance(operator, Reset) and operator.dst.name in self._late:
                continue
            result.append(operator)
        return result
