"""Nonlinearities that keep the shape: y = f(x), elementwise unless an axis is named."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Array, TensorType, broadcast
from snnc.ops.pure import PureOp

__all__ = [
    "Activation",
    "Celu",
    "Elu",
    "Exponential",
    "Gelu",
    "Glu",
    "HardSigmoid",
    "HardSwish",
    "Linear",
    "LogSoftmax",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sparsemax",
    "SpikingActivation",
    "Squareplus",
    "Swish",
    "Tanh",
]


class Activation(PureOp):
    """A nonlinearity, element by element. Its output is a value a step, even for spikes."""

    elementwise: ClassVar[bool] = True
    monotone: ClassVar[bool] = False
    """Whether it is elementwise and never falls, whatever its options."""

    @property
    def is_monotone(self) -> bool:
        """Return whether it is elementwise and never falls."""
        return self.monotone

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(inputs[0].shape)


@op
class Relu(Activation):
    """y = max_value clipped x where x >= threshold, else negative_slope * (x - threshold)."""

    kind: ClassVar[str] = "relu"
    negative_slope: float = 0.0
    threshold: float = 0.0
    max_value: float | None = None

    @property
    def plain(self) -> bool:
        """Return whether this is max(x, 0) and nothing else."""
        return self.negative_slope == 0 and self.threshold == 0 and self.max_value is None

    @property
    def is_monotone(self) -> bool:
        return self.negative_slope >= 0 and self.threshold >= 0

    def rule(self, xp: Namespace, x: Any) -> Any:
        if self.negative_slope == 0 and self.threshold == 0:
            return xp.maximum(x, 0.0) if self.max_value is None else xp.clip(x, 0.0, self.max_value)
        high = x if self.max_value is None else xp.minimum(x, self.max_value)
        return xp.where(x >= self.threshold, high, self.negative_slope * (x - self.threshold))


@op
class Linear(Activation):
    """y = x. Stands where values become spikes as they are; ``identity`` is for layers that do nothing."""

    kind: ClassVar[str] = "linear"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x


@op
class PRelu(Activation):
    """y = x where x > 0, else alpha * x. alpha broadcasts against the input's shape from the right."""

    kind: ClassVar[str] = "prelu"
    alpha: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if broadcast(self.alpha.shape, x.shape) != x.shape:
            raise ShapeError(f"alpha of shape {self.alpha.shape} does not broadcast to {x}")
        return TensorType(x.shape)

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.where(x > 0, x, self.alpha * x)


@op
class Elu(Activation):
    """y = x where x > 0, else alpha * (exp(x) - 1)."""

    kind: ClassVar[str] = "elu"
    alpha: float = 1.0

    @property
    def is_monotone(self) -> bool:
        return self.alpha >= 0

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.where(x > 0, x, self.alpha * xp.expm1(xp.minimum(x, 0.0)))


@op
class Celu(Activation):
    """y = x where x > 0, else alpha * (exp(x / alpha) - 1), after Barron 2017."""

    kind: ClassVar[str] = "celu"
    alpha: float = 1.0

    @property
    def is_monotone(self) -> bool:
        return self.alpha > 0

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.where(x > 0, x, self.alpha * xp.expm1(xp.minimum(x / self.alpha, 0.0)))


@op
class Selu(Activation):
    """y = scale * elu(x, alpha) with the two constants of Klambauer et al. 2017."""

    kind: ClassVar[str] = "selu"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        alpha, scale = 1.6732632423543772, 1.0507009873554805
        return scale * xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0)))


