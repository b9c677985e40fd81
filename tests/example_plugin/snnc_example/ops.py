"""Ops of our own: the distance from a learned centre, and an activation."""

from typing import ClassVar

import numpy as np

from snnc.api import Activation, Array, Namespace, Op, ShapeError, TensorType, op


@op
class Distance(Op):
    """y = |x - centre|. centre has the shape of the last axis."""

    kind: ClassVar[str] = "distance"
    centre: Array

    def infer(self, *inputs: TensorType) -> TensorType:
        """Keep the shape."""
        (x,) = inputs
        if self.centre.shape != x.shape[-1:]:
            raise ShapeError(f"centre of shape {self.centre.shape} does not fit {x}")
        return TensorType(x.shape)

    def evaluate(self, *inputs: Array) -> Array:
        """Compute it for a batch."""
        distance: Array = np.abs(inputs[0] - self.centre)
        return distance


@op
class Snake(Activation):
    """y = x + sin(a * x)^2 / a, after Ziyin, Hartwig & Ueda (2020), "Neural networks fail to learn periodic functions".

    A rule is all that an activation needs: every backend runs it.
    """

    kind: ClassVar[str] = "snake"
    frequency: float = 1.0

    def rule(self, xp: Namespace, x: Array) -> Array:
        """Compute it with the functions of numpy, TensorFlow, or whatever runs it."""
        return x + xp.square(xp.sin(self.frequency * x)) / self.frequency
