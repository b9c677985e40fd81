"""How NengoDL builds ops otherwise than Nengo: as TensorFlow's own kernels in place of sparse matrices."""

from __future__ import annotations

from typing import Any

from snnc_nengo.site import Lowered, Site

from snnc.api import Op, Shape, convolve, lowering, ops
from snnc_nengo_dl.tensor_transform import TensorMap

SPACES = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


@lowering("nengo-dl", ops.Dense)
def dense(op: ops.Dense, site: Site) -> Lowered:
    """Multiply by a matrix, over the last axis."""
    if op.activation is not None:
        return site.host(op)
    inputs, units = op.weight.shape

    def apply(x: Any, weight: Any) -> Any:
        import tensorflow as tf

        if x.shape[-1] == inputs:
            return tf.matmul(x, weight)
        return tf.reshape(tf.matmul(tf.reshape(x, (-1, inputs)), weight), (-1, x.shape[-1] // inputs * units))

    return (site.term(TensorMap(apply, site.inputs[0].size, site.output.size, op.weight, 0, site.name)),)


@lowering("nengo-dl", ops.Conv)
def conv(op: ops.Conv, site: Site) -> Lowered:
    """Use TensorFlow's convolution."""
    if op.activation is not None or len(op.size) not in SPACES:
        return site.host(op) if op.activation is not None else (site.linear(op),)
    shape = site.inputs[0].shape
    pads, padding = _padding(op.pads(shape[:-1]), shape, op.size, op.strides, op.dilation)
    depthwise = op.groups > 1 and op.groups == shape[-1] and len(op.size) == 2 and op.strides[0] == op.strides[1]

    def apply(x: Any, kernel: Any) -> Any:
        import tensorflow as tf

        x = tf.reshape(x, (-1, *shape))
        if pads is not None:
            x = tf.pad(x, pads)
        if depthwise:
            per_channel = tf.reshape(kernel, (*op.size, op.groups, -1))
            y = tf.nn.depthwise_conv2d(x, per_channel, (1, *op.strides, 1), padding, dilations=op.dilation)
        else:
            parts = [
                tf.nn.convolution(part, weights, op.strides, padding, dilations=op.dilation)
                for part, weights in zip(
                    tf.split(x, op.groups, -1) if op.groups > 1 else [x],
                    tf.split(kernel, op.groups, -1) if op.groups > 1 else [kernel],
                    strict=True,
                )
            ]
            y = parts[0] if len(parts) == 1 else tf.concat(parts, -1)
        return tf.reshape(y, (-1, site.output.size))

    axis = op.kernel.ndim - 2 if op.groups == 1 else None
    return (site.term(TensorMap(apply, site.inputs[0].size, site.output.size, op.kernel, axis, site.name)),)


@lowering("nengo-dl", ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, site: Site) -> Lowered:
    """Use TensorFlow's transposed convolution, and crop or pad what it gives."""
    if len(op.strides) not in SPACES or max(op.dilation, default=1) > 1:
        return (site.linear(op),)
    shape, out = site.inputs[0].shape, site.output.shape
    full = tuple((n - 1) * s + k for n, s, k in zip(shape, op.strides, op.kernel.shape, strict=False))
    where = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(full, op.crops, strict=True))
    more = [(0, 0), *((max(-a, 0), max(-b, 0)) for a, b in op.crops), (0, 0)]

    def apply(x: Any, kernel: Any) -> Any:
        import tensorflow as tf

        x = tf.reshape(x, (-1, *shape))
        y = tf.nn.conv_transpose(x, kernel, (x.shape[0], *full, out[-1]), op.strides, "VALID")
        y = tf.pad(y[(slice(None), *where)], more)
        return tf.reshape(y, (-1, site.output.size))

    return (
        site.term(TensorMap(apply, site.inputs[0].size, site.output.size, op.kernel, op.kernel.ndim - 1, site.name)),
    )


@lowering("nengo-dl", ops.AvgPool)
def avg_pool(op: ops.AvgPool, site: Site) -> Lowered:
    """Use TensorFlow's pooling, which leaves padding out of the average, too."""
    shape = site.inputs[0].shape
    pads, padding = _padding(op.pads(shape[:-1]), shape, op.size, op.strides, (1,) * len(op.size))
    if pads is not None or len(op.size) not in SPACES:
        return (site.linear(op),)

    def apply(x: Any, weights: Any) -> Any:
        import tensorflow as tf

        y = tf.nn.avg_pool(tf.reshape(x, (-1, *shape)), op.size, op.strides, padding, SPACES[len(op.size)])
        return tf.reshape(y, (-1, site.output.size))

    return (site.term(TensorMap(apply, site.inputs[0].size, site.output.size)),)


@lowering("nengo-dl", ops.EachSlice)
def each_slice(op: ops.EachSlice, site: Site) -> Lowered:
    """Compute all slices at once."""
    return mapped(op, site) if op.is_linear else site.host(op)


@lowering("nengo-dl", ops.Concatenate)
def concatenate(op: ops.Concatenate, site: Site) -> Lowered:
    """Put each input among zeros, and add."""
    return tuple(site.linear(op, slot) for slot in range(len(site.inputs)))


def mapped(op: Op, site: Site) -> Lowered:
    """Apply a linear op of one input as TensorFlow does."""
    return (site.linear(op),)


def _padding(
    pads: convolve.Pads, shape: Shape, size: Shape, strides: Shape, dilation: Shape
) -> tuple[list[tuple[int, int]] | None, str]:
    """Return (what ``tf.pad`` has to add first, or None; the name of TensorFlow's padding)."""
    if not any(a or b for a, b in pads):
        return None, "VALID"
    if pads == convolve.pads_for("same", shape[:-1], size, strides, dilation):
        return None, "SAME"
    return [(0, 0), *pads, (0, 0)], "VALID"


MAPPED: tuple[type[Op], ...] = (
    ops.GlobalAvgPool,
    ops.Permute,
    ops.ZeroPad,
    ops.TimeFilter,
    ops.Mean,
    ops.Sum,
    ops.Repeat,
    ops.Resize,
    ops.Slice,
)

LOWERINGS = [
    dense,
    conv,
    conv_transpose,
    avg_pool,
    each_slice,
    concatenate,
    *(lowering("nengo-dl", op)(mapped) for op in MAPPED),
]
