"""Transposed convolution: the gradient of a convolution, used to enlarge."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, Shape, TensorType
from snnc.ops.kernels import convolve
from snnc.ops.kernels.blas import matmul


@op
class ConvTranspose(Op):
    """Add x[i] * kernel[k] to y[i * stride + k * dilation] over all i and k, cut ``crops`` off, and add the bias.

    kernel ``(*size, outputs, inputs)``, x ``(*spatial, inputs)``. A negative crop adds zeros instead (before the bias).
    """

    kind: ClassVar[str] = "conv-transpose"
    linear: ClassVar[bool] = True
    kernel: Array
    bias: Array
    strides: Shape
    dilation: Shape
    crops: convolve.Pads
    """How many elements the full result loses (before, after) along each axis."""

    def _full(self, space: Shape) -> Shape:
        return tuple(
            (n - 1) * s + convolve.span(k, d)
            for n, s, k, d in zip(space, self.strides, self.kernel.shape[:-2], self.dilation, strict=True)
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        rank = self.kernel.ndim - 2
        if len(x.shape) != rank + 1 or x.shape[-1] != self.kernel.shape[-1]:
            raise ShapeError(
                f"kernel {self.kernel.shape} takes {rank} spatial axes and {self.kernel.shape[-1]} channels, got {x}"
            )
        if 0 in self.kernel.shape:
            raise ShapeError(f"kernel {self.kernel.shape} holds no weights")
        if self.bias.shape != self.kernel.shape[-2:-1]:
            raise ShapeError(f"bias {self.bias.shape} does not fit kernel {self.kernel.shape}")
        if not len(self.strides) == len(self.dilation) == len(self.crops) == rank:
            raise ShapeError(f"strides, dilation and crops need {rank} entries each")
        if min(*self.strides, *self.dilation, 1) < 1:
            raise ShapeError(f"strides {self.strides} and dilation {self.dilation} must be positive")
        out = tuple(n - a - b for n, (a, b) in zip(self._full(x.shape[:-1]), self.crops, strict=True))
        if min(out) < 1:
            raise ShapeError(f"nothing is left of {x} after crops of {self.crops}")
        return TensorType((*out, self.kernel.shape[-2]), x.signal)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return math.prod(inputs[0].shape[:-1]) * int(self.kernel.size)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        batch, space = x.shape[0], x.shape[1:-1]
        size, outputs = self.kernel.shape[:-2], self.kernel.shape[-2]
        # one product gives every tap's contribution, which is then added where it belongs
        weight = np.ascontiguousarray(self.kernel.reshape(-1, self.kernel.shape[-1]).T)
        taps = matmul(x.reshape(-1, x.shape[-1]), weight).reshape(batch, *space, -1, outputs)
        full = np.zeros((batch, *self._full(space), outputs), dtype=np.float32)
        for tap, (_, where) in enumerate(convolve.offsets(size, self.strides, self.dilation, space)):
            full[(slice(None), *where)] += taps[..., tap, :]
        y = convolve.pad(full, tuple((max(-a, 0), max(-b, 0)) for a, b in self.crops))
        y = y[
            (
                slice(None),
                *(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(y.shape[1:-1], self.crops, strict=True)),
            )
        ]
        return y + self.bias
