"""Ops over time as streams: one slice of a sequence a step, and a state from step to step."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Array, TensorType
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
    """y = the slices now, ``dilation`` steps ago, …: ``taps`` of them, oldest first, (taps, *shape); zeros at first."""

    kind: ClassVar[str] = "delay-line"
    linear: ClassVar[bool] = True
    taps: int
    dilation: int = 1

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if self.taps < 1 or self.dilation < 1:
            raise ShapeError(f"{self.taps} taps {self.dilation} steps apart are no delay line")
        return x.with_shape((self.taps, *x.shape))

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        span = (self.taps - 1) * self.dilation + 1
        return {"slices": np.zeros((span, *inputs[0].shape), dtype=np.float32)}

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        slices = np.concatenate([state["slices"][:, 1:], inputs[0][:, None]], axis=1)
        state["slices"] = slices
        return np.ascontiguousarray(slices[:, :: self.dilation])


FUNCTIONS = ("mean", "sum", "max", "min")


@op
class Running(Causal):
    """y = the mean, sum, largest or smallest of the slices so far; of those whose mask, a second input, is not 0."""

    kind: ClassVar[str] = "running"
    arity: ClassVar[int | None] = None
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

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        x, *masks = inputs
        keep = masks[0].reshape(-1, *(1,) * (x.ndim - 1)) != 0 if masks else np.True_
        so_far = state["so_far"]
        if self.function in ("max", "min"):
            better = np.maximum(so_far, x) if self.function == "max" else np.minimum(so_far, x)
            so_far = state["so_far"] = np.where(keep, better, so_far)
            return so_far.astype(np.float32)
        so_far += np.where(keep, x, 0)
        state["count"] += keep
        if self.function == "sum":
            return so_far.astype(np.float32)
        return np.asarray(so_far / np.maximum(state["count"], 1), dtype=np.float32)


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
        return TensorType(inner.shape[-1:])

    def multiply_adds(self, *inputs: TensorType) -> int:
        return int(self.op.kernel.size + self.op.recurrent.size)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {name: np.zeros(self.op.units, dtype=np.float32) for name in ("out", *self._states)}

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        mask = inputs[1] if self.op.masked else None
        before = tuple(state[name] for name in self._states)
        out, states = self.op.advance(self.op.project(inputs[0]), state["out"], before, mask)
        state.update({"out": out, **dict(zip(self._states, states, strict=True))})
        return {"state": states[0], "cell": states[-1]}.get(self.op.gives, out)

    @property
    def _states(self) -> tuple[str, ...]:
        return tuple(f"state{k}" for k in range(self.op.memories))


@op
class Filter(Causal):
    """One step of a filter over time, which takes the present slice in before it answers, as Keras does."""

    kind: ClassVar[str] = "filter"
    linear: ClassVar[bool] = True
    op: TimeFilter

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        self.op.infer(x.with_shape((1, *x.shape)))
        return TensorType(x.shape)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {"y": self.op.initial, "slope": np.zeros_like(self.op.initial)}

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        state["y"], state["slope"] = self.op.step(inputs[0], (state["y"], state["slope"]))
        y: Array = state["y"]
        return y
