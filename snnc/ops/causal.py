"""Ops over time as streams: one slice of a sequence a step, and a state from step to step."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from snnc import limits
from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import TensorType
from snnc.ops.pure import PureOp
from snnc.ops.recurrent import Recurrent, TimeFilter
from snnc.ops.stateful import Causal, State


@op
class LastStep(PureOp):
    """y = x. Marks where the model drops its time axis and goes on with the last slice alone."""

    kind: ClassVar[str] = "last-step"
    linear: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return inputs[0]

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x


@op
class DelayLine(Causal):
    """y = the slices now, ``dilation`` steps ago, …: ``(taps, *shape)``, oldest first; zeros at first."""

    kind: ClassVar[str] = "delay-line"
    linear: ClassVar[bool] = True
    taps: int
    dilation: int = 1

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if self.taps < 1 or self.dilation < 1:
            raise ShapeError(f"{self.taps} taps {self.dilation} steps apart are no delay line")
        limits.require("elements of a tensor", self._span * x.size, "a delay line")
        return x.with_shape((self.taps, *x.shape))

    @property
    def _span(self) -> int:
        """Return how many slices it remembers."""
        return (self.taps - 1) * self.dilation + 1

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {"slices": np.zeros((self._span, *inputs[0].shape), dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        (x,) = drive
        slices = xp.concat([state["slices"][:, 1:], x[:, None]], axis=1)
        return slices[:, :: self.dilation], {"slices": slices}


FUNCTIONS = ("mean", "sum", "max", "min")


@op
class Running(Causal):
    """y = the mean, sum, largest or smallest of the slices so far; of those whose mask, a second input, is not 0."""

    kind: ClassVar[str] = "running"
    arity: ClassVar[int | None] = None
    elementwise: ClassVar[bool] = True
    function: str = "mean"

    @property
    def is_linear(self) -> bool:
        return self.function in ("mean", "sum")

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.function not in FUNCTIONS:
            raise ShapeError(f"unknown function {self.function!r}; known: {', '.join(FUNCTIONS)}")
        if len(inputs) > 2 or any(mask.size != 1 for mask in inputs[1:]):
            raise ShapeError(f"after x comes a mask of one number at most, got {', '.join(map(str, inputs[1:]))}")
        return TensorType(inputs[0].shape)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        first = {"max": -np.inf, "min": np.inf}.get(self.function, 0.0)
        return {"so_far": np.full(inputs[0].shape, first), "count": np.zeros((1,) * len(inputs[0].shape))}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        given, *masks = drive
        so_far, count = state["so_far"], state["count"]  # in float64
        x = xp.astype(given, so_far.dtype)
        keep = xp.reshape(masks[0] if masks else xp.ones_like(count), (-1, *(1,) * (len(x.shape) - 1))) != 0
        count = count + xp.astype(keep, count.dtype)
        if self.function in ("max", "min"):
            better = xp.maximum(so_far, x) if self.function == "max" else xp.minimum(so_far, x)
            so_far = xp.where(keep, better, so_far)
        else:
            so_far = so_far + xp.where(keep, x, xp.zeros_like(x))
        y = so_far / xp.maximum(count, 1) if self.function == "mean" else so_far
        return xp.astype(y, given.dtype), {"so_far": so_far, "count": count}


@op
class Cell(Causal):
    """One step of a recurrent layer: its output, or with ``gives="cell"`` its second state. A mask may come second."""

    kind: ClassVar[str] = "cell"
    arity: ClassVar[int | None] = None
    op: Recurrent

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.op.backwards or self.op.states:
            raise ShapeError("a stream cannot be read backwards, nor from a state given from outside")
        inner = self.op.infer(*(x.with_shape((1, *x.shape)) for x in inputs))
        return TensorType(inner.shape[1:] if self.op.gives == "sequence" else inner.shape)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return self.op.multiply_adds(*(x.with_shape((1, *x.shape)) for x in inputs))

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        state = self.op.state(inputs[0].shape)
        return {name: np.zeros(state, dtype=np.float32) for name in ("out", *self._states)}

    def drive(self, xp: Namespace, *inputs: Any) -> Any:
        return self.op.project(xp, inputs[0]), *inputs[1:]

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        x, *mask = drive
        before = tuple(state[name] for name in self._states)
        out, states = self.op.advance(xp, x, state["out"], before, mask[0] if self.op.masked else None)
        y = {"state": states[0], "cell": states[-1]}.get(self.op.gives, out)
        return y, {"out": out, **dict(zip(self._states, states, strict=True))}

    @property
    def _states(self) -> tuple[str, ...]:
        return tuple(f"state{k}" for k in range(self.op.memories))


@op
class Filter(Causal):
    """One step of a filter over time, which takes the present slice in before it answers, as Keras does."""

    kind: ClassVar[str] = "filter"
    linear: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True
    op: TimeFilter

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        self.op.infer(x.with_shape((1, *x.shape)))
        return TensorType(x.shape)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {"y": self.op.initial, "slope": np.zeros_like(self.op.initial)}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        (x,) = drive
        y, slope = self.op.rule(xp, x, (state["y"], state["slope"]))
        return y, {"y": y, "slope": slope}
