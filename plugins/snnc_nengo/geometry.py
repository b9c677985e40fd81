"""Convolutions and pools as what Nengo simulates fastest: a plain convolution, or a sparse matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from snnc.api import AnyArray, Shape, convolve, ops
from snnc_nengo.transforms import Convolution, SparseMatrix, Transform, moved, sparse

GROUPS = 16
"""From so many groups on, a sparse matrix beats a convolution whose kernel is zero between groups."""
ENTRIES = 1 << 25
"""The most entries that a sparse matrix is worth (0.3 GB)."""


def convolution(op: ops.Conv, shape: Shape) -> tuple[Transform, ...]:
    """Return the maps that apply the kernel of a convolution, without its bias, to an input of this shape."""
    space = shape[:-1]
    pads = op.pads(space)
    out = convolve.output_size(space, op.size, op.strides, op.dilation, pads)
    entries = math.prod(out) * op.kernel.size
    depthwise = op.groups == shape[-1]
    if len(space) > 2 or (op.groups >= GROUPS and entries <= ENTRIES and not depthwise):
        return (conv_matrix(op, shape),)
    kernel = convolve.dilated(op.kernel if depthwise else convolve.without_groups(op.kernel, op.groups), op.dilation)
    out_shape, groups = (*out, kernel.shape[-1]), op.groups if depthwise else 1
    if not any(a or b for a, b in pads):
        return (Convolution(kernel, shape, out_shape, op.strides, "valid", groups),)
    if pads == convolve.pads_for("same", space, kernel.shape[:-2], op.strides, (1,) * len(space)):
        return (Convolution(kernel, shape, out_shape, op.strides, "same", groups),)
    wide = (*(n + a + b for n, (a, b) in zip(space, pads, strict=True)), shape[-1])
    return padded(shape, pads), Convolution(kernel, wide, out_shape, op.strides, "valid", groups)


def transposed_convolution(op: ops.ConvTranspose, shape: Shape) -> tuple[Transform, ...]:
    """Return the maps of a transposed convolution: zeros between and around the inputs, then a plain convolution."""
    indices = np.arange(math.prod(shape)).reshape(shape)
    for axis, (n, stride) in enumerate(zip(shape[:-1], op.strides, strict=True)):
        gaps = np.repeat(np.arange(1, n), stride - 1)
        indices = np.insert(indices, gaps, -1, axis=axis)
    kernel = convolve.dilated(op.kernel, op.dilation)
    reach = [k - 1 for k in kernel.shape[:-2]]
    around = [(r - a, r - b) for r, (a, b) in zip(reach, op.crops, strict=True)]
    indices = np.pad(indices, [*((max(a, 0), max(b, 0)) for a, b in around), (0, 0)], constant_values=-1)
    indices = indices[
        tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(indices.shape, around, strict=False))
    ]
    # what a transposed convolution scatters, a plain one gathers with the kernel turned round
    turned = np.ascontiguousarray(np.flip(kernel, axis=tuple(range(len(reach)))).swapaxes(-1, -2))
    out = tuple(n - r for n, r in zip(indices.shape[:-1], reach, strict=True))
    plain = Convolution(turned, indices.shape, (*out, turned.shape[-1]), (1,) * len(reach), "valid")
    return moved(indices, math.prod(shape)), plain


def padded(shape: Shape, pads: convolve.Pads) -> SparseMatrix:
    """Return the map that puts zeros around the spatial axes."""
    return moved(_around(shape, pads), math.prod(shape))


def average(op: ops.AvgPool, shape: Shape) -> SparseMatrix:
    """Return the map that averages over windows; padded elements do not count."""
    space, ones = shape[:-1], (1,) * len(op.size)
    pads = op.pads(space)
    out = convolve.output_size(space, op.size, op.strides, ones, pads)
    share = 1 / convolve.window_counts(space, op.size, op.strides, pads, out)
    taps = [(columns, share[..., None]) for _, columns in _taps(shape, op.size, op.strides, ones, pads, out)]
    return _gathered(taps, (*out, shape[-1]), math.prod(shape))


def global_average(shape: Shape) -> SparseMatrix:
    """Return the map that averages over all spatial axes."""
    size, channels = math.prod(shape), shape[-1]
    share = np.full(size, channels / size)
    return sparse(np.arange(size) % channels, np.arange(size), share, (channels, size))


def conv_matrix(op: ops.Conv, shape: Shape) -> SparseMatrix:
    """Return a convolution as a sparse matrix, one entry for each weight at each output position."""
    pads = op.pads(shape[:-1])
    out = convolve.output_size(shape[:-1], op.size, op.strides, op.dilation, pads)
    *_, per_group, outputs = op.kernel.shape
    width = outputs // op.groups
    taps = []
    for position, columns in _taps(shape, op.size, op.strides, op.dilation, pads, out):
        weight = op.kernel[position].reshape(per_group, op.groups, width)
        grouped = columns.reshape(*out, op.groups, per_group)
        for channel in range(per_group):
            read = np.repeat(grouped[..., channel], width, axis=-1)
            taps.append((read, weight[channel].ravel()))
    return _gathered(taps, (*out, outputs), math.prod(shape))


def _taps(
    shape: Shape, kernel: Shape, strides: Shape, dilation: Shape, pads: convolve.Pads, out: Shape
) -> Iterator[tuple[Shape, AnyArray]]:
    """Yield each kernel position with the input element, or -1, that every output reads there: ``(*out, inputs)``."""
    indices = _around(shape, pads)
    for position, where in convolve.offsets(kernel, strides, dilation, out):
        yield position, indices[where]


def _gathered(taps: list[tuple[AnyArray, AnyArray]], out: Shape, size_in: int) -> SparseMatrix:
    """Return the matrix whose outputs each add up ``weight * input[column]`` over the taps; column -1 is no input."""
    rows, columns, values = [], [], []
    for read, weight in taps:
        (row,) = np.nonzero(read.ravel() >= 0)
        rows.append(row)
        columns.append(read.ravel()[row])
        values.append(np.broadcast_to(weight, out).ravel()[row])
    return sparse(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (math.prod(out), size_in))


def _around(shape: Shape, pads: convolve.Pads) -> AnyArray:
    """Return the index of each element of a padded input, ``(*spatial, channels)``; -1 is padding."""
    indices = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    return np.pad(indices, (*pads, (0, 0)), constant_values=-1)
