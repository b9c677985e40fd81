"""Linear maps that TensorFlow applies; naming them needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from snnc_nengo.transforms import Transform

from snnc.api import AnyArray, Array

Apply: TypeAlias = Callable[[Any, Any], Any]
"""Takes the input, ``(batch, size_in)``, and the weights, or None; gives ``(batch, size_out)``."""


@dataclass(frozen=True)
class TensorMap(Transform):
    """y = apply(x, weights), linear in x."""

    apply: Apply
    size_in: int
    size: int
    weights: Array | None = None
    """What can be trained, in the shape that the op keeps it in; None if nothing can."""
    scale_axis: int | None = None
    """The axis of the weights that the last axis of the input meets, so that factors can become part of them."""
    node: str = ""
    """The node of the graph whose weights, or bias, these are."""
    bias: bool = False
    factor: AnyArray | None = None
    """What the weights were multiplied with, in a shape that broadcasts against them."""

    @property
    def size_out(self) -> int:
        return self.size

    def scaled(self, factor: AnyArray) -> Transform | None:
        if self.weights is None or self.scale_axis is None:
            return None
        rows = factor.reshape(-1, self.weights.shape[self.scale_axis])
        if (rows != rows[0]).any():
            return None
        shape = [1] * self.weights.ndim
        shape[self.scale_axis] = -1
        more = rows[0].reshape(shape)
        weights = np.asarray(self.weights * more, dtype=np.float32)
        return replace(self, weights=weights, factor=more if self.factor is None else self.factor * more)

    def nengo(self) -> Any:
        from snnc_nengo_dl.apply_map import TensorTransform

        return TensorTransform(self)


def padded(inner: Transform | None, size: int, at: int, whole: int) -> TensorMap | None:
    """Return the map that puts the ``size`` results of another from ``at`` on among zeros, or None if it is not ours.

    NengoDL writes to a part of a vector element by element; adding a whole vector is faster.
    """

    def apply(x: Any, weights: Any) -> Any:
        import tensorflow as tf

        y = inner.apply(x, weights) if isinstance(inner, TensorMap) else x
        return tf.pad(y, [[0, 0], [at, whole - at - size]])

    if inner is None:
        return TensorMap(apply, size, whole)
    if isinstance(inner, TensorMap):
        return replace(inner, apply=apply, size=whole)
    return None
