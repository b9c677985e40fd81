"""An op of our own: the distance from a learned centre."""

from typing import ClassVar

import numpy as np

from snnc.api import Array, Op, ShapeError, TensorType, op


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
