"""Nonlinearities that keep the shape: y = f(x), elementwise unless an axis is named."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType


class Activation(Op):
    """A nonlinearity, element by element. Its output is a value a step, even for spikes."""

    elementwise: ClassVar[bool] = True
    """Whether each output element depends on the same input element alone."""

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

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        if self.negative_slope == 0 and self.threshold == 0:
            y = np.maximum(x, np.float32(0))
            return y if self.max_value is None else np.minimum(y, np.float32(self.max_value), out=y)
        low = np.float32(self.negative_slope) * (x - np.float32(self.threshold))
        high = x if self.max_value is None else np.minimum(x, np.float32(self.max_value))
        return np.where(x >= self.threshold, high, low).astype(np.float32, copy=False)


@op
class PRelu(Activation):
    """y = x where x > 0, else alpha * x. alpha broadcasts against the input's shape from the right."""

    kind: ClassVar[str] = "prelu"
    alpha: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        try:
            fits = np.broadcast_shapes(self.alpha.shape, x.shape) == x.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"alpha of shape {self.alpha.shape} does not broadcast to {x}")
        return TensorType(x.shape)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.where(x > 0, x, self.alpha * x)


@op
class Elu(Activation):
    """y = x where x > 0, else alpha * (exp(x) - 1)."""

    kind: ClassVar[str] = "elu"
    alpha: float = 1.0

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.where(x > 0, x, np.float32(self.alpha) * np.expm1(np.minimum(x, 0)))


@op
class Selu(Activation):
    """y = scale * elu(x, alpha) with the two constants of Klambauer et al. 2017."""

    kind: ClassVar[str] = "selu"

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        alpha, scale = np.float32(1.6732632423543772), np.float32(1.0507009873554805)
        return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@op
class Gelu(Activation):
    """y = x * Phi(x), Phi the normal distribution function, or its tanh approximation (Hendrycks & Gimpel 2016)."""

    kind: ClassVar[str] = "gelu"
    approximate: bool = False

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        if self.approximate:
            inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)
            return np.float32(0.5) * x * (1 + np.tanh(inner))
        return np.float32(0.5) * x * (1 + _erf(x / np.float32(math.sqrt(2))))


@op
class Swish(Activation):
    """y = x * sigmoid(x), also called silu."""

    kind: ClassVar[str] = "swish"

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0] * _sigmoid(inputs[0])


@op
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x))."""

    kind: ClassVar[str] = "sigmoid"

    def evaluate(self, *inputs: Array) -> Array:
        return _sigmoid(inputs[0])


@op
class HardSigmoid(Activation):
    """y = clip(slope * x + 1/2, 0, 1). Slope 0.2 in Keras 2, 1/6 in Keras 3."""

    kind: ClassVar[str] = "hard-sigmoid"
    slope: float

    def evaluate(self, *inputs: Array) -> Array:
        return np.clip(np.float32(self.slope) * inputs[0] + np.float32(0.5), np.float32(0), np.float32(1))


@op
class HardSwish(Activation):
    """y = x * clip(x / 6 + 1/2, 0, 1)."""

    kind: ClassVar[str] = "hard-swish"

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x * np.clip(x / np.float32(6) + np.float32(0.5), np.float32(0), np.float32(1))


@op
class Tanh(Activation):
    """y = tanh(x)."""

    kind: ClassVar[str] = "tanh"

    def evaluate(self, *inputs: Array) -> Array:
        return np.tanh(inputs[0])


@op
class Softplus(Activation):
    """y = log(1 + exp(x))."""

    kind: ClassVar[str] = "softplus"

    def evaluate(self, *inputs: Array) -> Array:
        return np.logaddexp(inputs[0], np.float32(0))


@op
class Softsign(Activation):
    """y = x / (1 + abs(x))."""

    kind: ClassVar[str] = "softsign"

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0] / (1 + np.abs(inputs[0]))


@op
class Exponential(Activation):
    """y = exp(x)."""

    kind: ClassVar[str] = "exponential"

    def evaluate(self, *inputs: Array) -> Array:
        return np.exp(inputs[0])


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

    def evaluate(self, *inputs: Array) -> Array:
        e = _shifted_exp(inputs[0], self.axis)
        return e / e.sum(axis=_axis(self.axis), keepdims=True)


@op
class LogSoftmax(_OverAxis):
    """y = x - log sum exp(x) over one axis (counted without the batch; negative from the end)."""

    kind: ClassVar[str] = "log-softmax"
    axis: int = -1

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        axis = _axis(self.axis)
        shifted = x - x.max(axis=axis, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _axis(axis: int) -> int:
    return axis + 1 if axis >= 0 else axis


def _shifted_exp(x: Array, axis: int) -> Array:
    return np.exp(x - x.max(axis=_axis(axis), keepdims=True))


def _sigmoid(x: Array) -> Array:
    return np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * x))


def _erf(x: Array) -> Array:
    """Return the error function: scipy's, exact to float32."""
    from scipy.special import erf

    return np.asarray(erf(x), dtype=np.float32)
