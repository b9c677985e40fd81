"""Convolution and pooling over any number of spatial axes, channels last, by strided views and BLAS."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator, Sequence

import numpy as np

from snnc import limits
from snnc.ir.types import Array, Shape
from snnc.ops.kernels.blas import in_float32, matmul, matmuls
from snnc.ops.kernels.exact import is_exact, on_a_grid, two_values
from snnc.ops.kernels.spread import spread

Pads = tuple[tuple[int, int], ...]
_BLOCK = 1 << 21
"""Elements of the column matrix made at a time (8 MB: smaller ones keep BLAS waiting, larger ones leave the cache)."""


def span(kernel: int, dilation: int) -> int:
    """Return how many input positions a dilated kernel covers."""
    return (kernel - 1) * dilation + 1


def pads_for(padding: str | Pads, size: Shape, kernel: Shape, strides: Shape, dilation: Shape) -> Pads:
    """Return the (before, after) padding of each axis; ``same`` as TensorFlow means it: the odd one goes after."""
    if not isinstance(padding, str):
        return tuple((int(a), int(b)) for a, b in padding)
    if padding == "valid":
        return tuple((0, 0) for _ in size)
    pads = []
    for n, k, s, d in zip(size, kernel, strides, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + span(k, d) - n, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def output_size(size: Shape, kernel: Shape, strides: Shape, dilation: Shape, pads: Pads) -> Shape:
    """Return the spatial shape of the output (an entry below 1 means that the kernel does not fit).

    Raises BudgetError where the padded input is larger than the budget.
    """
    padded = math.prod(n + a + b for n, (a, b) in zip(size, pads, strict=True))
    limits.require("elements of a tensor", padded, "padding")
    return tuple(
        (n + a + b - span(k, d)) // s + 1
        for n, k, s, d, (a, b) in zip(size, kernel, strides, dilation, pads, strict=True)
    )


FEW_GROUPS = 64
"""Up to so many, a product with one matrix for all groups is faster than one with a matrix for each."""


def without_groups(kernel: Array, groups: int) -> Array:
    """Return the kernel of the same convolution without groups: zero between channels of different groups.

    Some simulators have none with groups, and Nengo's takes 2 to 8 times as long as this.
    """
    if groups == 1:
        return kernel
    *size, per_group, outputs = kernel.shape
    whole = np.zeros((*size, groups, per_group, groups, outputs // groups), dtype=kernel.dtype)
    parts = kernel.reshape(*size, per_group, groups, outputs // groups)
    for g in range(groups):
        whole[..., g, :, g, :] = parts[..., g, :]
    return whole.reshape(*size, groups * per_group, outputs)


def dilated(kernel: Array, dilation: Shape) -> Array:
    """Return a kernel with the gaps of its dilation filled with zeros."""
    if max(dilation, default=1) == 1:
        return kernel
    size = tuple(span(k, d) for k, d in zip(kernel.shape[:-2], dilation, strict=True))
    wide = np.zeros((*size, *kernel.shape[-2:]), dtype=kernel.dtype)
    wide[tuple(slice(None, None, d) for d in dilation)] = kernel
    return wide


def pad(x: Array, pads: Pads, value: float = 0.0) -> Array:
    """Pad the spatial axes of ``(batch, *spatial, channels)``."""
    if not any(a or b for a, b in pads):
        return x
    shape = (x.shape[0], *(n + a + b for n, (a, b) in zip(x.shape[1:-1], pads, strict=True)), x.shape[-1])
    out = np.full(shape, value, dtype=x.dtype)
    out[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(x.shape[1:-1], pads, strict=True)))] = x
    return out


def offsets(kernel: Shape, strides: Shape, dilation: Shape, out: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Yield each kernel position with the slice of the padded input that it meets over all outputs."""
    for position in itertools.product(*(range(k) for k in kernel)):
        yield (
            position,
            tuple(
                slice(p * d, p * d + (n - 1) * s + 1, s)
                for p, d, s, n in zip(position, dilation, strides, out, strict=True)
            ),
        )


def windows(x: Array, kernel: Shape, strides: Shape, dilation: Shape, out: Shape) -> Array:
    """Return a view ``(batch, *out, *kernel, channels)`` of a padded input, without a copy."""
    batch, *space, channel = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        shape=(x.shape[0], *out, *kernel, x.shape[-1]),
        strides=(
            batch,
            *(n * s for n, s in zip(space, strides, strict=True)),
            *(n * d for n, d in zip(space, dilation, strict=True)),
            channel,
        ),
        writeable=False,
    )


def convolve(
    x: Array, kernel: Array, bias: Array, strides: Shape, padding: str | Pads, dilation: Shape, groups: int
) -> Array:
    """Correlate ``(batch, *spatial, inputs)`` with a kernel ``(*size, inputs / groups, outputs)`` and add the bias."""
    size = kernel.shape[:-2]
    pads = pads_for(padding, x.shape[1:-1], size, strides, dilation)
    out = output_size(x.shape[1:-1], size, strides, dilation, pads)
    if groups == 1 and is_exact() and (found := two_values(x)) is not None:
        ones, low, high = found
        with in_float32():
            weight = on_a_grid(kernel * (high.astype(np.float64) - low)[:, None])
            y = _products(pad(ones, pads), weight, strides, dilation, out, groups)
        if low.any():
            lowest = np.broadcast_to(low, (1, *x.shape[1:]))
            y += _products(pad(lowest, pads), kernel, strides, dilation, out, groups)
    else:
        y = _products(pad(x, pads), kernel, strides, dilation, out, groups)
    if bias.any():
        y += spread(bias, y)
    return y


