"""Ops that only graphs for Loihi hold."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.api import AnyArray, Array, Op, TensorType, op, ops


def affine(scale: AnyArray | float, shift: AnyArray | float = 0.0) -> ops.Affine:
    """Return y = x * scale + shift, of numbers in any form."""
    first, second = (np.asarray(v, dtype=np.float32) for v in (scale, shift))
    return ops.Affine(scale=first, shift=second)


@op
class ChipOutput(Op):
    """y = x: the spikes of a population of the chip, as a node on the host gets them."""

    kind: ClassVar[str] = "received"
    linear: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return inputs[0]

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray:
        return demand

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0]
