"""Ops that join tensors: elementwise with broadcasting, or as products of matrices."""

from __future__ import annotations

import math
import string
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import Op, op
from snnc.ir.types import AnyArray, Array, TensorType, broadcast
from snnc.ops.kernels.contract import contract
from snnc.ops.layers import joint_signal
from snnc.ops.pure import PureOp

__all__ = ["Add", "Divide", "Einsum", "Elementwise", "Maximum", "Minimum", "Multiply"]


class Elementwise(PureOp):
    """y = f(f(a, b), c) ..., element by element, the inputs broadcast against each other as Keras does."""

    arity: ClassVar[int | None] = None
    elementwise: ClassVar[bool] = True

    @abstractmethod
    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        """Return f(a, b)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        return joint_type(*inputs)

    def rule(self, xp: Namespace, *inputs: Any) -> Any:
        y = inputs[0]
        for x in inputs[1:]:
            y = self.join(xp, *aligned(y, x))
        return y


@op
class Add(Elementwise):
    """y = the sum of all inputs."""

    kind: ClassVar[str] = "add"
    linear: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(super().infer(*inputs).shape, joint_signal(inputs))

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return a + b


@op
class Multiply(Elementwise):
    """y = the product of all inputs."""

    kind: ClassVar[str] = "multiply"

    @property
    def is_bilinear(self) -> bool:
        return True

    def multiply_adds(self, *inputs: TensorType) -> int:
        return (len(inputs) - 1) * self.infer(*inputs).size

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray | None:
        return np.full(inputs[slot].shape, demand.size / inputs[slot].size)

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return a * b


@op
class Maximum(Elementwise):
    """y = the largest of all inputs."""

    kind: ClassVar[str] = "maximum"

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return xp.maximum(a, b)


@op
class Minimum(Elementwise):
    """y = the smallest of all inputs."""

    kind: ClassVar[str] = "minimum"

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return xp.minimum(a, b)


@op
class Divide(Elementwise):
    """y = a / b."""

    kind: ClassVar[str] = "divide"

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return a / b


@op
class Einsum(Op):
    """Sum products of elements over indices, as ``numpy.einsum`` does; the equation leaves the batch out."""

    kind: ClassVar[str] = "einsum"
    arity: ClassVar[int | None] = None
    equation: str

    @property
    def is_linear(self) -> bool:
        return not self.is_bilinear

    @property
    def is_bilinear(self) -> bool:
        return "," in self.equation

    def multiply_adds(self, *inputs: TensorType) -> int:
        """Return the products of one sample; of three or more inputs, those of the pairs in their order."""
        return math.prod(self._sizes(inputs).values()) * (len(inputs) - 1)

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray | None:
        if not self.is_bilinear:
            return None
        return np.full(inputs[slot].shape, math.prod(self._sizes(inputs).values()) / inputs[slot].size)

    def infer(self, *inputs: TensorType) -> TensorType:
        terms, result = self._terms()
        if len(terms) != len(inputs):
            raise ShapeError(f"{self.equation!r} takes {len(terms)} input(s), got {len(inputs)}")
        sizes = self._sizes(inputs)
        if any(letter not in sizes for letter in result):
            raise ShapeError(f"{self.equation!r} makes an index out of nothing")
        return TensorType(tuple(sizes[letter] for letter in result))

    def evaluate(self, *inputs: Array) -> Array:
        terms, result = self._terms()
        batch = next(letter for letter in string.ascii_letters if letter not in self.equation)
        equation = f"{','.join(batch + term for term in terms)}->{batch}{result}"
        return contract(equation, *inputs)

    def _sizes(self, inputs: Sequence[TensorType]) -> dict[str, int]:
        """Return the size of each index."""
        sizes: dict[str, int] = {}
        for term, x in zip(self._terms()[0], inputs, strict=True):
            if len(term) != len(x.shape) or any(
                sizes.setdefault(k, n) != n for k, n in zip(term, x.shape, strict=True)
            ):
                raise ShapeError(f"{self.equation!r} does not fit {', '.join(map(str, inputs))}")
        return sizes

    def _terms(self) -> tuple[list[str], str]:
        left, _, right = self.equation.partition("->")
        return left.split(","), right


def joint_type(*inputs: TensorType) -> TensorType:
    """Return the type that inputs broadcast to; raise ShapeError where they do not."""
    shape = inputs[0].shape
    for x in inputs[1:]:
        joint = broadcast(shape, x.shape)
        if joint is None:
            raise ShapeError(f"shapes do not broadcast: {', '.join(map(str, inputs))}")
        shape = joint
    return TensorType(shape)


def aligned(*arrays: Any) -> tuple[Any, ...]:
    """Give batched arrays the same rank: the shorter get axes of one after their batch axis."""
    rank = max(len(v.shape) for v in arrays)
    return tuple(v[(slice(None), *(None,) * (rank - len(v.shape)))] for v in arrays)