def _products(x: Array, kernel: Array, strides: Shape, dilation: Shape, out: Shape, groups: int) -> Array:
    """Correlate a padded input with a kernel."""
    size, outputs = kernel.shape[:-2], kernel.shape[-1]
    if groups == x.shape[-1] and groups > 1:
        return depthwise(x, kernel, strides, dilation, out)
    if math.prod(size) == 1 and groups <= FEW_GROUPS:
        kernel = without_groups(kernel, groups)
        picked = x[(slice(None), *(slice(0, (n - 1) * s + 1, s) for n, s in zip(out, strides, strict=True)))]
        return matmul(picked.reshape(-1, x.shape[-1]), kernel.reshape(-1, outputs)).reshape(x.shape[0], *out, outputs)
    return _by_columns(x, kernel, strides, dilation, out, groups)


def _by_columns(x: Array, kernel: Array, strides: Shape, dilation: Shape, out: Shape, groups: int) -> Array:
    size, per_group, outputs = kernel.shape[:-2], kernel.shape[-2], kernel.shape[-1]
    view = windows(x, size, strides, dilation, out)
    taps, positions = math.prod(size), math.prod(out)
    step = max(1, _BLOCK // (positions * taps * x.shape[-1]))
    y = np.empty((x.shape[0], *out, outputs), dtype=np.float32)
    # (taps, groups, per group, outputs / groups): each group's own matrix
    weight = kernel.reshape(taps, per_group, groups, outputs // groups).transpose(2, 0, 1, 3)
    weight = np.ascontiguousarray(weight).reshape(groups, taps * per_group, outputs // groups)
    for start in range(0, x.shape[0], step):
        block = view[start : start + step]
        rows = block.shape[0] * positions
        if groups == 1:
            matmul(block.reshape(rows, -1), weight[0], y[start : start + step].reshape(rows, outputs))
            continue
        columns = block.reshape(rows, taps, groups, per_group).transpose(2, 0, 1, 3).reshape(groups, rows, -1)
        y[start : start + step] = matmuls(columns, weight).transpose(1, 0, 2).reshape(block.shape[0], *out, outputs)
    return y


def depthwise(x: Array, kernel: Array, strides: Shape, dilation: Shape, out: Shape) -> Array:
    """Correlate each channel of a padded ``(batch, *spatial, channels)`` by its kernels ``(*size, 1, outputs)``."""
    size, channels, outputs = kernel.shape[:-2], x.shape[-1], kernel.shape[-1]
    if outputs > channels:
        x = x.repeat(outputs // channels, axis=-1)
    weight = kernel.reshape(*size, outputs)
    rank = len(size)
    if strides[-1] == 1:  # einsum runs along the last axis: a row of positions and channels lies in one piece
        x = np.ascontiguousarray(x)
        batch, *space, channel = x.strides
        rows = np.lib.stride_tricks.as_strided(
            x,
            shape=(x.shape[0], *out[:-1], *size, out[-1] * outputs),
            strides=(
                batch,
                *(n * s for n, s in zip(space[:-1], strides, strict=False)),
                *(n * d for n, d in zip(space, dilation, strict=True)),
                channel,
            ),
            writeable=False,
        )
        weight = np.tile(weight, (*(1,) * rank, out[-1]))
        first = rank
    else:
        rows = windows(x, size, strides, dilation, out)
        first = rank + 1
    letters = string.ascii_letters[: rows.ndim]
    y = np.einsum(f"{letters},{letters[first:]}->{letters[:first]}{letters[-1]}", rows, weight)
    return np.asarray(y).reshape(x.shape[0], *out, outputs)


def pool(x: Array, size: Shape, strides: Shape, padding: str | Pads, *, maximum: bool) -> Array:
    """Pool ``(batch, *spatial, channels)``; an average over a padded window counts the real elements only."""
    ones = (1,) * len(size)
    pads = pads_for(padding, x.shape[1:-1], size, strides, ones)
    out = output_size(x.shape[1:-1], size, strides, ones, pads)
    padded = pad(x, pads, -np.inf if maximum else 0.0)
    y: Array | None = None
    for _, where in offsets(size, strides, ones, out):
        tap = padded[(slice(None), *where)]
        if y is None:
            y = tap.copy()
        elif maximum:
            np.maximum(y, tap, out=y)
        else:
            y += tap
    assert y is not None
    return y if maximum else y / window_counts(x.shape[1:-1], size, strides, pads, out)[..., None]


def window_counts(space: Shape, size: Shape, strides: Shape, pads: Pads, out: Shape) -> Array:
    """Return how many real (unpadded) input elements each output's window holds."""
    counts = np.ones((), dtype=np.float32)
    for n, k, s, (before, _), m in zip(space, size, strides, pads, out, strict=True):
        start = np.arange(m) * s - before
        axis = np.minimum(start + k, n) - np.maximum(start, 0)
        counts = np.multiply.outer(counts, axis.astype(np.float32))
    return counts


def spatial(values: int | Sequence[int], rank: int) -> Shape:
    """Return one value for each spatial axis from one number or a sequence."""
    return (int(values),) * rank if isinstance(values, int) else tuple(int(v) for v in values)
