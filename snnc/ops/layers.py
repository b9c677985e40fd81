"""The ops of common layers, channels last, for any number of spatial axes; activations are in ``activations``."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import Op, op
from snnc.ir.types import Array, Shape, Signal, TensorType, broadcast
from snnc.ops.activations import Activation
from snnc.ops.kernels import convolve
from snnc.ops.kernels.blas import matmul
from snnc.ops.kernels.spread import spread
from snnc.ops.pure import PureOp

Padding = str | convolve.Pads
"""``"valid"``, ``"same"`` as TensorFlow means it, or one (before, after) pair an axis."""


def joint_signal(inputs: tuple[TensorType, ...]) -> Signal:
    """Return ``spikes`` if any input spikes: a sum of spikes and values still jumps."""
    return "spikes" if any(t.signal == "spikes" for t in inputs) else "rate"


@op
class Input(Op):
    """A model input; its value comes from outside."""

    kind: ClassVar[str] = "input"
    arity: ClassVar[int | None] = 0
    shape: Shape
    dt: float | None = None
    """Seconds that a slice of a sequence is shown; None for an input that does not change over time."""
    length: int | None = None
    """The number of slices of a sequence, where the model fixes it."""
    range: tuple[float, float] | None = None
    """The least and the largest value, where the user says."""

    def infer(self, *inputs: TensorType) -> TensorType:
        if any(n < 1 for n in self.shape):
            raise ShapeError(f"an input needs positive sizes, got {self.shape}")
        if (self.dt is not None and not self.dt > 0) or (self.length is not None and self.length < 1):
            raise ShapeError(f"a sequence needs a positive dt and length, got {self.dt} and {self.length}")
        if self.range is not None and not (np.isfinite(self.range).all() and self.range[0] < self.range[1]):
            raise ShapeError(f"a range needs two numbers, the lower first, got {self.range}")
        return TensorType(tuple(self.shape))

    def evaluate(self, *inputs: Array) -> Array:
        raise ShapeError("an input has no value of its own")


@op
class Identity(PureOp):
    """y = x. Stands for a layer that does nothing at inference, such as Dropout."""

    kind: ClassVar[str] = "identity"
    linear: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return inputs[0]

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x


@op
class Dense(Op):
    """y = act(x @ weight + bias) over the last axis. weight (inputs, units), bias (units,)."""

    kind: ClassVar[str] = "dense"
    linear: ClassVar[bool] = True
    weight: Array
    bias: Array
    activation: Activation | None = None

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ShapeError(f"weight {self.weight.shape} and bias {self.bias.shape} do not fit each other")
        if not x.shape or x.shape[-1] != self.weight.shape[0]:
            raise ShapeError(f"weight takes {self.weight.shape[0]} inputs, got {x}")
        return with_activation(x.with_shape((*x.shape[:-1], self.weight.shape[1])), self.activation)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return inputs[0].size * self.weight.shape[1]

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        y = matmul(x.reshape(-1, x.shape[-1]), self.weight).reshape(*x.shape[:-1], self.weight.shape[1])
        y += self.bias
        return y if self.activation is None else self.activation.evaluate(y)


@op
class Conv(Op):
    """y = act(correlate(x, kernel) + bias). kernel ``(*size, inputs / groups, outputs)``, x ``(*spatial, inputs)``."""

    kind: ClassVar[str] = "conv"
    linear: ClassVar[bool] = True
    kernel: Array
    bias: Array
    strides: Shape
    padding: Padding = "valid"
    dilation: Shape
    groups: int = 1
    activation: Activation | None = None

    @property
    def size(self) -> Shape:
        """Return the spatial size of the kernel."""
        return self.kernel.shape[:-2]

    def pads(self, space: Shape) -> convolve.Pads:
        """Return the explicit padding for an input of this spatial shape."""
        return convolve.pads_for(self.padding, space, self.size, self.strides, self.dilation)

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        rank = self.kernel.ndim - 2
        if len(x.shape) != rank + 1 or x.shape[-1] != self.kernel.shape[-2] * self.groups:
            raise ShapeError(
                f"kernel {self.kernel.shape} with {self.groups} group(s) takes {rank} spatial axes and "
                f"{self.kernel.shape[-2] * self.groups} channels, got {x}"
            )
        if 0 in self.kernel.shape:
            raise ShapeError(f"kernel {self.kernel.shape} holds no weights")
        if self.kernel.shape[-1] % self.groups or self.bias.shape != self.kernel.shape[-1:]:
            raise ShapeError(f"bias {self.bias.shape} or {self.groups} groups do not fit kernel {self.kernel.shape}")
        if len(self.strides) != rank or len(self.dilation) != rank or min(*self.strides, *self.dilation, 1) < 1:
            raise ShapeError(f"strides {self.strides} and dilation {self.dilation} need {rank} positive numbers each")
        space = x.shape[:-1]
        out = convolve.output_size(space, self.size, self.strides, self.dilation, self.pads(space))
        if min(out) < 1:
            raise ShapeError(f"the kernel {self.size} is larger than the input {x}")
        return with_activation(x.with_shape((*out, self.kernel.shape[-1])), self.activation)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return math.prod(self.infer(*inputs).shape) * math.prod(self.kernel.shape[:-1])

    def evaluate(self, *inputs: Array) -> Array:
        y = convolve.convolve(inputs[0], self.kernel, self.bias, self.strides, self.padding, self.dilation, self.groups)
        return y if self.activation is None else self.activation.evaluate(y)


@op
class Pool(Op):
    """The parts that average and max pooling share: window, strides, padding over the spatial axes."""

    maximum: ClassVar[bool]
    size: Shape
    strides: Shape
    padding: Padding = "valid"

    def pads(self, space: Shape) -> convolve.Pads:
        """Return the explicit padding for an input of this spatial shape."""
        return convolve.pads_for(self.padding, space, self.size, self.strides, (1,) * len(self.size))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        rank = len(self.size)
        if len(x.shape) != rank + 1 or len(self.strides) != rank or min(*self.size, *self.strides, 1) < 1:
            raise ShapeError(f"a pool of {self.size} takes {rank} spatial axes and channels, got {x}")
        space = x.shape[:-1]
        out = convolve.output_size(space, self.size, self.strides, (1,) * rank, self.pads(space))
        if min(out) < 1:
            raise ShapeError(f"the pool {self.size} is larger than the input {x}")
        return TensorType((*out, x.shape[-1]), x.signal)

    def evaluate(self, *inputs: Array) -> Array:
        return convolve.pool(inputs[0], self.size, self.strides, self.padding, maximum=self.maximum)


@op
class AvgPool(Pool):
    """y = mean over each window; padded windows count their real elements only."""

    kind: ClassVar[str] = "avg-pool"
    linear: ClassVar[bool] = True
    maximum: ClassVar[bool] = False


@op
class MaxPool(Pool):
    """y = max over each window."""

    kind: ClassVar[str] = "max-pool"
    maximum: ClassVar[bool] = True


@op
class GlobalAvgPool(Op):
    """y = mean over all spatial axes: ``(*spatial, channels)`` to (channels,)."""

    kind: ClassVar[str] = "global-avg-pool"
    linear: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        if len(inputs[0].shape) < 2:
            raise ShapeError(f"global pooling takes spatial axes and channels, got {inputs[0]}")
        return inputs[0].with_shape(inputs[0].shape[-1:])

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(inputs[0].mean(axis=tuple(range(1, inputs[0].ndim - 1)), dtype=np.float32))


@op
class GlobalMaxPool(Op):
    """y = max over all spatial axes: ``(*spatial, channels)`` to (channels,)."""

    kind: ClassVar[str] = "global-max-pool"

    def infer(self, *inputs: TensorType) -> TensorType:
        if len(inputs[0].shape) < 2:
            raise ShapeError(f"global pooling takes spatial axes and channels, got {inputs[0]}")
        return inputs[0].with_shape(inputs[0].shape[-1:])

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(inputs[0].max(axis=tuple(range(1, inputs[0].ndim - 1))))


@op
class BatchNorm(Op):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, per channel (last axis)."""

    kind: ClassVar[str] = "batch-norm"
    linear: ClassVar[bool] = True
    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float = 1e-3

    def affine(self) -> tuple[Array, Array]:
        """Return the (scale, shift) that say the same: y = x * scale + shift, computed in float64."""
        scale = self.gamma.astype(np.float64) / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        shift = self.beta - self.mean * scale
        return scale.astype(np.float32), shift.astype(np.float32)

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        want = x.shape[-1:]
        for name in ("gamma", "beta", "mean", "variance"):
            if getattr(self, name).shape != want:
                raise ShapeError(f"{name} has shape {getattr(self, name).shape}, the input {x} needs {want}")
        if (self.variance + self.epsilon <= 0).any():
            raise ShapeError("variance + epsilon is not positive everywhere")
        return x

    def evaluate(self, *inputs: Array) -> Array:
        scale, shift = self.affine()
        y = inputs[0] * scale
        y += shift
        return y


