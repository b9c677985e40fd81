"""The linear maps that one Nengo connection can apply, in numpy and scipy alone, so that naming them needs no Nengo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snnc.api import AnyArray, Array, Shape


class Transform(ABC):
    """A linear map of a vector."""

    @property
    @abstractmethod
    def size_out(self) -> int:
        """Return the length of the result."""

    @abstractmethod
    def scaled(self, factor: AnyArray) -> Transform | None:
        """Return the map that takes ``x`` where this one takes ``factor * x``, or None if it has another form."""

    @abstractmethod
    def nengo(self) -> Any:
        """Return what ``nengo.Connection`` takes as its transform."""


@dataclass(frozen=True)
class Scale(Transform):
    """y = factor * x, one factor an element."""

    factor: AnyArray

    @property
    def size_out(self) -> int:
        return len(self.factor)

    def scaled(self, factor: AnyArray) -> Transform:
        return Scale(self.factor * factor)

    def nengo(self) -> Any:
        return self.factor


@dataclass(frozen=True)
class Matrix(Transform):
    """y = weight @ x."""

    weight: AnyArray

    @property
    def size_out(self) -> int:
        return int(self.weight.shape[0])

    def scaled(self, factor: AnyArray) -> Transform:
        return Matrix(self.weight * factor)

    def nengo(self) -> Any:
        return self.weight


@dataclass(frozen=True)
class SparseMatrix(Transform):
    """y = matrix @ x for a ``scipy.sparse.csr_matrix``."""

    matrix: Any

    @property
    def size_out(self) -> int:
        return int(self.matrix.shape[0])

    def scaled(self, factor: AnyArray) -> Transform:
        return SparseMatrix(self.matrix.multiply(factor[None, :]).tocsr())

    def nengo(self) -> Any:
        import nengo

        return nengo.Sparse(self.matrix.shape, init=self.matrix)


@dataclass(frozen=True)
class Convolution(Transform):
    """y = correlate(x, kernel) over one or two axes, channels last. kernel (*size, inputs / groups, outputs)."""

    kernel: Array
    input_shape: Shape
    output_shape: Shape
    strides: Shape
    padding: str
    """``"valid"``, or ``"same"`` as TensorFlow means it."""
    groups: int = 1
    """1, or the number of channels: each has kernels of its own."""

    @property
    def size_out(self) -> int:
        return int(np.prod(self.output_shape))

    def scaled(self, factor: AnyArray) -> Transform | None:
        rows = factor.reshape(-1, self.input_shape[-1])
        if (rows != rows[0]).any():
            return None
        if self.groups > 1:
            factors = np.repeat(rows[0], self.kernel.shape[-1] // self.groups)
        else:
            factors = rows[0][:, None]
        return replace(self, kernel=self.kernel * factors)

    def nengo(self) -> Any:
        import nengo

        return nengo.Convolution(
            n_filters=self.kernel.shape[-1],
            input_shape=self.input_shape,
            kernel_size=self.kernel.shape[:-2],
            strides=self.strides,
            padding=self.padding,
            groups=self.groups,
            init=self.kernel,
        )


def sparse(rows: AnyArray, columns: AnyArray, values: AnyArray, shape: tuple[int, int]) -> SparseMatrix:
    """Return the matrix with these entries; those at the same place add up."""
    from scipy.sparse import csr_matrix

    entries = (np.asarray(values, dtype=np.float32).ravel(), (rows.ravel(), columns.ravel()))
    return SparseMatrix(csr_matrix(entries, shape=shape))


def moved(source: AnyArray, size_in: int) -> SparseMatrix:
    """Return the map that gives each output element ``i`` the input element ``source[i]``, and zero where it is -1."""
    source = source.ravel()
    (rows,) = np.nonzero(source >= 0)
    return sparse(rows, source[rows], np.ones(len(rows)), (len(source), size_in))
