"""Einstein sums of two arrays by matrix products, which numpy's own leaves to loops where both share an index."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snnc.ir.types import AnyArray
from snnc.ops.kernels.blas import matmuls


def contract(equation: str, *inputs: AnyArray) -> AnyArray:
    """Return ``numpy.einsum(equation, *inputs)``, in order in memory.

    Args:
        equation: with an arrow, without an ellipsis.
        inputs: one array a term.
    """
    left, _, result = equation.partition("->")
    terms = left.split(",")
    if len(terms) != 2 or any(len(set(term)) < len(term) for term in terms):
        return np.ascontiguousarray(np.einsum(equation, *inputs, optimize=True))
    (a, b), (x, y) = terms, inputs
    x, a = _summed(x, a, keep=b + result)
    y, b = _summed(y, b, keep=a + result)
    shared = [k for k in a if k in b and k in result]
    inner = [k for k in a if k in b and k not in result]
    rows, columns = [k for k in a if k not in b], [k for k in b if k not in a]
    size = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))
    product = matmuls(
        _grouped(x, a, size, shared, rows, inner),
        _grouped(y, b, size, shared, inner, columns),
    )
    found = product.reshape([size[k] for k in (*shared, *rows, *columns)])
    order = [*shared, *rows, *columns]
    return np.ascontiguousarray(found.transpose([order.index(k) for k in result]))


def _summed(x: AnyArray, term: str, keep: str) -> tuple[AnyArray, str]:
    """Return an array without the axes that nothing else has, and the indices that are left."""
    gone = tuple(axis for axis, k in enumerate(term) if k not in keep)
    return (x.sum(axis=gone), "".join(k for k in term if k in keep)) if gone else (x, term)


def _grouped(x: AnyArray, term: str, size: dict[str, int], *groups: Sequence[str]) -> AnyArray:
    """Return an array of three axes, each of which is a group of indices."""
    ordered = x.transpose([term.index(k) for group in groups for k in group])
    return ordered.reshape([math.prod(size[k] for k in group) for group in groups])
