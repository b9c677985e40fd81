"""The array functions in which rules are written once: a rule takes a namespace ``xp`` and never names a library.

A namespace has the functions below under the names of the Python array API standard (https://data-apis.org), with
numpy's meaning, and a few that the standard lacks: ``erf``, ``erfinv``, ``power_near``, ``rsqrt``, ``sigmoid`` and
``softplus``. ``NUMPY`` is the one that gives an op its meaning; a backend brings its own (TensorFlow's is
``snnc_tensorflow/namespace.py``). A rule is pure: it changes none of its arrays. Python numbers take the precision of
the array that they meet; a truth value becomes a number with ``xp.astype(x, array.dtype)``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from snnc.ir.types import AnyArray

Namespace: TypeAlias = Any
"""``NUMPY``, or what a backend puts in its place."""

FUNCTIONS = (
    *("abs", "acos", "acosh", "asin", "asinh", "astype", "atan", "atan2", "atanh", "ceil", "clip", "concat", "cos"),
    *("cosh", "erf", "erfinv", "exp", "expm1", "floor", "log", "log1p", "matmul", "max", "maximum", "mean", "min"),
    *("minimum", "ones_like", "pow", "power_near", "prod", "remainder", "reshape", "round", "rsqrt", "sigmoid", "sign"),
    *("sin", "sinh", "softplus", "sqrt", "square", "sum", "tan", "tanh", "where", "zeros_like"),
    *("argsort", "cumulative_prod", "cumulative_sum", "take", "take_along_axis"),
)
"""What every namespace has."""


class NumpyNamespace:
    """numpy, with the functions that it lacks."""

    acos = staticmethod(np.arccos)
    acosh = staticmethod(np.arccosh)
    asin = staticmethod(np.arcsin)
    asinh = staticmethod(np.arcsinh)
    atan = staticmethod(np.arctan)
    atan2 = staticmethod(np.arctan2)
    atanh = staticmethod(np.arctanh)
    concat = staticmethod(np.concatenate)
    cumulative_prod = staticmethod(np.cumprod)
    cumulative_sum = staticmethod(np.cumsum)
    pow = staticmethod(np.power)

    @staticmethod
    def argsort(x: AnyArray, axis: int) -> AnyArray:
        """Return the places of the elements along an axis from small to large, of equal ones the first first."""
        return np.argsort(x, axis=axis, kind="stable")

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def astype(x: AnyArray, dtype: Any) -> AnyArray:
        """Return the array in another precision."""
        return np.asarray(x).astype(dtype, copy=False)

    @staticmethod
    def erf(x: AnyArray) -> AnyArray:
        """Return the error function: scipy's, exact to float32."""
        from scipy.special import erf

        return np.asarray(erf(x), dtype=x.dtype)

    @staticmethod
    def erfinv(x: AnyArray) -> AnyArray:
        """Return the inverse of the error function."""
        from scipy.special import erfinv

        return np.asarray(erfinv(x), dtype=x.dtype)

    @staticmethod
    def power_near(x: AnyArray) -> AnyArray:
        """Return the power of two nearest to x >= 0, and 0 for 0: the fraction bits are rounded into the exponent."""
        whole, bits = (np.int64, 52) if x.dtype == np.float64 else (np.int32, 23)
        return ((np.ascontiguousarray(x).view(whole) + whole(1 << bits - 1)) & whole(-1 << bits)).view(x.dtype)

    @staticmethod
    def rsqrt(x: AnyArray) -> AnyArray:
        """Return 1 / sqrt(x)."""
        return 1 / np.sqrt(x)

    @staticmethod
    def sigmoid(x: AnyArray) -> AnyArray:
        """Return 1 / (1 + exp(-x)), without overflow."""
        half = x.dtype.type(0.5)
        return half * (1 + np.tanh(half * x))

    @staticmethod
    def softplus(x: AnyArray) -> AnyArray:
        """Return log(1 + exp(x)), without overflow."""
        return np.logaddexp(x, x.dtype.type(0))


NUMPY = NumpyNamespace()
