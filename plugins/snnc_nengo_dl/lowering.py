"""How NengoDL builds ops otherwise than Nengo: as TensorFlow's own kernels in place of sparse matrices."""

from __future__ import annotations

from typing import Any

from snnc_nengo.site import Lowered, Site
from snnc_tensorflow.layers import convolution, padding_name, transposed_convolution
from snnc_tensorflow.namespace import TENSORFLOW

from snnc.api import Array, Op, lowering, ops
from snnc_nengo_dl.tensor_transform import Apply, TensorMap


@lowering("nengo-dl", ops.Dense)
def dense(op: ops.Dense, site: Site) -> Lowered:
    """Multiply by a matrix, over the last axis."""
    if op.activation is not None:
        return site.host(op)
    return _trained(TENSORFLOW.matmul, op.weight, 0, site)


@lowering("nengo-dl", ops.Conv)
def conv(op: ops.Conv, site: Site) -> Lowered:
    """Use TensorFlow's convolution."""
    if op.activation is not None:
        return site.host(op)
    apply = convolution(op, site.name, site.inputs[0].shape)
    return _trained(apply, op.kernel, op.kernel.ndim - 2 if op.groups == 1 else None, site)


@lowering("nengo-dl", ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, site: Site) -> Lowered:
    """Use TensorFlow's transposed convolution."""
    if max(op.dilation, default=1) > 1:
        return (site.linear(op),)
    apply = transposed_convolution(op, site.name, site.inputs[0].shape)
    return _trained(apply, op.kernel, op.kernel.ndim - 1, site)


def _trained(apply: Apply, weights: Array, scale_axis: int | None, site: Site) -> Lowered:
    """Return the term of a function of an input ``(batch, *shape)`` and of weights, which can be trained."""
    (x,), size = site.inputs, site.output.size

    def flat(values: Any, weights: Any) -> Any:
        import tensorflow as tf

        return tf.reshape(apply(tf.reshape(values, (-1, *x.shape)), weights), (-1, size))

    return (site.term(TensorMap(flat, x.size, size, weights, scale_axis, site.name)),)


@lowering("nengo-dl", ops.AvgPool)
def avg_pool(op: ops.AvgPool, site: Site) -> Lowered:
    """Use TensorFlow's pooling, which leaves padding out of the average, too; tap by tap is slow without XLA."""
    x, rank, size = site.inputs[0], len(op.size), site.output.size
    padding = padding_name(op.pads(x.shape[:-1]), x.shape[:-1], op.size, op.strides, (1,) * rank)
    if padding is None or rank > 3:
        return (site.linear(op),)

    def apply(values: Any, weights: Any) -> Any:
        import tensorflow as tf

        y = tf.nn.avg_pool(tf.reshape(values, (-1, *x.shape)), op.size, op.strides, padding)
        return tf.reshape(y, (-1, size))

    return (site.term(TensorMap(apply, x.size, size)),)


@lowering("nengo-dl", ops.EachSlice)
def each_slice(op: ops.EachSlice, site: Site) -> Lowered:
    """Compute all slices at once."""
    return mapped(op, site) if op.is_linear else site.host(op)


def mapped(op: Op, site: Site) -> Lowered:
    """Apply a linear op as TensorFlow does, to each input by itself, and add."""
    return tuple(site.linear(op, slot) for slot in range(len(site.inputs)))


MAPPED: tuple[type[Op], ...] = (
    ops.Concatenate,
    ops.GlobalAvgPool,
    ops.Permute,
    ops.ZeroPad,
    ops.TimeFilter,
    ops.Mean,
    ops.Sum,
    ops.Repeat,
    ops.Resize,
    ops.Slice,
    ops.Take,
)

LOWERINGS = [
    dense,
    conv,
    conv_transpose,
    avg_pool,
    each_slice,
    *(lowering("nengo-dl", op)(mapped) for op in MAPPED),
]
