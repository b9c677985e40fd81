"""A linear map as a list of its weights, and a bias of any shape: the layers between two populations, merged."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import Op, op
from snnc.ir.types import AnyArray, Array, Shape, TensorType
from snnc.ops.pure import PureOp

LARGEST = 1 << 24
"""Element numbers that float32, the type of all arrays in a graph, can tell apart."""


@op
class SparseMap(Op):
    """y[rows[i]] += values[i] * x[columns[i]] over flattened x and y; y has ``shape``."""

    kind: ClassVar[str] = "sparse-map"
    linear: ClassVar[bool] = True
    rows: Array
    columns: Array
    values: Array
    shape: Shape

    @classmethod
    def of(cls, matrix: Any, shape: Shape) -> SparseMap:
        """Return the op of a scipy sparse matrix (outputs, inputs)."""
        entries = matrix.tocoo()
        return cls(rows=entries.row, columns=entries.col, values=entries.data, shape=shape)

    @property
    def size(self) -> int:
        """Return the number of elements of the output."""
        return math.prod(self.shape)

    def matrix(self, inputs: int) -> Any:
        """Return the ``scipy.sparse.csr_matrix`` (outputs, inputs)."""
        from scipy.sparse import csr_matrix

        where = (self.rows.astype(np.int64), self.columns.astype(np.int64))
        return csr_matrix((self.values, where), shape=(self.size, inputs))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if not (self.rows.shape == self.columns.shape == self.values.shape and self.rows.ndim == 1):
            raise ShapeError("rows, columns and values need one entry each")
        if max(x.size, self.size) > LARGEST:
            raise ShapeError(f"a sparse map of more than {LARGEST} elements cannot be stored")
        if self.values.size and not (_within(self.rows, self.size) and _within(self.columns, x.size)):
            raise ShapeError(f"an entry is outside of {x} or of {self.shape}")
        return x.with_shape(self.shape)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return int(self.values.size)

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray:
        used = self.columns[self.values != 0].astype(np.int64)
        return np.bincount(used, minlength=inputs[0].size).reshape(inputs[0].shape).astype(np.float64)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        flat = x.reshape(len(x), -1)
        return np.ascontiguousarray((self.matrix(flat.shape[1]) @ flat.T).T).reshape(len(x), *self.shape)


@op
class Shift(PureOp):
    """y = x + shift, of the same shape: a bias that differs by position."""

    kind: ClassVar[str] = "shift"
    linear: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True
    shift: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.shift.shape != inputs[0].shape:
            raise ShapeError(f"shift of shape {self.shift.shape} does not fit {inputs[0]}")
        return inputs[0]

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray:
        return demand

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x + self.shift


def _within(numbers: AnyArray, count: int) -> bool:
    return bool(numbers.min() >= 0 and numbers.max() < count)
