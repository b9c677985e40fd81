"""Matrix products by the BLAS that scipy brings, and how many threads it may use.

numpy's own is frozen into its wheel: the one of numpy 1.24 takes processors newer than itself for a Pentium 4 and then
runs at a fifth of their speed. scipy's is newer (measured on a Xeon of 2023: 150 against 30 GFLOP/s).
"""

from __future__ import annotations

import ctypes
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
    a, b = np.ascontiguousarray(a, dtype=np.float32), np.ascontiguousarray(b, dtype=np.float32)
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), dtype=np.float32)
    inner, columns = b.shape
    assert a.shape[1] == inner and out.shape == (a.shape[0], columns) and out.flags.c_contiguous
    one, nothing = ctypes.c_float(1), ctypes.c_float(0)
    m, n, k = ctypes.c_int(columns), ctypes.c_int(a.shape[0]), ctypes.c_int(inner)
    # BLAS counts columns first, so it is told to multiply the transposes: out.T = b.T @ a.T
    _sgemm()(b"N", b"N", m, n, k, one, b.ctypes.data, m, a.ctypes.data, k, nothing, out.ctypes.data, m)
    return out


@functools.cache
def _sgemm() -> Any:
    """Return BLAS's matrix product as scipy gives it to Cython.

    ``scipy.linalg.blas.sgemm`` is the same, but keeps Python's lock, so that only one thread at a time multiplies.
    """
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__["sgemm"]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    number, real, data = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_float), ctypes.c_void_p
    letter = ctypes.c_char_p
    arguments = (letter, letter, number, number, number, real, data, number, data, number, real, data, number)
    return ctypes.CFUNCTYPE(None, *arguments)(address)


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