@op
class Affine(Op):
    """y = x * scale + shift; both broadcast against the input's shape from the right."""

    kind: ClassVar[str] = "affine"
    linear: ClassVar[bool] = True
    scale: Array
    shift: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        for name, array in (("scale", self.scale), ("shift", self.shift)):
            if broadcast(array.shape, x.shape) != x.shape:
                raise ShapeError(f"{name} of shape {array.shape} does not broadcast to {x}")
        return x

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        y = x * spread(self.scale, x)
        if self.shift.any():
            y += spread(self.shift, x)
        return y


@op
class ZeroPad(Op):
    """Put zeros around the spatial axes: one (before, after) pair an axis."""

    kind: ClassVar[str] = "zero-pad"
    linear: ClassVar[bool] = True
    padding: convolve.Pads

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if len(x.shape) != len(self.padding) + 1 or any(n < 0 for pair in self.padding for n in pair):
            raise ShapeError(f"padding {self.padding} needs {len(self.padding)} spatial axes and channels, got {x}")
        space = (n + a + b for n, (a, b) in zip(x.shape, self.padding, strict=False))
        return x.with_shape((*space, x.shape[-1]))

    def evaluate(self, *inputs: Array) -> Array:
        return convolve.pad(inputs[0], self.padding)


@op
class Reshape(Op):
    """The same elements in row-major order in another shape; one entry may be -1."""

    kind: ClassVar[str] = "reshape"
    linear: ClassVar[bool] = True
    shape: Shape

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        known = math.prod(n for n in self.shape if n != -1)
        free = self.shape.count(-1)
        if free > 1 or known < 1 or (x.size % known if free else x.size != known):
            raise ShapeError(f"{x} does not fit into shape {self.shape}")
        return x.with_shape(tuple(x.size // known if n == -1 else n for n in self.shape))

    def evaluate(self, *inputs: Array) -> Array:
        batch = inputs[0].shape[0]
        known = math.prod(n for n in self.shape if n != -1)
        size = math.prod(inputs[0].shape[1:])
        return inputs[0].reshape(batch, *(size // known if n == -1 else n for n in self.shape))


@op
class Permute(Op):
    """Reorder the axes: output axis i is input axis order[i], counted from 0 without the batch."""

    kind: ClassVar[str] = "permute"
    linear: ClassVar[bool] = True
    order: Shape

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if sorted(self.order) != list(range(len(x.shape))):
            raise ShapeError(f"order {self.order} does not reorder the {len(x.shape)} axes of {x}")
        return x.with_shape(tuple(x.shape[axis] for axis in self.order))

    def evaluate(self, *inputs: Array) -> Array:
        return np.ascontiguousarray(inputs[0].transpose(0, *(axis + 1 for axis in self.order)))


@op
class Concatenate(Op):
    """Join along one axis, counted from 0 without the batch (negative from the end)."""

    kind: ClassVar[str] = "concatenate"
    arity: ClassVar[int | None] = None
    linear: ClassVar[bool] = True
    axis: int = -1

    def infer(self, *inputs: TensorType) -> TensorType:
        rank = len(inputs[0].shape)
        if not -rank <= self.axis < rank:
            raise ShapeError(f"axis {self.axis} is not an axis of {inputs[0]}")
        axis = self.axis % rank
        rest = {(*x.shape[:axis], 0, *x.shape[axis + 1 :]) for x in inputs}
        if len(rest) > 1 or any(len(x.shape) != rank for x in inputs):
            raise ShapeError(f"only axis {axis} may differ between {', '.join(map(str, inputs))}")
        size = sum(x.shape[axis] for x in inputs)
        return TensorType((*inputs[0].shape[:axis], size, *inputs[0].shape[axis + 1 :]), joint_signal(inputs))

    def evaluate(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=self.axis + 1 if self.axis >= 0 else self.axis)


def with_activation(t: TensorType, activation: Activation | None) -> TensorType:
    """Return the type after an optional activation."""
    return t if activation is None else activation.infer(t)
