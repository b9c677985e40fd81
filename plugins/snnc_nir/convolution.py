"""Linear maps as NIR says them: correlations over square kernels with as much padding on one side as on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from snnc.api import AnyArray, Array, linear_maps
from snnc_nir.file import NirNode, Value

Pair: TypeAlias = tuple[int, int]
LARGEST = 1 << 26
"""Weights of a map that is written whole though it has few that are not zero: 256 MB."""


class Unsayable(Exception):
    """Why NIR cannot say a map; the text says it."""


def linear_node(
    kernel: AnyArray, bias: AnyArray, form: linear_maps.Correlation, axes: int, *, grouped: bool = True
) -> NirNode:
    """Return the node of a correlation.

    Args:
        kernel: ``(height, width, inputs, outputs)`` float64.
        bias: ``(outputs,)``.
        form: strides, padding and grid of the correlation.
        axes: how many spatial axes there are: 0, 1 or 2.
        grouped: whether channels without weights between them may be in groups.

    """
    if axes == 0:
        return NirNode("Affine", {"weight": kernel[0, 0].T.astype(np.float32), "bias": bias})
    kernel, strides, pads = _symmetric(kernel, form, axes)
    groups = _groups(kernel) if grouped else 1
    weight = _grouped(kernel, groups).transpose(3, 2, 0, 1).astype(np.float32)
    fields: dict[str, Value] = {"weight": weight if axes == 2 else weight[..., 0], "bias": bias}
    numbers = {
        "input_shape": form.grid[:2],
        "stride": strides,
        "padding": pads,
        "dilation": (1, 1),
    }
    for name, pair in numbers.items():
        fields[name] = np.array(pair) if axes == 2 else np.array(pair[0])
    return NirNode(f"Conv{axes}d", {**fields, "groups": np.array(groups)})


def whole(matrix: AnyArray, grid: tuple[int, int, int]) -> tuple[AnyArray, linear_maps.Correlation]:
    """Return a dense map (outputs, inputs) as the correlation whose kernel is the whole grid of its input."""
    height, width, channels = grid
    kernel = np.asarray(matrix, dtype=np.float64).T.reshape(height, width, channels, -1)
    none = ((0, 0), (0, 0))
    return kernel, linear_maps.Correlation(kernel, (1, 1), none, grid, (1, 1, kernel.shape[-1]))


def _symmetric(kernel: AnyArray, form: linear_maps.Correlation, axes: int) -> tuple[AnyArray, Pair, Pair]:
    """Return a kernel, with zeros in front and behind where it has to grow, the strides, and the padding of both sides.

    PyTorch pads both sides alike, and ``nir`` infers both sizes of an output from one of the kernel's, so that it has
    to be square. Where it is even along one axis and odd along the other and both strides are 1, no square one would
    do: what it takes of both sizes is even, or odd. That of a whole map may have any strides.
    """
    along = list(zip(form.grid, form.pads, kernel.shape, form.output, strict=False))[:axes]
    most = 2 * max(k + sum(pads) + s for (_, pads, k, _), s in zip(along, form.strides, strict=False))
    longer = tuple(max(s, 2) if out == 1 else s for s, out in zip(form.strides, form.output, strict=False))
    sizes = range(max(k for _, _, k, _ in along), most + 1)
    for strides in (form.strides, (longer[0], longer[1])):
        for size in sizes:
            found = [_padding(size, s, *axis) for s, axis in zip(strides, along, strict=False)]
            if None not in found:
                return _grown(kernel, form, [size] * axes, found, strides)
    each = [
        next((size, padding) for size in range(axis[2], most + 1) if (padding := _padding(size, s, *axis)) is not None)
        for s, axis in zip(form.strides, along, strict=False)
    ]
    return _grown(kernel, form, [size for size, _ in each], [padding for _, padding in each], form.strides)


def _grown(
    kernel: AnyArray, form: linear_maps.Correlation, sizes: list[int], paddings: Sequence[int | None], strides: Pair
) -> tuple[AnyArray, Pair, Pair]:
    grown, pads = [(0, 0)] * 4, [0, 0]
    for axis, (size, padding) in enumerate(zip(sizes, paddings, strict=True)):
        assert padding is not None
        front = padding - form.pads[axis][0]
        grown[axis], pads[axis] = (front, size - kernel.shape[axis] - front), padding
    return np.pad(kernel, grown), strides, (pads[0], pads[1])


def _padding(size: int, stride: int, n: int, pads: Pair, k: int, outputs: int) -> int | None:
    """Return the padding of both sides with which a grown kernel means the same along one axis, or None.

    With ``padding - before`` zeros in front of its ``k`` and the rest behind them, it counts
    ``(n + 2 padding - size) // stride + 1`` outputs.
    """
    before = pads[0]
    padding = max(before, -((n - size - (outputs - 1) * stride) // 2))
    fits = padding <= before + size - k and n + 2 * padding - size < outputs * stride
    return padding if fits else None


def _groups(kernel: AnyArray) -> int:
    """Return the most groups of channels between which there are no weights."""
    inputs, outputs = kernel.shape[2:]
    joined = (kernel != 0).any(axis=(0, 1))
    for groups in range(math.gcd(inputs, outputs), 1, -1):
        if inputs % groups == 0 and outputs % groups == 0:
            blocks = joined.reshape(groups, inputs // groups, groups, outputs // groups).any(axis=(1, 3))
            if not blocks[~np.eye(groups, dtype=bool)].any():
                return groups
    return 1


def _grouped(kernel: AnyArray, groups: int) -> AnyArray:
    """Return a kernel ``(height, width, inputs / groups, outputs)`` of the blocks of a whole one."""
    height, width, inputs, outputs = kernel.shape
    blocks = kernel.reshape(height, width, groups, inputs // groups, groups, outputs // groups)
    own = blocks[:, :, np.arange(groups), :, np.arange(groups)]  # groups first, as numpy has it
    return own.transpose(1, 2, 3, 0, 4).reshape(height, width, inputs // groups, outputs)


def identity(factor: AnyArray, grid: tuple[int, int, int]) -> tuple[AnyArray, linear_maps.Correlation]:
    """Return the correlation that multiplies each channel by a factor."""
    kernel = np.diag(factor)[None, None]
    return kernel, linear_maps.Correlation(kernel, (1, 1), ((0, 0), (0, 0)), grid, grid)


def uniform(constant: Array, channels: int) -> AnyArray:
    """Return what a constant ``(*shape)`` adds to each channel; raise Unsayable where positions differ."""
    rows = np.asarray(constant, dtype=np.float64).reshape(-1, channels)
    if (rows != rows[0]).any():
        raise Unsayable("its bias differs from position to position")
    return np.asarray(rows[0])
