"""Matrix products by the BLAS that scipy brings, and how many threads it may use.

numpy's own is frozen into its wheel: the one of numpy 1.24 takes processors newer than itself for a Pentium 4 and then
runs at a fifth of their speed. scipy's is newer (measured on a Xeon of 2023: 150 against 30 GFLOP/s).
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from snnc.ir.types import AnyArray


def matmul(a: AnyArray, b: AnyArray, out: AnyArray | None = None) -> AnyArray:
    """Return ``a @ b`` for matrices (rows, inner) and (inner, columns), computed in float32.

    Where a contiguous ``out`` of float64 is given, they are multiplied in float64; see ``reproducible``, too.
    """
    if min(*a.shape, *b.shape) == 0:
        return np.matmul(a, b, out=out)
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), dtype=np.float32)
    if _reproducible.get() and out.dtype == np.float32:
        out[...] = matmul(a, b, np.empty(out.shape))
        return out
    a, b = np.ascontiguousarray(a, dtype=out.dtype), np.ascontiguousarray(b, dtype=out.dtype)
    inner, columns = b.shape
    assert a.shape[1] == inner and out.shape == (a.shape[0], columns) and out.flags.c_contiguous
    kind, real = ("d", ctypes.c_double) if out.dtype == np.float64 else ("s", ctypes.c_float)
    m, n, k = ctypes.c_int(columns), ctypes.c_int(a.shape[0]), ctypes.c_int(inner)
    # BLAS counts columns first, so it is told to multiply the transposes: out.T = b.T @ a.T
    terms = real(1), b.ctypes.data, m, a.ctypes.data, k, real(0), out.ctypes.data, m
    _routine(kind + "gemm", "cciiirpipirpi")(b"N", b"N", m, n, k, *terms)
    return out


def matmuls(a: AnyArray, b: AnyArray) -> AnyArray:
    """Return ``a @ b`` for stacks of float32 matrices (..., rows, inner) and (..., inner, columns)."""
    if _reproducible.get():
        return np.matmul(a, b, dtype=np.float64).astype(np.float32)
    return np.matmul(a, b)


def matvec(a: AnyArray, x: AnyArray, out: AnyArray) -> None:
    """Set ``out`` to ``a @ x`` for a matrix (rows, inner): contiguous arrays, all float32 or all float64."""
    if a.size == 0:
        out[...] = 0
        return
    rows, inner = a.shape
    assert x.shape == (inner,) and out.shape == (rows,) and a.dtype == x.dtype == out.dtype
    assert a.flags.c_contiguous and x.flags.c_contiguous and out.flags.c_contiguous
    kind, real = ("d", ctypes.c_double) if out.dtype == np.float64 else ("s", ctypes.c_float)
    m, n, one = ctypes.c_int(inner), ctypes.c_int(rows), ctypes.c_int(1)
    terms = real(1), a.ctypes.data, m, x.ctypes.data, one, real(0), out.ctypes.data, one
    _routine(kind + "gemv", "ciirpipirpi")(b"T", m, n, *terms)


@functools.cache
def _routine(name: str, arguments: str) -> Any:
    """Return a function of BLAS as scipy gives it to Cython.

    ``scipy.linalg.blas`` has the same, but keeps Python's lock, so that only one thread at a time multiplies.

    Args:
        name: such as ``sgemm``.
        arguments: a letter each: c for a character, i for an integer, r for a number, p for an array.
    """
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    real = ctypes.c_double if name.startswith("d") else ctypes.c_float
    types: dict[str, Any] = {
        "c": ctypes.c_char_p,
        "i": ctypes.POINTER(ctypes.c_int),
        "r": ctypes.POINTER(real),
        "p": ctypes.c_void_p,
    }
    return ctypes.CFUNCTYPE(None, *(types[letter] for letter in arguments))(address)


_reproducible: ContextVar[bool] = ContextVar("reproducible", default=False)


@contextmanager
def during(variable: ContextVar[bool], value: bool) -> Iterator[None]:
    """Let a variable of the calling thread have a value inside a block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def reproducible() -> Iterator[None]:
    """Let what is measured inside a block depend neither on the cores, nor on the BLAS, nor on the processor.

    A sum of float32 products comes out differently in its last bits by the order in which a BLAS adds, which differs
    from one processor to the next. In here sums are made in float64, each by one thread, and rounded to float32: then
    they are the same, but for a few in 10^8 that lie between two float32 numbers. The block is the calling thread's,
    and that of the threads among which it shares a batch.
    """
    with during(_reproducible, True), one_thread():
        yield


@contextmanager
def in_float32() -> Iterator[None]:
    """Add up in float32 inside a block of ``reproducible``: what comes out does not depend on the order (``exact``)."""
    with during(_reproducible, False):
        yield


def is_reproducible() -> bool:
    """Return whether this is inside a block of ``reproducible``."""
    return _reproducible.get()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to the calling thread inside a block.

    Its own threads wait for each other in busy loops: when another program has one of the cores, two threads take
    five times as long as one. Callers that want all cores split the batch instead. The limit is the process's: blocks
    in several threads share one, and the last to leave gives back what was there before the first.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """How many blocks want one thread, and how many each library had before the first."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before: list[int] = []

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = [library.get_num_threads() for library in _libraries()]
                self._set([1] * len(self._before))
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._set(self._before)

    def _set(self, numbers: list[int]) -> None:
        for library, number in zip(_libraries(), numbers, strict=True):
            # threadpoolctl lets only the thread that was first set a limit, which may be gone or another one by now
            give_up = getattr(library, "clear_controlling_thread", lambda **_: None)
            give_up(force=True)
            library.set_num_threads(number)
            give_up(force=True)


_limit = _Limit()


@functools.cache
def _libraries() -> Sequence[Any]:
    import scipy.linalg.blas  # noqa: F401 - it must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
