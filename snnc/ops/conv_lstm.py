"""The LSTM whose products of matrices are convolutions (Shi et al. 2015)."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Shape, TensorType
from snnc.ops.kernels.convolve import Pads, output_size, pads_for, span
from snnc.ops.layers import Padding
from snnc.ops.recurrent import Lstm


@op
class ConvLstm(Lstm):
    """An LSTM over images. kernel ``(*size, channels, 4 filters)``, recurrent ``(*size, filters, 4 filters)``.

    x is ``(steps, *space, channels)``, a state ``(*space, filters)``. The state is convolved with stride one and padded
    to its own size; strides, padding and dilation are those of the input's convolution.
    """

    kind: ClassVar[str] = "conv-lstm"
    strides: Shape
    dilation: Shape
    padding: Padding = "valid"

    @property
    def units(self) -> int:
        """Return the number of filters."""
        return int(self.recurrent.shape[-2])

    def state(self, shape: Shape) -> Shape:
        *size, channels, wide = self.kernel.shape
        recurrent = (*size, self.units, wide)
        fits = len(shape) == len(size) + 1 and channels == shape[-1] and wide == 4 * self.units
        if not fits or self.recurrent.shape != recurrent or {len(self.strides), len(self.dilation)} != {len(size)}:
            raise ShapeError(f"kernel {self.kernel.shape} and recurrent {self.recurrent.shape} do not fit {shape}")
        space = output_size(shape[:-1], tuple(size), self.strides, self.dilation, self._pads(shape[:-1]))
        if min(space) < 1:
            raise ShapeError(f"a kernel of {tuple(size)} does not fit into {shape}")
        return (*space, self.units)

    def multiply_adds(self, *inputs: TensorType) -> int:
        steps, *shape = inputs[0].shape
        positions = math.prod(self.state(tuple(shape))[:-1])
        return steps * positions * int(self.kernel.size + self.recurrent.size)

    def project(self, xp: Namespace, x: Any) -> Any:
        pads = self._pads(tuple(x.shape[-1 - len(self.strides) : -1]))
        return _correlate(xp, x, self.kernel, self.strides, self.dilation, pads) + self.bias

    def recur(self, xp: Namespace, h: Any) -> Any:
        size, ones = tuple(self.recurrent.shape[:-2]), (1,) * len(self.strides)
        pads = pads_for("same", tuple(h.shape[-1 - len(ones) : -1]), size, ones, ones)
        return _correlate(xp, h, self.recurrent, ones, ones, pads)

    def _pads(self, space: Shape) -> Pads:
        return pads_for(self.padding, space, tuple(self.kernel.shape[:-2]), self.strides, self.dilation)


def _correlate(xp: Namespace, x: Any, kernel: Any, strides: Shape, dilation: Shape, pads: Pads) -> Any:
    """Correlate ``(..., *space, channels)`` with a kernel ``(*size, channels, outputs)``, tap by tap."""
    rank = len(strides)
    for axis, (before, after) in enumerate(pads):
        zeros = xp.zeros_like(x[(..., slice(0, 1), *(slice(None),) * (rank - axis))])
        x = xp.concat([zeros] * before + [x] + [zeros] * after, axis=axis - rank - 1)
    size = tuple(kernel.shape[:-2])
    space = tuple(
        (n - span(k, d)) // s + 1 for n, k, s, d in zip(x.shape[-1 - rank : -1], size, strides, dilation, strict=True)
    )
    y = None
    for tap in itertools.product(*map(range, size)):
        picked = tuple(
            slice(p * d, p * d + (n - 1) * s + 1, s) for p, d, s, n in zip(tap, dilation, strides, space, strict=True)
        )
        part = xp.matmul(x[(..., *picked, slice(None))], kernel[tap])
        y = part if y is None else y + part
    return y
