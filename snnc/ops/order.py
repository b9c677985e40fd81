"""Ops that pick by computed indices or put elements in order, along one axis counted from 0 without the batch."""

from __future__ import annotations

from typing import Any, ClassVar

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import TensorType, broadcast
from snnc.ops.pure import PureOp
from snnc.ops.reduce import check_axes

__all__ = ["ArgSort", "CumulativeProduct", "Sort", "TakeAlong"]


class _AlongAxis(PureOp):
    """An op along one axis that keeps the shape."""

    axis: int

    def infer(self, *inputs: TensorType) -> TensorType:
        check_axes((self.axis,), inputs[0])
        return TensorType(inputs[0].shape)


@op
class Sort(_AlongAxis):
    """y = the elements from small to large, or from large to small."""

    kind: ClassVar[str] = "sort"
    axis: int
    descending: bool = False

    def rule(self, xp: Namespace, x: Any) -> Any:
        axis = self.axis + 1
        return xp.take_along_axis(x, xp.argsort(-x if self.descending else x, axis=axis), axis)


@op
class ArgSort(_AlongAxis):
    """y = the places of the elements from small to large, or from large to small; of equal ones the first first."""

    kind: ClassVar[str] = "arg-sort"
    axis: int
    descending: bool = False

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.astype(xp.argsort(-x if self.descending else x, axis=self.axis + 1), x.dtype)


@op
class CumulativeProduct(_AlongAxis):
    """y = the product of the elements up to each."""

    kind: ClassVar[str] = "cumulative-product"
    axis: int

    def rule(self, xp: Namespace, x: Any) -> Any:
        return xp.cumulative_prod(x, axis=self.axis + 1)


@op
class TakeAlong(PureOp):
    """y = the elements of x at the (rounded-down) indices, which have x's shape but along the axis, or sizes of one.

    Negative indices count from the end; those outside are the nearest inside.
    """

    kind: ClassVar[str] = "take-along"
    arity: ClassVar[int | None] = 2
    axis: int

    def infer(self, *inputs: TensorType) -> TensorType:
        x, indices = inputs
        check_axes((self.axis,), x)
        rest = (*x.shape[: self.axis], 1, *x.shape[self.axis + 1 :])
        if len(indices.shape) != len(rest) or broadcast(rest, indices.shape) is None:
            raise ShapeError(f"indices of {indices} do not fit {x} along axis {self.axis}")
        joint = list(broadcast(rest, indices.shape) or ())
        joint[self.axis] = indices.shape[self.axis]
        return TensorType(tuple(joint))

    def rule(self, xp: Namespace, x: Any, indices: Any) -> Any:
        n = x.shape[self.axis + 1]
        places = xp.floor(indices)
        places = xp.clip(xp.where(places < 0, places + n, places), 0.0, float(n - 1))
        return xp.take_along_axis(x, xp.astype(places, "int32"), self.axis + 1)
