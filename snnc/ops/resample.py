"""Ops that pick, repeat or interpolate elements along axes. All are linear."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import Op, op
from snnc.ir.types import AnyArray, Array, Shape, TensorType
from snnc.ops.kernels.blas import matmul
from snnc.ops.pure import PureOp

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@op
class Slice(Op):
    """y = ``size`` elements along each axis from ``start`` on, every ``step``-th (negative: backwards)."""

    kind: ClassVar[str] = "slice"
    linear: ClassVar[bool] = True
    start: Shape
    size: Shape
    step: Shape

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if not len(self.start) == len(self.size) == len(self.step) == len(x.shape):
            raise ShapeError(f"a slice of {len(self.start)} axes does not fit {x}")
        for n, first, count, step in zip(x.shape, self.start, self.size, self.step, strict=True):
            last = first + (count - 1) * step
            if count < 1 or step == 0 or not (0 <= first < n and 0 <= last < n):
                raise ShapeError(f"{count} elements from {first} on in steps of {step} are not in {x}")
        return x.with_shape(self.size)

    def evaluate(self, *inputs: Array) -> Array:
        where = []
        for first, count, step in zip(self.start, self.size, self.step, strict=True):
            stop = first + count * step
            where.append(slice(first, stop if stop >= 0 else None, step))
        return np.ascontiguousarray(inputs[0][(slice(None), *where)])


@op
class Take(PureOp):
    """y = the elements at ``indices`` along one axis, each as often as it is named."""

    kind: ClassVar[str] = "take"
    linear: ClassVar[bool] = True
    axis: int
    indices: Shape

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if not 0 <= self.axis < len(x.shape):
            raise ShapeError(f"axis {self.axis} is not an axis of {x}")
        if not self.indices or min(self.indices) < 0 or max(self.indices) >= x.shape[self.axis]:
            raise ShapeError(f"an index is outside of axis {self.axis} of {x}, or there is none")
        return x.with_shape((*x.shape[: self.axis], len(self.indices), *x.shape[self.axis + 1 :]))

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray:
        behind = np.zeros(inputs[0].shape)
        np.add.at(np.moveaxis(behind, self.axis, 0), list(self.indices), np.moveaxis(demand, self.axis, 0))
        return behind

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.take(x, list(self.indices), axis=self.axis + 1)


@op
class Repeat(Op):
    """y = each element ``times`` times in a row along each axis: upsampling to the nearest."""

    kind: ClassVar[str] = "repeat"
    linear: ClassVar[bool] = True
    times: Shape

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if len(self.times) != len(x.shape) or min(self.times, default=1) < 1:
            raise ShapeError(f"times {self.times} are not one positive number an axis of {x}")
        return x.with_shape(tuple(n * k for n, k in zip(x.shape, self.times, strict=True)))

    def evaluate(self, *inputs: Array) -> Array:
        y = inputs[0]
        for axis, k in enumerate(self.times, start=1):
            y = y if k == 1 else y.repeat(k, axis=axis)
        return y


@op
class Resize(Op):
    """y = x ``(*spatial, channels)`` sampled at ``size`` points an axis, the first half a step from the border."""

    kind: ClassVar[str] = "resize"
    linear: ClassVar[bool] = True
    size: Shape
    interpolation: str = "bilinear"

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if len(x.shape) != len(self.size) + 1 or min(self.size) < 1:
            raise ShapeError(f"size {self.size} needs {len(self.size)} spatial axes and channels, got {x}")
        if self.interpolation not in INTERPOLATIONS:
            raise ShapeError(f"unknown interpolation {self.interpolation!r}; known: {', '.join(INTERPOLATIONS)}")
        return x.with_shape((*self.size, x.shape[-1]))

    def evaluate(self, *inputs: Array) -> Array:
        y = inputs[0]
        for axis, n in enumerate(self.size, start=1):
            matrix = interpolation_matrix(y.shape[axis], n, self.interpolation)
            moved = np.moveaxis(y, axis, -1)
            sampled = matmul(np.ascontiguousarray(moved).reshape(-1, y.shape[axis]), np.ascontiguousarray(matrix.T))
            y = np.moveaxis(sampled.reshape(*moved.shape[:-1], n), -1, axis)
        return np.ascontiguousarray(y)


def interpolation_matrix(old: int, new: int, interpolation: str) -> Array:
    """Return the (new, old) matrix that samples ``old`` points at ``new`` places; rows sum to one."""
    centers = (np.arange(new) + 0.5) * (old / new) - 0.5
    matrix = np.zeros((new, old), dtype=np.float64)
    rows = np.arange(new)
    if interpolation == "nearest":
        matrix[rows, np.minimum(np.floor((rows + 0.5) * (old / new)).astype(int), old - 1)] = 1
        return matrix.astype(np.float32)
    reach = 1 if interpolation == "bilinear" else 2
    first = np.floor(centers).astype(int) - reach + 1
    for tap in range(2 * reach):
        place = first + tap
        distance = np.abs(centers - place)
        weight = np.maximum(1 - distance, 0) if reach == 1 else _cubic(distance)
        if reach == 1:
            np.add.at(matrix, (rows, np.clip(place, 0, old - 1)), weight)
        else:  # taps outside count for nothing, and the rest is scaled up
            inside = (place >= 0) & (place < old)
            matrix[rows[inside], place[inside]] += weight[inside]
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


def _cubic(x: Array) -> Array:
    """Return the cubic convolution kernel (Keys 1981) with a = -1/2."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@op
class Embedding(Op):
    """y = the rows of a table at the indices x, rounded down; table (entries, features), y ``(*shape, features)``."""

    kind: ClassVar[str] = "embedding"
    table: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.table.ndim != 2 or not len(self.table):
            raise ShapeError(f"a table has two axes and an entry, got {self.table.shape}")
        return TensorType((*inputs[0].shape, self.table.shape[1]))

    def evaluate(self, *inputs: Array) -> Array:
        index = np.clip(inputs[0], 0, len(self.table) - 1).astype(np.int64)
        return self.table[index]


def crop(shape: Shape, pairs: tuple[tuple[int, int], ...]) -> Slice:
    """Return the op that cuts (before, after) elements off each axis."""
    size = tuple(n - a - b for n, (a, b) in zip(shape, pairs, strict=True))
    return Slice(start=tuple(a for a, _ in pairs), size=size, step=(1,) * len(shape))


def reverse(shape: Shape, axis: int) -> Slice:
    """Return the op that reads one axis from its end to its start."""
    return Slice(
        start=tuple(n - 1 if k == axis else 0 for k, n in enumerate(shape)),
        size=shape,
        step=tuple(-1 if k == axis else 1 for k in range(len(shape))),
    )
