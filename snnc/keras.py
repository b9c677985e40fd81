"""Training in Keras for a network that is going to spike. Importing this imports Keras, 2.12 or newer, or 3."""

from __future__ import annotations

import math
from typing import Any

from snnc.errors import MissingExtraError, UsageError

try:
    import keras
except ImportError as error:
    raise MissingExtraError("keras", error) from error

_serializable = keras.utils.register_keras_serializable(package="snnc")


@_serializable
class RateRegularizer(keras.regularizers.Regularizer):
    """Keep firing rates in a band: ``strength * mean(d ** p)``, where d Hz is how far a rate is outside of it.

    The rate of a neuron is ``scale * activation``, as ``snnc.compile(scale=...)`` has it. The mean is over the neurons,
    as Keras takes that over the samples of a batch. Given to a layer as its ``activity_regularizer``, it is part of the
    loss in training only; conversion reads no regularizers.

    >>> keras.layers.Dense(64, "relu", activity_regularizer=RateRegularizer(target=250, scale=100))
    """

    def __init__(
        self,
        target: float | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        scale: float = 1.0,
        strength: float = 1e-6,
        p: float = 2.0,
    ) -> None:
        """Take a target or a band.

        Args:
            target: Hz; the same as ``low`` and ``high`` both.
            low: the lowest rate in Hz that costs nothing.
            high: the highest rate in Hz that costs nothing.
            scale: Hz for an activation of 1.
            strength: of the penalty, per Hz ** p. At 1e-6 and p = 2, 100 Hz too much in every neuron cost 0.01.
            p: the power of the deviation, at least 1.

        Raises:
            UsageError: neither or both are given, or a number is out of its range.

        """
        if (target is None) == (low is None and high is None):
            raise UsageError("RateRegularizer: give either target, or low, high or both, in Hz")
        low, high = (target, target) if target is not None else (low, high)
        numbers = {"low": low, "high": high, "scale": scale, "strength": strength, "p": p}
        for name, value in numbers.items():
            if value is not None and not (0 <= value < math.inf):
                raise UsageError(f"RateRegularizer: {name} must be a finite number of at least 0, not {value!r}")
        if low is not None and high is not None and low > high:
            raise UsageError(f"RateRegularizer: low ({low} Hz) is above high ({high} Hz)")
        if scale == 0 or p < 1:
            raise UsageError(f"RateRegularizer: scale must be above 0 and p at least 1, not {scale!r} and {p!r}")
        self.low, self.high, self.scale, self.strength, self.p = low, high, scale, strength, p

    def __call__(self, x: Any) -> Any:
        """Return the penalty of activations ``(batch, ...)``, summed over the batch: Keras divides by its size."""
        ops = _operations()
        rates = x * self.scale
        off = 0.0
        if self.low is not None:
            off += ops.relu(self.low - rates)
        if self.high is not None:
            off += ops.relu(rates - self.high)
        each = ops.mean(ops.power(off, self.p), axis=tuple(range(1, len(x.shape))))
        return self.strength * ops.sum(each)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the same regularizer."""
        return {"low": self.low, "high": self.high, "scale": self.scale, "strength": self.strength, "p": self.p}


def _operations() -> Any:
    """Return functions of tensors: those of Keras 3 for any of its backends, or TensorFlow's with Keras 2."""
    if hasattr(keras, "ops"):
        return keras.ops
    import tensorflow as tf

    return _TensorFlow(tf)


class _TensorFlow:
    """TensorFlow's functions by the names that Keras 3 gives them."""

    def __init__(self, tf: Any) -> None:
        self.relu, self.power = tf.nn.relu, tf.pow
        self.mean, self.sum = tf.reduce_mean, tf.reduce_sum


__all__ = ["RateRegularizer"]
