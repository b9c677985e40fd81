"""Sums of values over the steps of a run, kept in the simulation, because all of their history would not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
import tensorflow as tf
from nengo.builder.operator import Copy, Operator, Reset, TimeUpdate
from nengo_dl.builder import OpBuilder


class Tally(Operator):
    """Adds ``x`` to a sum in the steps from a certain one on, or the absolute value of ``x + offset`` in all steps."""

    def __init__(self, x: Any, total: Any, count: Any, start: Any, offset: Any) -> None:
        """Take the signals of what to add, of the sum and of the number of the step, and the variable of the step.

        Without an ``offset`` it is the sum from that step on.
        """
        super().__init__(tag=f"{x.name} tally")
        self.x, self.total, self.count, self.start, self.offset = x, total, count, start, offset
        self.sets, self.incs = list[Any](), list[Any]()
        self.reads, self.updates = [x, count], [total]


class TallyBuilder(OpBuilder):
    """Builds a Tally."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        (op,) = self.ops
        x, total = signals.gather(signals[op.x]), signals.gather(signals[op.total])
        if op.offset is not None:
            signals.scatter(signals[op.total], total + tf.abs(x + op.offset))
            return
        late = signals.gather(signals[op.count])[0] > op.start  # steps count from 1
        signals.scatter(signals[op.total], tf.cond(late, lambda: total + x, lambda: total))


class Tallies:
    """A simplification for NengoDL that makes sums of certain nodes."""

    def __init__(self, start: Any) -> None:
        """Take a variable: the number of steps before those of the read-out."""
        self.start = start
        self._offsets: dict[str, Any] = {}

    def add(self, name: str, source: Any, offset: Any) -> tuple[Any, Any]:
        """Add probes to a network that give sums of an object when it has run.

        The first is of absolute values with an offset added, over all steps; the second is that inside the window.
        """
        probes = []
        for what, added in (("sent", offset), ("inside", None)):
            node = nengo.Node(size_in=source.size_out, label=f"{name} {what}")
            nengo.Connection(source, node, synapse=None)
            probes.append(nengo.Probe(node, label=node.label))
            self._offsets[f"{node}.in"] = added
        return probes[0], probes[1]

    def __call__(self, operators: Sequence[Any]) -> list[Any]:
        """Return the operators, with those of our nodes replaced."""
        steps = [operator.step for operator in operators if isinstance(operator, TimeUpdate)]
        result = []
        for operator in operators:
            if isinstance(operator, Copy) and operator.dst.name in self._offsets:
                offset = self._offsets[operator.dst.name]
                operator = Tally(operator.src, operator.dst, steps[0], self.start, offset)
            elif isinstance(operator, Reset) and operator.dst.name in self._offsets:
                continue
            result.append(operator)
        return result
