"""Elementwise functions beside the activations, as operators on tensors use them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import TensorType
from snnc.ops.activations import Activation
from snnc.ops.combine import Elementwise, aligned, joint_type
from snnc.ops.pure import PureOp

__all__ = ["Clip", "Function", "Mish", "NotEqual", "Pairwise", "Power", "Shrink", "Threshold", "Where"]

LARGEST = float(np.finfo(np.float32).max)

Rule: TypeAlias = "Callable[[Namespace, Any], Any]"


def _named(name: str) -> Rule:
    return lambda xp, x: getattr(xp, name)(x)


def _true(condition: Callable[[Any], Any]) -> Rule:
    """Return the function that is 1 where a condition holds, else 0."""
    return lambda xp, x: xp.astype(condition(x), x.dtype)


def _clipped(xp: Namespace, x: Any, low: float, high: float) -> Any:
    """Return min(max(x, low), high) in the precision of x, which the limits of numpy 1 may raise."""
    return xp.astype(xp.clip(x, low, high), x.dtype)


FUNCTIONS: Mapping[str, Rule] = {
    **{
        name: _named(name)
        for name in (
            *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "erfinv"),
            *("expm1", "floor", "log", "log1p", "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "tan"),
        )
    },
    "cbrt": lambda xp, x: xp.sign(x) * xp.pow(xp.abs(x), 1 / 3),
    "erfc": lambda xp, x: 1 - xp.erf(x),
    "exp2": lambda xp, x: xp.exp(math.log(2) * x),
    "is_finite": _true(lambda x: abs(x) < math.inf),
    "is_inf": _true(lambda x: abs(x) == math.inf),
    "is_nan": _true(lambda x: x != x),
    "is_negative": _true(lambda x: x < 0),
    "log10": lambda xp, x: xp.log(x) / math.log(10),
    "log2": lambda xp, x: xp.log(x) / math.log(2),
    "log_sigmoid": lambda xp, x: -xp.softplus(-x),
    "logical_not": _true(lambda x: x == 0),
    "nan_to_num": lambda xp, x: _clipped(xp, xp.where(x == x, x, xp.zeros_like(x)), -LARGEST, LARGEST),
    "reciprocal_no_nan": lambda xp, x: xp.where(x == 0, xp.zeros_like(x), 1 / xp.where(x == 0, xp.ones_like(x), x)),
    "reciprocal": lambda xp, x: 1 / x,
    "sinc": lambda xp, x: xp.where(x == 0, 1.0, xp.sin(math.pi * x) / xp.where(x == 0, 1.0, math.pi * x)),
    "sparse_plus": lambda xp, x: xp.where(x >= 1, x, 0.25 * xp.square(xp.maximum(x + 1, 0.0))),
    "tanh_shrink": lambda xp, x: x - xp.tanh(x),
    "trunc": lambda xp, x: xp.sign(x) * xp.floor(xp.abs(x)),
}
"""What they give; conditions are 0 or 1."""


@op
class Function(Activation):
    """y = f(x) for a function by name."""

    kind: ClassVar[str] = "function"
    name: str

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.name not in FUNCTIONS:
            raise ShapeError(f"unknown function {self.name!r}; known: {', '.join(FUNCTIONS)}")
        return super().infer(*inputs)

    def rule(self, xp: Namespace, x: Any) -> Any:
        return FUNCTIONS[self.name](xp, x)


@op
class Power(Activation):
    """y = x ** exponent."""

    kind: ClassVar[str] = "power"
    exponent: float

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.pow(x, self.exponent)


@op
class Clip(Activation):
    """y = min(max(x, low), high)."""

    kind: ClassVar[str] = "clip"
    low: float
    high: float

    def rule(self, xp: Namespace, x: Any) -> Any:
        return _clipped(xp, x, self.low, self.high)


@op
class Mish(Activation):
    """y = x * tanh(log(1 + exp(x)))."""

    kind: ClassVar[str] = "mish"

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x * xp.tanh(xp.softplus(x))


@op
class Threshold(Activation):
    """y = x where x > threshold, else value."""

    kind: ClassVar[str] = "threshold"
    threshold: float
    value: float = 0.0

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.where(x > self.threshold, x, self.value)


@op
class Shrink(Activation):
    """y = x where abs(x) > threshold, else 0; with ``soft`` those that stay come nearer to 0 by the threshold."""

    kind: ClassVar[str] = "shrink"
    threshold: float = 0.5
    soft: bool = False

    def rule(self, xp: Namespace, x: Any) -> Any:
        if self.soft:
            return x - xp.clip(x, -self.threshold, self.threshold)
        return xp.where(xp.abs(x) > self.threshold, x, 0.0)


@op
class NotEqual(PureOp):
    """y = 1 where x differs from a value, else 0."""

    kind: ClassVar[str] = "not-equal"
    elementwise: ClassVar[bool] = True
    value: float

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(inputs[0].shape)

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.astype(x != self.value, x.dtype)


def _divided(xp: Namespace, a: Any, b: Any) -> Any:
    return xp.where(b == 0, xp.zeros_like(a * b), a / xp.where(b == 0, xp.ones_like(b), b))


CONDITIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "equal": lambda a, b: a == b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "is_close": lambda a, b: abs(a - b) <= 1e-8 + 1e-5 * abs(b),
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "logical_and": lambda a, b: (a != 0) & (b != 0),
    "logical_or": lambda a, b: (a != 0) | (b != 0),
    "logical_xor": lambda a, b: (a != 0) ^ (b != 0),
    "not_equal": lambda a, b: a != b,
}


def _condition(name: str) -> Callable[[Namespace, Any, Any], Any]:
    return lambda xp, a, b: xp.astype(CONDITIONS[name](a, b), a.dtype)


PAIRS: Mapping[str, Callable[[Namespace, Any, Any], Any]] = {
    **{name: _condition(name) for name in CONDITIONS},
    "atan2": lambda xp, a, b: xp.atan2(a, b),
    "divide_no_nan": _divided,
    "floor_divide": lambda xp, a, b: xp.floor(a / b),
    "fmod": lambda xp, a, b: xp.sign(a) * xp.remainder(xp.abs(a), xp.abs(b)),
    "heaviside": lambda xp, a, b: xp.where(a == 0, b, xp.astype(a > 0, a.dtype)),
    "hypot": lambda xp, a, b: xp.sqrt(xp.square(a) + xp.square(b)),
    "logaddexp": lambda xp, a, b: xp.maximum(a, b) + xp.softplus(-xp.abs(a - b)),
    "pow": lambda xp, a, b: xp.pow(a, b),
    "remainder": lambda xp, a, b: xp.remainder(a, b),
    "xlogy": lambda xp, a, b: xp.where(a == 0, xp.zeros_like(a * b), a * xp.log(xp.where(a == 0, xp.ones_like(b), b))),
}
"""What they give; conditions are 0 or 1."""


@op
class Pairwise(Elementwise):
    """y = f(a, b), element by element, for a function by name, with broadcasting."""

    kind: ClassVar[str] = "pairwise"
    arity: ClassVar[int | None] = 2
    name: str

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.name not in PAIRS:
            raise ShapeError(f"unknown function {self.name!r}; known: {', '.join(PAIRS)}")
        return super().infer(*inputs)

    def join(self, xp: Namespace, a: Any, b: Any) -> Any:
        return PAIRS[self.name](xp, a, b)


@op
class Where(PureOp):
    """y = a where the condition is not 0, else b, element by element, with broadcasting: inputs condition, a, b."""

    kind: ClassVar[str] = "where"
    arity: ClassVar[int | None] = 3
    elementwise: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return joint_type(*inputs)

    def rule(self, xp: Namespace, *inputs: Any) -> Any:
        condition, a, b = aligned(*inputs)
        return xp.where(condition != 0, a, b)
