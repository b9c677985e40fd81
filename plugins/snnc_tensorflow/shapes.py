"""Ops that move, pick, gather or mix elements along axes."""

from __future__ import annotations

import string

import numpy as np

from snnc.api import Lowering, interpolation_matrix, lowering, ops
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
    each_slice,
    sparse_map,
]
