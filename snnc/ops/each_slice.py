"""Ops that look at a tensor slice by slice along its first axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from snnc.errors import ShapeError
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType


@op
class EachSlice(Op):
    """y[i] = op(x[i], ...) for every index i of the first axis, which all inputs share."""

    kind: ClassVar[str] = "each-slice"
    arity: ClassVar[int | None] = None
    op: Op

    def infer(self, *inputs: TensorType) -> TensorType:
        counts = {x.shape[:1] for x in inputs}
        if len(counts) != 1 or () in counts:
            raise ShapeError(f"inputs need a first axis of the same size, got {', '.join(map(str, inputs))}")
        if self.op.arity not in (None, len(inputs)):
            raise ShapeError(f"{self.op.kind} takes {self.op.arity} input(s), got {len(inputs)}")
        (count,) = counts
        inner = self.op.infer(*slices(inputs))
        return inner.with_shape((*count, *inner.shape))

    @property
    def is_linear(self) -> bool:
        return self.op.is_linear

    @property
    def is_bilinear(self) -> bool:
        return self.op.is_bilinear

    def multiply_adds(self, *inputs: TensorType) -> int:
        return inputs[0].shape[0] * self.op.multiply_adds(*slices(inputs))

    def evaluate(self, *inputs: Array) -> Array:
        batch, count = inputs[0].shape[:2]
        y = self.op.evaluate(*(x.reshape(batch * count, *x.shape[2:]) for x in inputs))
        return y.reshape(batch, count, *y.shape[1:])


def slices(inputs: Sequence[TensorType]) -> list[TensorType]:
    """Return the types of one slice of each input."""
    return [x.with_shape(x.shape[1:]) for x in inputs]
