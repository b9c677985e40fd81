"""Reductions of whole axes to one number, and normalisations by such numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, Shape, TensorType


def with_batch(axes: Shape) -> tuple[int, ...]:
    """Return axes counted without the batch as axes of a batched array."""
    return tuple(axis + 1 for axis in axes)


def check_axes(axes: Shape, x: TensorType) -> None:
    """Raise ShapeError unless the axes are some of the input's, each once, counted from 0 without the batch."""
    if not axes or len(set(axes)) != len(axes) or not all(0 <= axis < len(x.shape) for axis in axes):
        raise ShapeError(f"axes {axes} are not axes of {x}")


@op
class Reduce(Op):
    """y = one number for all elements along the axes, which are dropped or kept with size one."""

    function: ClassVar[Callable[..., Any]]
    axes: Shape
    keepdims: bool = False

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        check_axes(self.axes, x)
        kept = ((1 if axis in self.axes else n) for axis, n in enumerate(x.shape))
        rest = (n for axis, n in enumerate(x.shape) if axis not in self.axes)
        return x.with_shape(tuple(kept if self.keepdims else rest))

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(type(self).function(inputs[0], axis=with_batch(self.axes), keepdims=self.keepdims))


@op
class Sum(Reduce):
    """y = the sum along the axes."""

    kind: ClassVar[str] = "sum"
    linear: ClassVar[bool] = True
    function: ClassVar[Callable[..., Any]] = np.sum


@op
class Mean(Reduce):
    """y = the mean along the axes."""

    kind: ClassVar[str] = "mean"
    linear: ClassVar[bool] = True
    function: ClassVar[Callable[..., Any]] = np.mean


@op
class Max(Reduce):
    """y = the largest along the axes."""

    kind: ClassVar[str] = "max"
    function: ClassVar[Callable[..., Any]] = np.max


@op
class Min(Reduce):
    """y = the smallest along the axes."""

    kind: ClassVar[str] = "min"
    function: ClassVar[Callable[..., Any]] = np.min


@op
class MaskedMean(Op):
    """y = sum(x * mask) / sum(mask) along the first axis; x (steps, ...), mask (steps,)."""

    kind: ClassVar[str] = "masked-mean"
    arity: ClassVar[int | None] = 2

    def infer(self, *inputs: TensorType) -> TensorType:
        x, mask = inputs
        if len(x.shape) < 2 or mask.shape != x.shape[:1]:
            raise ShapeError(f"a mask of shape {mask.shape} does not fit the steps of {x}")
        return TensorType(x.shape[1:])

    def evaluate(self, *inputs: Array) -> Array:
        x, mask = inputs
        weight = mask.reshape(*mask.shape, *(1,) * (x.ndim - 2))
        return np.asarray((x * weight).sum(axis=1) / weight.sum(axis=1))


@op
class Standardize(Op):
    """y = (x - m) / sqrt(mean((x - m)^2) + epsilon) over the axes; m = mean(x), or 0 if not ``center``."""

    kind: ClassVar[str] = "standardize"
    axes: Shape
    epsilon: float = 1e-3
    center: bool = True

    def infer(self, *inputs: TensorType) -> TensorType:
        check_axes(self.axes, inputs[0])
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        axes = with_batch(self.axes)
        if self.center:
            x = x - x.mean(axis=axes, keepdims=True)
        return np.asarray(x / np.sqrt(np.square(x).mean(axis=axes, keepdims=True) + np.float32(self.epsilon)))


@op
class UnitNorm(Op):
    """y = x / sqrt(max(sum(x^2), epsilon)) over the axes."""

    kind: ClassVar[str] = "unit-norm"
    axes: Shape
    epsilon: float = 1e-12

    def infer(self, *inputs: TensorType) -> TensorType:
        check_axes(self.axes, inputs[0])
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        square = np.square(x).sum(axis=with_batch(self.axes), keepdims=True)
        return np.asarray(x / np.sqrt(np.maximum(square, np.float32(self.epsilon))))
