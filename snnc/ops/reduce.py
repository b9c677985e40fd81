"""Reductions of whole axes to one number, and normalisations by such numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Shape, TensorType
from snnc.ops.pure import PureOp

__all__ = [
    "LogSumExp",
    "MaskedMean",
    "Max",
    "Mean",
    "Min",
    "Norm",
    "Prod",
    "Reduce",
    "Standardize",
    "Sum",
    "UnitNorm",
    "Variance",
]


def with_batch(axes: Shape) -> tuple[int, ...]:
    """Return axes counted without the batch as axes of a batched array."""
    return tuple(axis + 1 for axis in axes)


def check_axes(axes: Shape, x: TensorType) -> None:
    """Raise ShapeError unless the axes are some of the input's, each once, counted from 0 without the batch."""
    if not axes or len(set(axes)) != len(axes) or not all(0 <= axis < len(x.shape) for axis in axes):
        raise ShapeError(f"axes {axes} are not axes of {x}")


@op
class Reduce(PureOp):
    """y = one number for all elements along the axes, which are dropped or kept with size one."""

    axes: Shape
    keepdims: bool = False

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        check_axes(self.axes, x)
        kept = ((1 if axis in self.axes else n) for axis, n in enumerate(x.shape))
        rest = (n for axis, n in enumerate(x.shape) if axis not in self.axes)
        return x.with_shape(tuple(kept if self.keepdims else rest))

    def rule(self, xp: Namespace, x: Any) -> Any:
        return getattr(xp, self.kind)(x, axis=with_batch(self.axes), keepdims=self.keepdims)


@op
class Sum(Reduce):
    """y = the sum along the axes."""

    kind: ClassVar[str] = "sum"
    linear: ClassVar[bool] = True


@op
class Mean(Reduce):
    """y = the mean along the axes."""

    kind: ClassVar[str] = "mean"
    linear: ClassVar[bool] = True


@op
class Max(Reduce):
    """y = the largest along the axes."""

    kind: ClassVar[str] = "max"


@op
class Min(Reduce):
    """y = the smallest along the axes."""

    kind: ClassVar[str] = "min"


@op
class Prod(Reduce):
    """y = the product along the axes."""

    kind: ClassVar[str] = "prod"


@op
class Variance(Reduce):
    """y = mean((x - mean(x))^2) along the axes."""

    kind: ClassVar[str] = "variance"

    def rule(self, xp: Namespace, x: Any) -> Any:
        axes = with_batch(self.axes)
        return xp.mean(xp.square(x - xp.mean(x, axis=axes, keepdims=True)), axis=axes, keepdims=self.keepdims)


@op
class Norm(Reduce):
    """y = sum(abs(x)^order)^(1 / order) along the axes."""

    kind: ClassVar[str] = "norm"
    order: float = 2.0

    def rule(self, xp: Namespace, x: Any) -> Any:
        axes, size = with_batch(self.axes), xp.abs(x)
        if self.order == 2:
            return xp.sqrt(xp.sum(xp.square(x), axis=axes, keepdims=self.keepdims))
        powers = size if self.order == 1 else xp.pow(size, self.order)
        total = xp.sum(powers, axis=axes, keepdims=self.keepdims)
        return total if self.order == 1 else xp.pow(total, 1 / self.order)


@op
class LogSumExp(Reduce):
    """y = log(sum(exp(x))) along the axes."""

    kind: ClassVar[str] = "log-sum-exp"

    def rule(self, xp: Namespace, x: Any) -> Any:
        axes = with_batch(self.axes)
        top = xp.max(x, axis=axes, keepdims=True)
        rest = xp.log(xp.sum(xp.exp(x - top), axis=axes, keepdims=self.keepdims))
        return rest + (top if self.keepdims else xp.max(x, axis=axes))


@op
class MaskedMean(PureOp):
    """y = sum(x * mask) / sum(mask) along the first axis; x (steps, ...), mask (steps,)."""

    kind: ClassVar[str] = "masked-mean"
    arity: ClassVar[int | None] = 2

    def infer(self, *inputs: TensorType) -> TensorType:
        x, mask = inputs
        if len(x.shape) < 2 or mask.shape != x.shape[:1]:
            raise ShapeError(f"a mask of shape {mask.shape} does not fit the steps of {x}")
        return TensorType(x.shape[1:])

    def rule(self, xp: Namespace, x: Any, mask: Any) -> Any:
        weight = mask[(..., *(None,) * (len(x.shape) - 2))]
        return xp.sum(x * weight, axis=1) / xp.sum(weight, axis=1)


@op
class Standardize(PureOp):
    """y = (x - m) / sqrt(mean((x - m)^2) + epsilon) over the axes; m = mean(x), or 0 if not ``center``."""

    kind: ClassVar[str] = "standardize"
    axes: Shape
    epsilon: float = 1e-3
    center: bool = True
    keep_mean: bool = False
    """Whether x itself is divided, not x - m."""

    def infer(self, *inputs: TensorType) -> TensorType:
        check_axes(self.axes, inputs[0])
        return TensorType(inputs[0].shape)

    def rule(self, xp: Namespace, x: Any) -> Any:
        axes = with_batch(self.axes)
        around = x - xp.mean(x, axis=axes, keepdims=True) if self.center else x
        deviation = xp.sqrt(xp.mean(xp.square(around), axis=axes, keepdims=True) + self.epsilon)
        return (x if self.keep_mean else around) / deviation


@op
class UnitNorm(PureOp):
    """y = x / sqrt(max(sum(x^2), epsilon)) over the axes."""

    kind: ClassVar[str] = "unit-norm"
    axes: Shape
    epsilon: float = 1e-12

    def infer(self, *inputs: TensorType) -> TensorType:
        check_axes(self.axes, inputs[0])
        return TensorType(inputs[0].shape)

    def rule(self, xp: Namespace, x: Any) -> Any:
        square = xp.sum(xp.square(x), axis=with_batch(self.axes), keepdims=True)
        return x / xp.sqrt(xp.maximum(square, self.epsilon))
