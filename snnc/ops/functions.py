"""Elementwise functions beside the activations, as operators on tensors use them."""

from __future__ import annotations

from typing import Any, ClassVar

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import TensorType
from snnc.ops.activations import Activation
from snnc.ops.pure import PureOp

__all__ = ["Clip", "Function", "Mish", "NotEqual", "Power"]

FUNCTIONS = (
    *("abs", "ceil", "cos", "expm1", "floor", "log", "log1p", "reciprocal"),
    *("round", "rsqrt", "sign", "sin", "sqrt", "square"),
)


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
        return 1 / x if self.name == "reciprocal" else getattr(xp, self.name)(x)


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
        return xp.clip(x, self.low, self.high)


@op
class Mish(Activation):
    """y = x * tanh(log(1 + exp(x)))."""

    kind: ClassVar[str] = "mish"

    def rule(self, xp: Namespace, x: Any) -> Any:
        return x * xp.tanh(xp.softplus(x))


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
