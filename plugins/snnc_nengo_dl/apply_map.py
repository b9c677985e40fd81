"""The transform of a connection that TensorFlow applies, and its operator in NengoDL."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder import Signal
from nengo.builder.operator import Operator
from nengo.rc import rc
from nengo.transforms import Transform
from nengo_dl.builder import OpBuilder


class TensorTransform(Transform):
    """A transform for NengoDL alone."""

    def __init__(self, tensor_map: Any) -> None:
        """Apply a ``tensor_transform.TensorMap``."""
        super().__init__()
        self.map = tensor_map

    @property
    def size_in(self) -> int:
        """Return the length of the input."""
        return self.map.size_in

    @property
    def size_out(self) -> int:
        """Return the length of the output."""
        return self.map.size_out

    @property
    def _argreprs(self) -> list[str]:
        return [f"{self.size_in} -> {self.size_out}"]

    def sample(self, rng: Any = np.random) -> Any:
        """Return the weights, of which a map without any has one that it does not use."""
        return np.zeros(1) if self.map.weights is None else self.map.weights


class ApplyMap(Operator):
    """Sets ``Y = apply(X, W)``."""

    def __init__(self, tensor_map: Any, weights: Any, x: Any, y: Any) -> None:
        """Take the signals of the weights (None without any), of the input and of the output."""
        super().__init__(tag=f"{y.name} apply")
        self.map, self.x, self.y, self.weights = tensor_map, x, y, weights
        self.sets, self.incs, self.updates = [y], list[Any](), list[Any]()
        self.reads = [x] if weights is None else [x, weights]


def build_transform(
    model: Any, transform: TensorTransform, x: Any, decoders: Any = None, encoders: Any = None, rng: Any = None
) -> tuple[Any, Any]:
    """Add the operator of a transform to Nengo's model; return the signals of the output and of the weights."""
    y = Signal(shape=transform.size_out, name=f"{x.name} -> {transform}")
    weights = Signal(transform.sample().astype(rc.float_dtype), name=f"{y.name}.weights", readonly=True)
    used = None if transform.map.weights is None else weights
    model.add_op(ApplyMap(transform.map, used, x, y))
    return y, weights


class ApplyMapBuilder(OpBuilder):
    """Builds an ApplyMap."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        (op,) = self.ops
        weights = None if op.weights is None else signals.gather(signals[op.weights])
        y = op.map.apply(signals.gather(signals[op.x]), weights)
        signals.scatter(signals[op.y], tf.ensure_shape(y, (signals.minibatch_size, op.map.size_out)))
