"""Weights that make up for what quantised inputs change: one layer at a time, by least squares on samples."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from snnc import ops
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array
from snnc.ops.kernels import convolve

ROWS = 2048
"""Outputs of a channel, at most, that the weights are fitted on."""
RIDGE = 1.0
"""What holds the weights to the model's: in units of the mean square of an input, centred, times the outputs."""


def reconstructed(op: Op, x: Array, wanted: Array, rng: np.random.Generator) -> Op:
    """Return a dense or conv op that gives on quantised inputs, as far as it can, what the model's gives on its own.

    Minimises ``|x (w + d) + b + c - wanted|^2 + ridge |d|^2`` over d and c, channel by channel (Hubara et al. 2021;
    for spiking networks Li et al. 2021). The ridge keeps what the samples say little about as the model has it.

    Args:
        op: any op; others than dense and conv are returned as they are.
        x: its input in the quantised model, ``(batch, *shape)``.
        wanted: its output in the model, ``(batch, *shape)``.
        rng: picks the outputs that are used, where there are many.
    """
    if not isinstance(op, (ops.Dense, ops.Conv)) or op.activation is not None:
        return op
    weight, groups = (op.weight, 1) if isinstance(op, ops.Dense) else (op.kernel, op.groups)
    channels = weight.shape[-1]
    rows = rng.choice(wanted.size // channels, min(wanted.size // channels, ROWS), replace=False)
    columns, targets = _columns(op, x, rows), wanted.reshape(-1, channels)[rows]
    # (groups, rows, inputs), (groups, inputs, outputs), (groups, rows, outputs)
    taps = weight.size // (weight.shape[-2] * channels)
    columns = columns.astype(np.float64)  # the last bits of what is solved in float32 differ from BLAS to BLAS
    read = columns.reshape(len(rows), taps, groups, -1).transpose(2, 0, 1, 3).reshape(groups, len(rows), -1)
    w = weight.reshape(taps, -1, groups, channels // groups).transpose(2, 0, 1, 3).reshape(groups, read.shape[2], -1)
    missing = (targets - op.bias).reshape(len(rows), groups, -1).transpose(1, 0, 2) - read @ w
    off, mean = missing.mean(axis=1, keepdims=True), read.mean(axis=1, keepdims=True)
    change = _ridge(read - mean, missing - off)
    bias = op.bias + (off - mean @ change).reshape(channels)
    parts = (w + change).reshape(groups, taps, -1, channels // groups).transpose(1, 2, 0, 3)
    fitted = np.ascontiguousarray(parts.reshape(weight.shape), dtype=np.float32)
    return replace(op, weight=fitted, bias=bias) if isinstance(op, ops.Dense) else replace(op, kernel=fitted, bias=bias)


def _columns(op: ops.Dense | ops.Conv, x: Array, rows: AnyArray) -> AnyArray:
    """Return what some of the outputs read, ``(rows, taps, channels)``."""
    if isinstance(op, ops.Dense):
        return x.reshape(-1, 1, x.shape[-1])[rows]
    pads = op.pads(x.shape[1:-1])
    out = convolve.output_size(x.shape[1:-1], op.size, op.strides, op.dilation, pads)
    view = convolve.windows(np.ascontiguousarray(convolve.pad(x, pads)), op.size, op.strides, op.dilation, out)
    picked = view[np.unravel_index(rows, (len(x), *out))]
    return picked.reshape(len(rows), math.prod(op.size), x.shape[-1])


def _ridge(x: AnyArray, y: AnyArray) -> AnyArray:
    """Return d of the least ``|x d - y|^2 + ridge |d|^2``; x ``(groups, rows, inputs)``, y the same with outputs."""
    across = x.transpose(0, 2, 1)
    rows, inputs = x.shape[1:]
    ridge = RIDGE * np.square(x).sum(axis=(1, 2), keepdims=True) / inputs + 1e-12
    if rows < inputs:
        return np.asarray(across @ np.linalg.solve(x @ across + ridge * np.eye(rows), y))
    return np.asarray(np.linalg.solve(across @ x + ridge * np.eye(inputs), across @ y))
