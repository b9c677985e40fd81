"""Sums of values over the steps of a run, kept in the simulation, because all of their history would not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import nengo
import tensorflow as tf
from nengo.builder.operator import Copy, Operator, Reset, TimeUpdate
from nengo_dl.builder import OpBuilder


class Tally(Operator):
    """Adds up ``of(x + offset)`` over the steps: all of them, or those from a certain one on."""

    def __init__(self, x: Any, total: Any, count: Any, start: Any, of: Callable[[Any], Any] | None) -> None:
        """Take the signals of what to add, of the sum and of the number of the step, and the variable of the step.

        Without a function it is the sum of ``x`` from that step on.
        """
        super().__init__(tag=f"{x.name} tally")
        self.x, self.total, self.count, self.start, self.of = x, total, count, start, of
        self.sets, self.incs = list[Any](), list[Any]()
        self.reads, self.updates = [x, count], [total]


class TallyBuilder(OpBuilder):
    """Builds a Tally."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        (op,) = self.ops
        x, total = signals.gather(signals[op.x]), signals.gather(signals[op.total])
        if op.of is not None:
            signals.scatter(signals[op.total], total + op.of(x))
            return
        late = signals.gather(signals[op.count])[0] > op.start  # steps count from 1
        signals.scatter(signals[op.total], tf.cond(late, lambda: total + x, lambda: total))


class Tallies:
    """A simplification for NengoDL that makes sums of certain nodes."""

    def __init__(self, start: Any) -> None:
        """Take a variable: the number of steps before those of the read-out."""
        self.start = start
        self._added: dict[str, Callable[[Any], Any] | None] = {}

    def add(self, name: str, source: Any, offset: Any) -> tuple[Any, ...]:
        """Add probes to a network that give sums of an object when it has run.

        The first is of absolute values with an offset added, the second counts those other than zero, both over all
        steps; the third is the sum inside the window.
        """
        sums: dict[str, Callable[[Any], Any] | None] = {
            "sent": lambda x: tf.abs(x + offset),
            "messages": lambda x: tf.cast(x + offset != 0, x.dtype),
            "inside": None,
        }
        probes = []
        for what, added in sums.items():
            node = nengo.Node(size_in=source.size_out, label=f"{name} {what}")
            nengo.Connection(source, node, synapse=None)
            probes.append(nengo.Probe(node, label=node.label))
            self._added[f"{node}.in"] = added
        return tuple(probes)

    def __call__(self, operators: Sequence[Any]) -> list[Any]:
        """Return the operators, with those of our nodes replaced."""
        steps = [operator.step for operator in operators if isinstance(operator, TimeUpdate)]
        result = []
        for operator in operators:
            if isinstance(operator, Copy) and operator.dst.name in self._added:
                added = self._added[operator.dst.name]
                operator = Tally(operator.src, operator.dst, steps[0], self.start, added)
            elif isinstance(operator, Reset) and operator.dst.name in self._added:
                continue
            result.append(operator)
        return result
