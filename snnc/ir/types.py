"""The type of a tensor in the graph: its shape without batch and time, and its signal, rates or spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
"""A float32 array: what tensors and parameters are."""
AnyArray: TypeAlias = npt.NDArray[Any]
"""An array of any type."""
Shape: TypeAlias = tuple[int, ...]
"""The sizes of a tensor, without batch and time."""
Signal: TypeAlias = Literal["rate", "spikes"]
"""What a tensor's values are; see ``TensorType``."""


def broadcast(a: Shape, b: Shape) -> Shape | None:
    """Return the shape that two shapes broadcast to, or None."""
    try:
        return tuple(np.broadcast_shapes(a, b))
    except ValueError:
        return None


@dataclass(frozen=True)
class TensorType:
    """A shape (no batch, no time axis) and a signal: ``rate`` is a value a step, ``spikes`` a train of impulses."""

    shape: Shape
    signal: Signal = "rate"

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return math.prod(self.shape)

    def with_shape(self, shape: Shape) -> TensorType:
        """Return the same signal in another shape."""
        return replace(self, shape=tuple(int(n) for n in shape))

    def __str__(self) -> str:
        return f"{self.signal}[{','.join(map(str, self.shape))}]"
