"""Ops that move, pick, gather or mix elements along axes."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from snnc.api import Lowering, interpolation_matrix, lowering, ops, with_batch
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Site, Tensor


@lowering("tensorflow", ops.Reshape)
def reshape(op: ops.Reshape, site: Site) -> Function:
    """Lower a reshape."""
    return Function(lambda x: tf.reshape(x, (-1, *site.output.shape)))


@lowering("tensorflow", ops.Permute)
def permute(op: ops.Permute, site: Site) -> Function:
    """Lower a transposition."""
    return Function(lambda x: tf.transpose(x, (0, *(axis + 1 for axis in op.order))))


@lowering("tensorflow", ops.ZeroPad)
def zero_pad(op: ops.ZeroPad, site: Site) -> Function:
    """Lower a border of zeros."""
    return Function(lambda x: tf.pad(x, ((0, 0), *op.padding, (0, 0))), fuse=True)


@lowering("tensorflow", ops.Concatenate)
def concatenate(op: ops.Concatenate, site: Site) -> Function:
    """Lower a concatenation."""
    axis = op.axis + 1 if op.axis >= 0 else op.axis
    return Function(lambda *inputs: tf.concat(inputs, axis))


@lowering("tensorflow", ops.Einsum)
def einsum(op: ops.Einsum, site: Site) -> Function:
    """Lower a sum of products over indices."""
    left, _, right = op.equation.partition("->")
    batch = next(letter for letter in string.ascii_letters if letter not in op.equation)
    equation = f"{','.join(batch + term for term in left.split(','))}->{batch}{right}"
    return Function(lambda *inputs: tf.einsum(equation, *inputs))


@lowering("tensorflow", ops.Slice)
def pick(op: ops.Slice, site: Site) -> Function:
    """Lower a slice; one that goes backwards may end before the first element."""
    where: list[slice] = [slice(None)]
    for first, count, step in zip(op.start, op.size, op.step, strict=True):
        stop = first + count * step
        where.append(slice(first, stop if stop >= 0 else None, step))
    return Function(lambda x: x[tuple(where)])


@lowering("tensorflow", ops.Repeat)
def repeat(op: ops.Repeat, site: Site) -> Function:
    """Lower the repetition of elements."""

    def call(x: Tensor) -> Tensor:
        for axis, k in enumerate(op.times, start=1):
            x = x if k == 1 else tf.repeat(x, k, axis=axis)
        return x

    return Function(call)


@lowering("tensorflow", ops.Resize)
def resize(op: ops.Resize, site: Site) -> Function:
    """Lower a resampling: one matrix an axis."""
    letters = string.ascii_lowercase[: len(op.size) + 2]
    steps = []
    for axis, (old, new) in enumerate(zip(site.inputs[0].shape, op.size, strict=False), start=1):
        matrix = site.weight(interpolation_matrix(old, new, op.interpolation))
        moved = letters.replace(letters[axis], "z")
        steps.append((f"{letters},z{letters[axis]}->{moved}", matrix))

    def call(x: Tensor) -> Tensor:
        for equation, matrix in steps:
            x = tf.einsum(equation, x, matrix)
        return x

    return Function(call)


def _reduce(op: Any, site: Site) -> Function:
    rule = {
        ops.Sum: tf.reduce_sum,
        ops.Mean: tf.reduce_mean,
        ops.Max: tf.reduce_max,
        ops.Min: tf.reduce_min,
    }[type(op)]
    axes = with_batch(op.axes)
    return Function(lambda x: rule(x, axes, keepdims=op.keepdims))


@lowering("tensorflow", ops.MaskedMean)
def masked_mean(op: ops.MaskedMean, site: Site) -> Function:
    """Lower the mean of the steps that a mask leaves."""
    rank = len(site.inputs[0].shape)

    def call(x: Tensor, mask: Tensor) -> Tensor:
        weight = tf.reshape(mask, (-1, *site.inputs[1].shape, *(1,) * (rank - 1)))
        return tf.reduce_sum(x * weight, 1) / tf.reduce_sum(weight, 1)

    return Function(call)


@lowering("tensorflow", ops.Standardize)
def standardize(op: ops.Standardize, site: Site) -> Function:
    """Lower a normalisation by the moments of the sample itself."""
    axes = with_batch(op.axes)

    def call(x: Tensor) -> Tensor:
        if op.center:
            x = x - tf.reduce_mean(x, axes, keepdims=True)
        return x / tf.sqrt(tf.reduce_mean(tf.square(x), axes, keepdims=True) + np.float32(op.epsilon))

    return Function(call)


@lowering("tensorflow", ops.UnitNorm)
def unit_norm(op: ops.UnitNorm, site: Site) -> Function:
    """Lower a normalisation to length one."""
    axes = with_batch(op.axes)

    def call(x: Tensor) -> Tensor:
        square = tf.reduce_sum(tf.square(x), axes, keepdims=True)
        return x / tf.sqrt(tf.maximum(square, np.float32(op.epsilon)))

    return Function(call)


@lowering("tensorflow", ops.SparseMap)
def sparse_map(op: ops.SparseMap, site: Site) -> Function:
    """Lower a sparse matrix: gather what each weight meets, and add up what meets at an output."""
    rows, columns = op.rows.astype(np.int32), op.columns.astype(np.int32)
    values = site.weight(op.values[:, None])

    def call(x: Tensor) -> Tensor:
        met = tf.gather(tf.transpose(tf.reshape(x, (-1, site.inputs[0].size))), columns)
        y = tf.math.unsorted_segment_sum(values * met, rows, op.size)
        return tf.reshape(tf.transpose(y), (-1, *op.shape))

    return Function(call)


@lowering("tensorflow", ops.Shift)
def shift(op: ops.Shift, site: Site) -> Function:
    """Lower a bias that differs by position."""
    by = site.weight(op.shift)
    return Function(lambda x: x + by, fuse=True)


@lowering("tensorflow", ops.EachSlice)
def each_slice(op: ops.EachSlice, site: Site) -> Function:
    """Lower an op on every slice along the first axis: the slices are more samples."""
    inner = site.inner(op.op, *(t.with_shape(t.shape[1:]) for t in site.inputs))

    def call(*inputs: Tensor) -> Tensor:
        flat = [tf.reshape(x, (-1, *t.shape[1:])) for x, t in zip(inputs, site.inputs, strict=True)]
        return tf.reshape(inner(*flat), (-1, *site.output.shape))

    return Function(call)


LOWERINGS: list[Lowering] = [
    reshape,
    permute,
    zero_pad,
    concatenate,
    einsum,
    pick,
    repeat,
    resize,
    *(Lowering("tensorflow", cls, _reduce) for cls in (ops.Sum, ops.Mean, ops.Max, ops.Min)),
    masked_mean,
    standardize,
    unit_norm,
    each_slice,
    sparse_map,
    shift,
]