@op
class Gelu(Activation):
    """y = x * Phi(x), Phi the normal distribution function, or its tanh approximation (Hendrycks & Gimpel 2016)."""

    kind: ClassVar[str] = "gelu"
    approximate: bool = False

    def rule(self, xp: Namespace, x: Any) -> Any:
        if self.approximate:
            return 0.5 * x * (1 + xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
        return 0.5 * x * (1 + xp.erf(x / math.sqrt(2)))


@op
class Swish(Activation):
    """y = x * sigmoid(x), also called silu."""

    kind: ClassVar[str] = "swish"

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x * xp.sigmoid(x)


@op
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x))."""

    kind: ClassVar[str] = "sigmoid"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.sigmoid(x)


@op
class HardSigmoid(Activation):
    """y = clip(slope * x + 1/2, 0, 1). Slope 0.2 in Keras 2, 1/6 in Keras 3."""

    kind: ClassVar[str] = "hard-sigmoid"
    monotone: ClassVar[bool] = True
    slope: float

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.clip(self.slope * x + 0.5, 0.0, 1.0)


@op
class HardSwish(Activation):
    """y = x * clip(x / 6 + 1/2, 0, 1)."""

    kind: ClassVar[str] = "hard-swish"

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x * xp.clip(x / 6 + 0.5, 0.0, 1.0)


@op
class Tanh(Activation):
    """y = tanh(x)."""

    kind: ClassVar[str] = "tanh"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.tanh(x)


@op
class Softplus(Activation):
    """y = log(1 + exp(x))."""

    kind: ClassVar[str] = "softplus"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.softplus(x)


@op
class Softsign(Activation):
    """y = x / (1 + abs(x))."""

    kind: ClassVar[str] = "softsign"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x / (1 + xp.abs(x))


@op
class Squareplus(Activation):
    """y = (x + sqrt(x^2 + b)) / 2, after Barron 2021, "Squareplus: a softplus-like algebraic rectifier"."""

    kind: ClassVar[str] = "squareplus"
    monotone: ClassVar[bool] = True
    b: float = 4.0

    def rule(self, xp: Namespace, x: Any) -> Any:
        return 0.5 * (x + xp.sqrt(xp.square(x) + self.b))


@op
class Exponential(Activation):
    """y = exp(x)."""

    kind: ClassVar[str] = "exponential"
    monotone: ClassVar[bool] = True

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.exp(x)


@op
class SpikingActivation(Activation):
    """y = activation(x), of which the model itself has the spikes: a layer of spiking neurons in a temporal model."""

    kind: ClassVar[str] = "pulsed"
    activation: Activation

    def evaluate(self, *inputs: Array) -> Array:
        return self.activation.evaluate(*inputs)


class _OverAxis(Activation):
    """An activation over one axis (counted without the batch; negative from the end)."""

    elementwise: ClassVar[bool] = False
    axis: int

    def infer(self, *inputs: TensorType) -> TensorType:
        rank = len(inputs[0].shape)
        if not -rank <= self.axis < rank:
            raise ShapeError(f"axis {self.axis} is not an axis of {inputs[0]}")
        return super().infer(*inputs)


@op
class Softmax(_OverAxis):
    """y = exp(x) / sum exp(x) over one axis (counted without the batch; negative from the end)."""

    kind: ClassVar[str] = "softmax"
    axis: int = -1

    def rule(self, xp: Namespace, x: Any) -> Any:
        axis = _with_batch(self.axis)
        e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
        return e / xp.sum(e, axis=axis, keepdims=True)


@op
class LogSoftmax(_OverAxis):
    """y = x - log sum exp(x) over one axis (counted without the batch; negative from the end)."""

    kind: ClassVar[str] = "log-softmax"
    axis: int = -1

    def rule(self, xp: Namespace, x: Any) -> Any:
        axis = _with_batch(self.axis)
        shifted = x - xp.max(x, axis=axis, keepdims=True)
        return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


@op
class Sparsemax(_OverAxis):
    """y = max(x - t, 0) over one axis, with t = (sum of the sums so far - 1) / k over the k largest that stay.

    This is what Keras computes. The sparsemax of Martins & Astudillo 2016 takes the last of these sums alone.
    """

    kind: ClassVar[str] = "sparsemax"
    axis: int = -1

    def rule(self, xp: Namespace, x: Any) -> Any:
        axis = _with_batch(self.axis)
        ordered = xp.take_along_axis(x, xp.argsort(-x, axis=axis), axis)
        sums = xp.cumulative_sum(ordered, axis=axis)
        rank = xp.cumulative_sum(xp.ones_like(x), axis=axis)
        stays = xp.astype(1 + rank * ordered > sums, x.dtype)
        count = xp.sum(stays, axis=axis, keepdims=True)
        total = xp.sum(stays * sums, axis=axis, keepdims=True)
        return xp.maximum(x - (total - 1) / count, 0.0)


@op
class Glu(_OverAxis):
    """y = a * sigmoid(b) for the halves a, b of one axis (Dauphin et al. 2017, gated linear units)."""

    kind: ClassVar[str] = "glu"
    axis: int = -1

    def infer(self, *inputs: TensorType) -> TensorType:
        shape = list(super().infer(*inputs).shape)
        if shape[self.axis] % 2:
            raise ShapeError(f"axis {self.axis} of {inputs[0]} has no two halves")
        shape[self.axis] //= 2
        return TensorType(tuple(shape))

    def rule(self, xp: Namespace, x: Any) -> Any:
        axis = _with_batch(self.axis) % len(x.shape)
        n = x.shape[axis] // 2
        before = (slice(None),) * axis
        return x[(*before, slice(n))] * xp.sigmoid(x[(*before, slice(n, None))])


def _with_batch(axis: int) -> int:
    return axis + 1 if axis >= 0 else axis
