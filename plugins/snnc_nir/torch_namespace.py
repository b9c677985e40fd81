"""The array functions in which snnc's rules are written, as PyTorch has them; see ``snnc/ir/namespace.py``."""

from __future__ import annotations

from typing import Any

import torch

Tensor = Any

_SAME = (
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "erf", "erfinv"),
    *("exp", "expm1", "floor", "log", "log1p", "matmul", "ones_like", "pow", "remainder", "reshape", "round", "rsqrt"),
    *("sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "where", "zeros_like"),
)
_DTYPES = {"bool": torch.bool, "float32": torch.float32, "float64": torch.float64, "int32": torch.int32}
_DTYPES |= {"int64": torch.int64}


class TorchNamespace:
    """PyTorch under the names of the array API."""

    def __getattr__(self, name: str) -> Any:
        if name in _SAME:
            return getattr(torch, name)
        raise AttributeError(f"PyTorch's namespace has no function {name!r}; see snnc/ir/namespace.py")

    @staticmethod
    def argsort(x: Tensor, axis: int) -> Tensor:
        """Return the places of the elements along an axis from small to large, of equal ones the first first."""
        return torch.argsort(x, dim=axis, stable=True)

    @staticmethod
    def astype(x: Tensor, dtype: Any) -> Tensor:
        """Return the tensor in another precision: one of PyTorch's, or of numpy's."""
        import numpy as np

        return x.to(dtype if isinstance(dtype, torch.dtype) else _DTYPES[np.dtype(dtype).name])

    @classmethod
    def clip(cls, x: Tensor, low: Any, high: Any) -> Tensor:
        """Return min(max(x, low), high)."""
        return cls.minimum(cls.maximum(x, low), high)

    @staticmethod
    def concat(parts: Any, axis: int) -> Tensor:
        """Return tensors one behind the other along an axis."""
        return torch.cat(tuple(parts), dim=axis)

    @staticmethod
    def cumulative_prod(x: Tensor, axis: int) -> Tensor:
        """Return the products so far along an axis."""
        return torch.cumprod(x, dim=axis)

    @staticmethod
    def cumulative_sum(x: Tensor, axis: int) -> Tensor:
        """Return the sums so far along an axis."""
        return torch.cumsum(x, dim=axis)

    @staticmethod
    def max(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the largest elements along some axes, or of all."""
        return torch.amax(x, dim=_axes(x, axis), keepdim=keepdims)

    @staticmethod
    def maximum(x: Any, y: Any) -> Tensor:
        """Return the larger of each two."""
        return torch.maximum(*_both(x, y))

    @staticmethod
    def mean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the means along some axes, or of all."""
        return torch.mean(x, dim=_axes(x, axis), keepdim=keepdims)

    @staticmethod
    def min(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the smallest elements along some axes, or of all."""
        return torch.amin(x, dim=_axes(x, axis), keepdim=keepdims)

    @staticmethod
    def minimum(x: Any, y: Any) -> Tensor:
        """Return the smaller of each two."""
        return torch.minimum(*_both(x, y))

    @staticmethod
    def power_near(x: Tensor) -> Tensor:
        """Return the power of two nearest to x >= 0, and 0 for 0: the fraction bits are rounded into the exponent."""
        whole, bits = (torch.int64, 52) if x.dtype == torch.float64 else (torch.int32, 23)
        return ((x.contiguous().view(whole) + (1 << bits - 1)) & (-1 << bits)).view(x.dtype)

    @staticmethod
    def prod(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the products along some axes, or of all."""
        for one in sorted(_axes(x, axis), reverse=True):
            x = torch.prod(x, dim=one, keepdim=keepdims)
        return x

    @staticmethod
    def softplus(x: Tensor) -> Tensor:
        """Return log(1 + exp(x)), without overflow."""
        return torch.logaddexp(x, torch.zeros_like(x))

    @staticmethod
    def sum(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the sums along some axes, or of all."""
        return torch.sum(x, dim=_axes(x, axis), keepdim=keepdims)

    @staticmethod
    def take(x: Tensor, indices: Any, axis: int) -> Tensor:
        """Return the elements at indices along an axis."""
        where = torch.as_tensor(indices, device=x.device)
        return x[(slice(None),) * (axis % x.ndim) + (where,)]

    @staticmethod
    def take_along_axis(x: Tensor, indices: Tensor, axis: int) -> Tensor:
        """Return, along an axis, the elements at the indices at the same place, which broadcast."""
        return torch.take_along_dim(x, indices.long(), dim=axis)


def _axes(x: Tensor, axis: Any) -> tuple[int, ...]:
    """Return axes as numbers from 0 on; None is all of them."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(one % x.ndim for one in axes)


def _both(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Return two tensors, of which one was a number or an array of numpy."""
    if not isinstance(x, torch.Tensor):
        x = torch.as_tensor(x, dtype=y.dtype, device=y.device)
    if not isinstance(y, torch.Tensor):
        y = torch.as_tensor(y, dtype=x.dtype, device=x.device)
    return x, y


TORCH = TorchNamespace()
