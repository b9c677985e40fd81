"""How samples are shown to a graph: each for a number of steps, or as sequences, one slice a step.

``presentation(graph)`` returns the one object that knows; nothing else asks whether a graph is temporal to decide what
axes an array has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.engine.read_out import ReadOut
from snnc.errors import DataError
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.ops.activations import Activation
from snnc.ops.causal import DelayLine, LastStep
from snnc.ops.layers import Input
from snnc.ops.stateful import Causal

LENGTH = 10
"""Slices of random sequences, where the model takes any number."""


@dataclass(frozen=True)
class Presentation:
    """A sample is shown for any number of steps and stays the same meanwhile. Values are ``(batch, *shape)``."""

    graph: Graph

    temporal = False
    """Whether the inputs are sequences, ``(batch, time, *shape)``, of which one slice is presented a step."""
    axes: tuple[str, ...] = ("batch",)
    """What the axes in front of a sample's own shape are."""
    seconds: float | None = None
    """How long a slice is shown, where the model says."""
    length: int | None = None
    """The number of slices that the model fixes, or None."""

    def check(self, inputs: Mapping[str, AnyArray]) -> None:
        """Raise DataError where sequences do not fit together or the model."""

    def steps(self, inputs: Mapping[str, Array], asked: int | None, default: int) -> int:
        """Return how many steps samples are shown; raise DataError where they cannot be shown for so many."""
        return default if asked is None else asked

    def repeats(self, steps: int) -> int:
        """Return in how many of the steps an input brings something new."""
        return 1

    def values(self, inputs: Mapping[str, Array]) -> int:
        """Return how many values of a sample the batch axis of one evaluation holds."""
        return 1

    def evaluate(self, op: Op, *inputs: Array) -> Array:
        """Return the output of an op in rate mode."""
        return op.evaluate(*inputs)

    def as_samples(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return values with a batch axis alone: every slice of a sequence is a sample."""
        return dict(values)

    def mean(self, values: Mapping[str, Array], window: slice) -> dict[str, Array]:
        """Return ``(batch, *shape)`` values by node: of sequences, their means over a window of steps.

        Of populations whose spikes say what has changed it is the change over the window: what these add up to.
        """
        return dict(values)

    def read_out(self, outputs: Mapping[str, Array], read_out: ReadOut, dt: float) -> dict[str, Array]:
        """Return the answer of outputs in rate mode, ``(batch, *shape)``: those of sequences are read out."""
        return dict(outputs)

    def answer(self, outputs: Mapping[str, Array], read_out: ReadOut, dt: float) -> dict[str, Array]:
        """Return a model's answer for each sample, ``(batch, *shape)``; outputs of every slice are read out."""
        return dict(outputs)

    def as_keras(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return outputs in rate mode as Keras returns them: of those behind a ``LastStep``, the last slice only."""
        return dict(outputs)

    @property
    def answers_at_the_end(self) -> bool:
        """Return whether every output is read after the last slice through something that averages.

        That is a mean, a filter or a recurrent cell, so that no activation which may spike shows in that step alone;
        the default read-out may then be ``last``.
        """
        return False


@dataclass(frozen=True)
class Sequences(Presentation):
    """One slice of each sequence is presented a step. Values are ``(batch, time, *shape)``."""

    temporal = True
    axes: tuple[str, ...] = ("batch", "time")

    def check(self, inputs: Mapping[str, AnyArray]) -> None:
        counts = {name: inputs[name].shape[1] for name in inputs}
        if len(set(counts.values())) > 1:
            raise DataError(f"the sequences have different numbers of slices: {counts}")
        count, *_ = counts.values()
        if self.length not in (None, count):
            raise DataError(
                f"the model takes sequences of {self.length} slices, got {count}; save it with a time axis of None to "
                "run any"
            )
        if count < 1:
            raise DataError("the sequences have no slices")

    def steps(self, inputs: Mapping[str, Array], asked: int | None, default: int) -> int:
        slices = self.values(inputs)
        if asked not in (None, slices):
            raise DataError(
                f"one slice is presented a step: the sequences have {slices} slices, so leave steps out or say "
                f"{slices}, not {asked}"
            )
        return slices

    def repeats(self, steps: int) -> int:
        return steps

    def values(self, inputs: Mapping[str, Array]) -> int:
        return int(next(iter(inputs.values())).shape[1])

    def evaluate(self, op: Op, *inputs: Array) -> Array:
        """Return ``(batch, time, *shape)``; causal ops run over time, and all others see slices as more samples."""
        if isinstance(op, Causal):
            return op.over_time(*inputs)
        batch, time = inputs[0].shape[:2]
        y = op.evaluate(*(x.reshape(batch * time, *x.shape[2:]) for x in inputs))
        return y.reshape(batch, time, *y.shape[1:])

    def as_samples(self, values: Mapping[str, Array]) -> dict[str, Array]:
        return {name: y.reshape(-1, *y.shape[2:]) for name, y in values.items()}

    def mean(self, values: Mapping[str, Array], window: slice) -> dict[str, Array]:
        return {name: self._over(name, y, window) for name, y in values.items()}

    def _over(self, name: str, y: Array, window: slice) -> Array:
        op = self.graph[name].op
        if not (isinstance(op, Neurons) and op.model.graded):
            return np.asarray(y[:, window].mean(axis=1, dtype=np.float32))
        steps = range(y.shape[1])[window]
        return y[:, steps[-1]] - y[:, steps[0] - 1] if steps[0] else y[:, steps[-1]]

    def read_out(self, outputs: Mapping[str, Array], read_out: ReadOut, dt: float) -> dict[str, Array]:
        return {name: read_out(y, dt) for name, y in outputs.items()}

    def answer(self, outputs: Mapping[str, Array], read_out: ReadOut, dt: float) -> dict[str, Array]:
        return {name: y[:, -1] if name in self.of_last_step else read_out(y, dt) for name, y in outputs.items()}

    def as_keras(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        return {name: y[:, -1] if name in self.of_last_step else y for name, y in outputs.items()}

    @property
    def of_last_step(self) -> set[str]:
        """Return the outputs that have one value, that of the last step, rather than one a step."""
        return {
            output
            for output, node in self.graph.output_nodes.items()
            if any(isinstance(self.graph[name].op, LastStep) for name in self.graph.ancestors({node}))
        }

    @property
    def answers_at_the_end(self) -> bool:
        jumps: dict[str, bool] = {}
        for node in self.graph:
            op = node.op
            own = op if isinstance(op, Activation) else getattr(op, "activation", None)
            gathers = isinstance(op, Causal) and not isinstance(op, DelayLine)
            fed = any(jumps[source] for source in self.graph.sources(node.name))
            jumps[node.name] = not gathers and (fed or (isinstance(own, Activation) and own.elementwise))
        nodes = self.graph.output_nodes
        return self.of_last_step == set(nodes) and not any(jumps[node] for node in nodes.values())


def presentation(graph: Graph) -> Presentation:
    """Return how samples are shown to a graph: its inputs say so."""
    inputs = [op for name in graph.inputs if isinstance(op := graph[name].op, Input)]
    seconds = next((op.dt for op in inputs if op.dt is not None), None)
    if seconds is None:
        return Presentation(graph)
    length = next((op.length for op in inputs if op.length is not None), None)
    return Sequences(graph, seconds=seconds, length=length)


def is_temporal(graph: Graph) -> bool:
    """Return whether the inputs are sequences, ``(batch, time, *shape)``."""
    return presentation(graph).temporal
