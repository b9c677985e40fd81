"""Layers with weights, and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from snnc.api import Array, Lowering, LoweringError, Op, Shape, convolve, lowering, ops
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.namespace import TENSORFLOW
from snnc_tensorflow.site import Function, Site, Tensor


def _bias(bias: Array, site: Site) -> Any:
    """Return the function that adds a bias; nothing for one of zeros."""
    if not bias.any():
        return lambda y: y
    weight = site.weight(bias)
    return lambda y: tf.nn.bias_add(y, weight)


@lowering("tensorflow", ops.Dense)
def dense(op: ops.Dense, site: Site) -> Function:
    """Lower a fully connected layer over the last axis."""
    weight, bias, act = site.weight(op.weight), _bias(op.bias, site), site.inner(op.activation)
    return Function(lambda x: act(bias(TENSORFLOW.matmul(x, weight))))


@lowering("tensorflow", ops.Conv)
def conv(op: ops.Conv, site: Site) -> Function:
    """Lower a convolution of one to three spatial axes, with groups or without."""
    apply = convolution(op, site.node.name, site.inputs[0].shape)
    kernel, bias, act = site.weight(op.kernel), _bias(op.bias, site), site.inner(op.activation)
    return Function(lambda x: act(bias(apply(x, kernel))))


@lowering("tensorflow", ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, site: Site) -> Function:
    """Lower a transposed convolution."""
    # not all kernels of TensorFlow dilate
    wide = replace(op, kernel=convolve.dilated(op.kernel, op.dilation), dilation=(1,) * len(op.dilation))
    apply = transposed_convolution(wide, site.node.name, site.inputs[0].shape)
    kernel, bias = site.weight(wide.kernel), _bias(op.bias, site)
    return Function(lambda x: bias(apply(x, kernel)))


def convolution(op: ops.Conv, name: str, shape: Shape) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the linear part of a convolution as a function of ``(batch, *shape)`` and a kernel as the op has it.

    Raises:
        LoweringError: TensorFlow has none of so many axes; names the node.
    """
    _require_rank(len(op.size), name)
    space, channels, outputs = shape[:-1], shape[-1], op.kernel.shape[-1]
    pads = op.pads(space)
    out = convolve.output_size(space, op.size, op.strides, op.dilation, pads)
    named = padding_name(pads, space, op.size, op.strides, op.dilation)
    padding = named or "VALID"

    def plain(x: Tensor, kernel: Tensor) -> Tensor:
        if len(op.size) > 2:
            return tf.nn.convolution(x, kernel, op.strides, padding, dilations=op.dilation)
        if len(op.size) == 2:
            return tf.nn.conv2d(x, kernel, op.strides, padding, dilations=op.dilation)
        # as one row of an image, which has the faster kernels
        y = tf.nn.conv2d(x[:, None], kernel[None], (1, *op.strides), padding, dilations=(1, *op.dilation))
        return tf.squeeze(y, 1)

    def grouped(x: Tensor, kernel: Tensor) -> Tensor:
        parts = zip(tf.split(x, op.groups, -1), tf.split(kernel, op.groups, -1), strict=True)
        return tf.concat([plain(part, weights) for part, weights in parts], -1)

    def depthwise(x: Tensor, kernel: Tensor) -> Tensor:
        weights = tf.reshape(kernel, (*op.size, channels, outputs // channels))
        return tf.nn.depthwise_conv2d(x, weights, (1, *op.strides, 1), padding, dilations=op.dilation)

    def tap_by_tap(x: Tensor, kernel: Tensor) -> Tensor:
        wide = tf.repeat(pad(x, pads), outputs // channels, axis=-1)
        weights = tf.reshape(kernel, (*op.size, outputs))
        taps = convolve.offsets(op.size, op.strides, op.dilation, out)
        return tf.add_n([wide[(slice(None), *where)] * weights[tap] for tap, where in taps])

    if op.groups == channels > 1:
        one = len(set(op.strides)) == 1 and (max(op.dilation) == 1 or max(op.strides) == 1)
        if len(op.size) != 2 or not one:  # TensorFlow has no kernel
            return tap_by_tap
        run = depthwise
    else:
        run = plain if op.groups == 1 else grouped
    return run if named else lambda x, kernel: run(pad(x, pads), kernel)


def transposed_convolution(op: ops.ConvTranspose, name: str, shape: Shape) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the linear part of a transposed convolution without dilation: its full result, cut or padded.

    It is a function of ``(batch, *shape)`` and a kernel as the op has it.

    Raises:
        LoweringError: TensorFlow has none of so many axes; names the node.
    """
    rank, outputs = len(op.strides), op.kernel.shape[-2]
    _require_rank(rank, name)
    full = tuple((n - 1) * s + k for n, s, k in zip(shape, op.strides, op.kernel.shape, strict=False))
    cut = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(full, op.crops, strict=True))
    pads = tuple((max(-a, 0), max(-b, 0)) for a, b in op.crops)
    row = (1,) if rank == 1 else ()  # as one row of an image

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        size = (tf.shape(x)[0], *row, *full, outputs)
        if row:
            x, kernel = x[:, None], kernel[None]
        y = tf.nn.conv_transpose(x, kernel, size, (*row, *op.strides), "VALID")
        y = tf.reshape(y, (-1, *full, outputs))
        return pad(y[(slice(None), *cut)], pads)

    return apply


def _require_rank(rank: int, name: str) -> None:
    if rank > 3:
        raise LoweringError(f"node {name!r}: TensorFlow has no convolution of {rank} axes; use 3 at most")


def padding_name(pads: convolve.Pads, space: Shape, size: Shape, strides: Shape, dilation: Shape) -> str | None:
    """Return TensorFlow's name of a padding, or None if it has none for it."""
    if not any(a or b for a, b in pads):
        return "VALID"
    return "SAME" if pads == convolve.pads_for("same", space, size, strides, dilation) else None


def pad(x: Tensor, pads: convolve.Pads, value: float = 0.0) -> Tensor:
    """Pad the spatial axes of ``(batch, *spatial, channels)``."""
    if not any(a or b for a, b in pads):
        return x
    return tf.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def pooled(x: Tensor, op: ops.Pool, space: Shape, *, maximum: bool) -> Tensor:
    """Return the pool of ``(batch, *space, channels)``, tap by tap like the evaluator: XLA makes one loop of it."""
    ones, pads = (1,) * len(op.size), op.pads(space)
    out = convolve.output_size(space, op.size, op.strides, ones, pads)
    padded = pad(x, pads, -math.inf if maximum else 0.0)
    taps = [padded[(slice(None), *where)] for _, where in convolve.offsets(op.size, op.strides, ones, out)]
    y = taps[0]
    for tap in taps[1:]:
        y = tf.maximum(y, tap) if maximum else y + tap
    if maximum:
        return y
    counts = convolve.window_counts(space, op.size, op.strides, pads, out)
    return y / (counts.flat[0] if (counts == counts.flat[0]).all() else counts[..., None])


def _pool(op: ops.Pool, site: Site) -> Function:
    space = site.inputs[0].shape[:-1]
    return Function(lambda x: pooled(x, op, space, maximum=op.maximum), fuse=True)


def _global_pool(op: Op, site: Site) -> Function:
    axes = list(range(1, len(site.inputs[0].shape)))
    reduce = tf.reduce_mean if isinstance(op, ops.GlobalAvgPool) else tf.reduce_max
    return Function(lambda x: reduce(x, axes))


@lowering("tensorflow", ops.Embedding)
def embedding(op: ops.Embedding, site: Site) -> Function:
    """Lower a look-up of rows."""
    table = site.weight(op.table)
    last = float(len(op.table) - 1)
    return Function(lambda x: tf.gather(table, tf.cast(tf.clip_by_value(x, 0.0, last), tf.int64)))


LOWERINGS: list[Lowering] = [
    dense,
    conv,
    conv_transpose,
    Lowering("tensorflow", ops.AvgPool, _pool),
    Lowering("tensorflow", ops.MaxPool, _pool),
    Lowering("tensorflow", ops.GlobalAvgPool, _global_pool),
    Lowering("tensorflow", ops.GlobalMaxPool, _global_pool),
    embedding,
]
