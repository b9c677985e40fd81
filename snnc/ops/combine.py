"""Ops that join tensors other than by a sum: elementwise with broadcasting, or as products of matrices."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType
from snnc.ops.layers import align, broadcast


class Elementwise(Op):
    """y = f(f(a, b), c) ..., element by element, the inputs broadcast against each other as Keras does."""

    arity: ClassVar[int | None] = None
    function: ClassVar[Callable[..., Any]]

    def infer(self, *inputs: TensorType) -> TensorType:
        shape = inputs[0].shape
        for x in inputs[1:]:
            joint = broadcast(shape, x.shape)
            if joint is None:
                raise ShapeError(f"shapes do not broadcast: {', '.join(map(str, inputs))}")
            shape = joint
        return TensorType(shape)

    def evaluate(self, *inputs: Array) -> Array:
        y = inputs[0]
        for x in inputs[1:]:
            y = type(self).function(*align(y, x))
        return y


@op
class Multiply(Elementwise):
    """y = the product of all inputs."""

    kind: ClassVar[str] = "multiply"
    function: ClassVar[Callable[..., Any]] = np.multiply


@op
class Maximum(Elementwise):
    """y = the largest of all inputs."""

    kind: ClassVar[str] = "maximum"
    function: ClassVar[Callable[..., Any]] = np.maximum


@op
class Minimum(Elementwise):
    """y = the smallest of all inputs."""

    kind: ClassVar[str] = "minimum"
    function: ClassVar[Callable[..., Any]] = np.minimum


@op
class Divide(Elementwise):
    """y = a / b."""

    kind: ClassVar[str] = "divide"
    function: ClassVar[Callable[..., Any]] = np.divide


@op
class Einsum(Op):
    """Sum products of elements over indices, as ``numpy.einsum`` does; the equation leaves the batch out."""

    kind: ClassVar[str] = "einsum"
    arity: ClassVar[int | None] = None
    equation: str

    def infer(self, *inputs: TensorType) -> TensorType:
        terms, result = self._terms()
        if len(terms) != len(inputs):
            raise ShapeError(f"{self.equation!r} takes {len(terms)} input(s), got {len(inputs)}")
        sizes: dict[str, int] = {}
        for term, x in zip(terms, inputs, strict=True):
            if len(term) != len(x.shape) or any(
                sizes.setdefault(k, n) != n for k, n in zip(term, x.shape, strict=True)
            ):
                raise ShapeError(f"{self.equation!r} does not fit {', '.join(map(str, inputs))}")
        if any(letter not in sizes for letter in result):
            raise ShapeError(f"{self.equation!r} makes an index out of nothing")
        return TensorType(tuple(sizes[letter] for letter in result))

    def evaluate(self, *inputs: Array) -> Array:
        terms, result = self._terms()
        batch = next(letter for letter in string.ascii_letters if letter not in self.equation)
        equation = f"{','.join(batch + term for term in terms)}->{batch}{result}"
        return np.ascontiguousarray(np.einsum(equation, *inputs, optimize=True))

    def _terms(self) -> tuple[list[str], str]:
        left, _, right = self.equation.partition("->")
        return left.split(","), right
