"""Products that come out the same on every machine although they are added up in float32: those of spikes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from snnc.ir.types import AnyArray, Array
from snnc.ops.kernels.blas import during, is_reproducible
from snnc.ops.kernels.spread import spread

BITS = 23
"""A float32 holds every whole number up to 2^24; one bit is left for what rounding adds."""

_spikes: ContextVar[bool] = ContextVar("spikes", default=False)


@contextmanager
def exact_spikes() -> Iterator[None]:
    """Add up single spikes like this inside a block: in half the time of float64, where that would be needed."""
    with during(_spikes, True):
        yield


def is_exact() -> bool:
    """Return whether this is inside such a block, and what is measured must not depend on the machine."""
    return _spikes.get() and is_reproducible()


def two_values(x: Array) -> tuple[Array, Array, Array] | None:
    """Return zeros and ones, and what either stands for in each channel; None where a channel has more than two values.

    Single spikes have two, and still have when they are scaled and shifted.

    Args:
        x: ``(batch, *positions, channels)``.
    """
    low, high = (f(f(x, axis=0).reshape(-1, x.shape[-1]), axis=0) for f in (np.min, np.max))
    zeros = x == spread(low, x)
    if not (zeros | (x == spread(high, x))).all():
        return None
    return (~zeros).astype(np.float32), low, high


def on_a_grid(weight: AnyArray) -> Array:
    """Return weights ``(..., inputs, outputs)`` rounded to whole multiples of a step, of which each output has its own.

    A float32 holds every sum of some of them, whatever their order. A step is at most 2^-22 of the sum of an output's
    absolute weights.
    """
    weight = weight.astype(np.float64)
    largest = np.abs(weight).reshape(-1, weight.shape[-1]).sum(axis=0)
    step = np.exp2(np.ceil(np.log2(np.maximum(largest, np.finfo(np.float32).tiny))) - BITS)
    return np.asarray(np.rint(weight / step) * step, dtype=np.float32)
