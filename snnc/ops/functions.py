"""Elementwise functions beside the activations, as operators on tensors use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType
from snnc.ops.activations import Activation

FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "cos": np.cos,
    "expm1": np.expm1,
    "floor": np.floor,
    "log": np.log,
    "log1p": np.log1p,
    "reciprocal": np.reciprocal,
    "round": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sign": np.sign,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "square": np.square,
}


@op
class Function(Activation):
    """y = f(x) for a function by name."""

    kind: ClassVar[str] = "function"
    name: str

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.name not in FUNCTIONS:
            raise ShapeError(f"unknown function {self.name!r}; known: {', '.join(sorted(FUNCTIONS))}")
        return super().infer(*inputs)

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(FUNCTIONS[self.name](inputs[0]))


@op
class Power(Activation):
    """y = x ** exponent."""

    kind: ClassVar[str] = "power"
    exponent: float

    def evaluate(self, *inputs: Array) -> Array:
        return np.power(inputs[0], np.float32(self.exponent))


@op
class Clip(Activation):
    """y = min(max(x, low), high)."""

    kind: ClassVar[str] = "clip"
    low: float
    high: float

    def evaluate(self, *inputs: Array) -> Array:
        return np.clip(inputs[0], np.float32(self.low), np.float32(self.high))


@op
class Mish(Activation):
    """y = x * tanh(log(1 + exp(x)))."""

    kind: ClassVar[str] = "mish"

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0] * np.tanh(np.logaddexp(inputs[0], np.float32(0)))


@op
class NotEqual(Op):
    """y = 1 where x differs from a value, else 0."""

    kind: ClassVar[str] = "not-equal"
    value: float

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(inputs[0] != np.float32(self.value), dtype=np.float32)
