"""Layers with weights, and pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snnc.api import Array, Lowering, LoweringError, Op, Shape, convolve, lowering, ops
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Site, Tensor


@lowering("tensorflow", ops.Dense)
def dense(op: ops.Dense, site: Site) -> Function:
    """Lower a fully connected layer over the last axis."""
    weight, bias, act = site.weight(op.weight), _bias(op.bias, site), site.inner(op.activation)
    inputs, shape = op.weight.shape[0], site.output.shape

    def call(x: Tensor) -> Tensor:
        flat = x if len(shape) == 1 else tf.reshape(x, (-1, inputs))
        y = bias(tf.matmul(flat, weight))
        return act(y if len(shape) == 1 else tf.reshape(y, (-1, *shape)))

    return Function(call)


@lowering("tensorflow", ops.Conv)
def conv(op: ops.Conv, site: Site) -> Function:
    """Lower a convolution of one to three spatial axes, with groups or without."""
    rank, (x,) = len(op.size), site.inputs
    if rank > 3:
        raise LoweringError(f"node {site.node.name!r}: TensorFlow has no convolution of {rank} axes; use 3 at most")
    channels, bias, act = x.shape[-1], _bias(op.bias, site), site.inner(op.activation)
    pads = op.pads(x.shape[:-1])
    same = op.padding if isinstance(op.padding, str) else None
    if op.groups == channels and op.groups > 1:
        plain = _depthwise(op, site)
        same = None
    elif op.groups > 1:
        plain = _grouped(op, site, same)
    else:
        kernel = site.weight(op.kernel)
        plain = lambda x: _convolution(x, kernel, op, same)  # noqa: E731
    return Function(lambda x: act(bias(plain(x if same else pad(x, pads)))))


def pad(x: Tensor, pads: convolve.Pads, value: float = 0.0) -> Tensor:
    """Pad the spatial axes of ``(batch, *spatial, channels)``."""
    if not any(a or b for a, b in pads):
        return x
    return tf.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def _bias(bias: Array, site: Site) -> Any:
    """Return the function that adds a bias; nothing for one of zeros."""
    if not bias.any():
        return lambda y: y
    weight = site.weight(bias)
    return lambda y: tf.nn.bias_add(y, weight)


def _convolution(x: Tensor, kernel: Tensor, op: ops.Conv, same: str | None) -> Tensor:
    padding = (same or "valid").upper()
    if len(op.size) == 1:  # as one row of an image, which has the faster kernels
        y = tf.nn.conv2d(x[:, None], kernel[None], (1, *op.strides), padding, dilations=(1, *op.dilation))
        return tf.squeeze(y, 1)
    if len(op.size) == 2:
        return tf.nn.conv2d(x, kernel, op.strides, padding, dilations=op.dilation)
    return tf.nn.convolution(x, kernel, op.strides, padding, dilations=op.dilation)


def _grouped(op: ops.Conv, site: Site, same: str | None) -> Any:
    kernels = [site.weight(np.ascontiguousarray(k)) for k in np.split(op.kernel, op.groups, axis=-1)]

    def call(x: Tensor) -> Tensor:
        parts = tf.split(x, op.groups, axis=-1)
        return tf.concat([_convolution(p, k, op, same) for p, k in zip(parts, kernels, strict=True)], axis=-1)

    return call


def _depthwise(op: ops.Conv, site: Site) -> Any:
    """Return a convolution of each channel with kernels of its own; the input is padded already."""
    rank, channels, outputs = len(op.size), site.inputs[0].shape[-1], op.kernel.shape[-1]
    one = len(set(op.strides)) == 1 and (max(op.dilation) == 1 or max(op.strides) == 1)
    if rank == 2 and one:
        kernel = site.weight(op.kernel.reshape(*op.size, channels, outputs // channels))
        strides = (1, *op.strides, 1)
        return lambda x: tf.nn.depthwise_conv2d(x, kernel, strides, "VALID", dilations=op.dilation)
    weight = site.weight(op.kernel.reshape(*op.size, outputs))
    out = site.output.shape[:-1]

    def call(x: Tensor) -> Tensor:
        wide = tf.repeat(x, outputs // channels, axis=-1)
        taps = convolve.offsets(op.size, op.strides, op.dilation, out)
        return tf.add_n([wide[(slice(None), *where)] * weight[tap] for tap, where in taps])

    return call


@lowering("tensorflow", ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, site: Site) -> Function:
    """Lower a transposed convolution: its full result, cut or padded."""
    rank, space = op.kernel.ndim - 2, site.inputs[0].shape[:-1]
    if rank > 3:
        raise LoweringError(f"node {site.node.name!r}: TensorFlow has no convolution of {rank} axes; use 3 at most")
    spans = tuple(convolve.span(k, d) for k, d in zip(op.kernel.shape, op.dilation, strict=False))
    spread = np.zeros((*spans, *op.kernel.shape[-2:]), dtype=np.float32)  # not all kernels of TensorFlow dilate
    spread[tuple(slice(None, None, d) for d in op.dilation)] = op.kernel
    kernel, bias = site.weight(spread), _bias(op.bias, site)
    full = tuple((n - 1) * s + k for n, s, k in zip(space, op.strides, spans, strict=True))
    cut = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(full, op.crops, strict=True))
    pads = tuple((max(-a, 0), max(-b, 0)) for a, b in op.crops)
    if rank == 1:  # as one row of an image
        where, shape, strides = (0, *cut), (1, *full), (1, *op.strides)
    else:
        where, shape, strides = cut, full, op.strides

    def call(x: Tensor) -> Tensor:
        size = (tf.shape(x)[0], *shape, op.kernel.shape[-2])
        y = tf.nn.conv_transpose(
            x[:, None] if rank == 1 else x, kernel[None] if rank == 1 else kernel, size, strides, "VALID"
        )
        y = tf.ensure_shape(y, (None, *shape, op.kernel.shape[-2]))
        return bias(pad(y[(slice(None), *where)], pads))

    return Function(call)


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
