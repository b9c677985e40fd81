"""The array functions in which snnc's rules are written, as TensorFlow has them; see ``snnc/ir/namespace.py``."""

from __future__ import annotations

from typing import Any

from snnc_tensorflow.import_tensorflow import tf

Tensor = Any

_SAME = (
    "abs",
    "concat",
    "cos",
    "exp",
    "floor",
    "maximum",
    "minimum",
    "ones_like",
    "pow",
    "reshape",
    "round",
    "sign",
    "sin",
    "sqrt",
    "square",
)
_OF_MATH = (
    *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cosh", "erf", "erfinv", "expm1", "log"),
    *("log1p", "rsqrt", "sigmoid", "sinh", "softplus", "tan", "tanh"),
)
_REDUCED = ("max", "mean", "min", "prod", "sum")


class TensorflowNamespace:
    """TensorFlow under the names of the array API."""

    def __getattr__(self, name: str) -> Any:
        if name in (*_SAME, "where", "zeros_like"):
            return getattr(tf, name)
        if name in _OF_MATH:
            return getattr(tf.math, name)
        if name in _REDUCED:
            return self._reduction(name)
        raise AttributeError(f"TensorFlow's namespace has no function {name!r}; see snnc/ir/namespace.py")

    @staticmethod
    def _reduction(name: str) -> Any:
        reduce = getattr(tf, f"reduce_{name}")

        def call(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
            return reduce(x, axis=axis, keepdims=keepdims)

        return call

    @staticmethod
    def argsort(x: Tensor, axis: int) -> Tensor:
        """Return the places of the elements along an axis from small to large, of equal ones the first first."""
        return tf.argsort(x, axis=axis, stable=True)

    @staticmethod
    def cumulative_prod(x: Tensor, axis: int) -> Tensor:
        """Return the products so far along an axis."""
        return tf.math.cumprod(x, axis)

    @staticmethod
    def cumulative_sum(x: Tensor, axis: int) -> Tensor:
        """Return the sums so far along an axis."""
        return tf.math.cumsum(x, axis)

    @staticmethod
    def remainder(x: Tensor, y: Any) -> Tensor:
        """Return x - y * floor(x / y)."""
        return tf.math.floormod(x, y)

    @staticmethod
    def take(x: Tensor, indices: Any, axis: int) -> Tensor:
        """Return the elements at indices along an axis."""
        return tf.gather(x, indices, axis=axis)

    @staticmethod
    def take_along_axis(x: Tensor, indices: Tensor, axis: int) -> Tensor:
        """Return, along an axis, the elements at the indices at the same place, which broadcast."""
        sizes = list(zip(x.shape, indices.shape, strict=True))
        shape = [n if n != 1 else m for n, m in sizes]
        shape[axis] = sizes[axis][1]
        return tf.ensure_shape(tf.experimental.numpy.take_along_axis(x, indices, axis), shape)

    @staticmethod
    def astype(x: Tensor, dtype: Any) -> Tensor:
        """Return the tensor in another precision."""
        return tf.cast(x, dtype)

    @staticmethod
    def power_near(x: Tensor) -> Tensor:
        """Return the power of two nearest to x >= 0, and 0 for 0: the fraction bits are rounded into the exponent."""
        whole, bits = (tf.int64, 52) if x.dtype == tf.float64 else (tf.int32, 23)
        rounded = tf.bitcast(x, whole) + tf.constant(1 << bits - 1, whole)
        return tf.bitcast(tf.bitwise.bitwise_and(rounded, tf.constant(-1 << bits, whole)), x.dtype)

    @staticmethod
    def matmul(x: Tensor, y: Tensor) -> Tensor:
        """Return ``(batch, *rows, inputs)`` times ``(inputs, units)``, by one product of matrices."""
        return tf.matmul(x, y) if len(x.shape) == 2 else tf.tensordot(x, y, 1)

    @staticmethod
    def clip(x: Tensor, low: Any, high: Any) -> Tensor:
        """Return min(max(x, low), high)."""
        return tf.clip_by_value(x, low, high)


TENSORFLOW = TensorflowNamespace()
