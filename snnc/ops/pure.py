"""Ops that are one formula, written once for numpy and for every backend that has its functions."""

from __future__ import annotations

from typing import Any, ClassVar

from snnc.ir.namespace import NUMPY
from snnc.ir.op import Op
from snnc.ir.types import Array

__all__ = ["PureOp"]


class PureOp(Op):
    """An op that is a pure ``rule`` over an array namespace: a backend with a namespace runs it without a lowering.

    A subclass that numpy alone can compute may define ``evaluate`` in place of the rule; it runs on the host then.
    """

    elementwise: ClassVar[bool] = False
    """Whether each output element depends on the same element of each input alone."""

    def rule(self, *arguments: Any, **_: Any) -> Any:
        """Return the output, given a namespace ``xp`` and the batched inputs: ``rule(self, xp, x)`` in a subclass.

        It takes its functions from ``xp``; inputs, and arrays that are fields of the op, are those of its library.
        """
        raise NotImplementedError(f"the op {self.kind!r} has neither a rule nor an evaluate")

    def evaluate(self, *inputs: Array) -> Array:
        return self.rule(NUMPY, *inputs)
