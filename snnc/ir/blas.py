"""Matrix products by the BLAS that scipy brings, and how many threads it may use.

numpy's own is frozen into its wheel: the one of numpy 1.24 takes processors newer than itself for a Pentium 4 and then
runs at a fifth of their speed. scipy's is newer (measured on a Xeon of 2023: 150 against 30 GFLOP/s).
"""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from snnc.ir.types import Array


def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return ``a @ b`` for float32 matrices (rows, inner) and (inner, columns); ``out`` must be contiguous."""
    if min(*a.shape, *b.shape) == 0:
        return np.matmul(a, b, out=out)
    from scipy.linalg.blas import sgemm

    # BLAS counts columns first, so it is given the transposes, which are views
    if out is None:
        return np.asarray(sgemm(1.0, b.T, a.T).T)
    sgemm(1.0, b.T, a.T, c=out.T, overwrite_c=True)
    return out


def one_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to the calling thread inside a block.

    Its own threads wait for each other in busy loops: when another program has one of the cores, two threads take
    five times as long as one. Callers that want all cores split the batch instead.
    """
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> Any:
    import scipy.linalg.blas  # noqa: F401 - it must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
