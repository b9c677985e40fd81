"""The matrix of an affine op, found by evaluating the op: no second description of what it does is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnc.api import AnyArray, Op, TensorType
from snnc_nengo.transforms import SparseMatrix, moved, sparse

MOVABLE = 1 << 24
"""Elements that a float32 number each can tell apart."""
PRODUCTS = 1 << 32
"""The most elements that are worth looking at to find a matrix (some ten seconds)."""
CHUNK = 1 << 22
"""Elements looked at together."""


def movement(op: Op, inputs: Sequence[TensorType], slot: int) -> SparseMatrix | None:
    """Return the matrix of one input of an op that only moves and copies elements, or None if they are too many.

    The op itself says where numbered elements go.
    """
    size = inputs[slot].size
    if size >= MOVABLE:
        return None
    numbers = np.arange(1, size + 1, dtype=np.float32)
    return moved(_evaluate(op, inputs, slot, numbers[None]).astype(np.int64) - 1, size)


def matrix(op: Op, inputs: Sequence[TensorType], slot: int) -> SparseMatrix | None:
    """Return the matrix of one input of any affine op, or None if it is too large to be found out.

    The op is evaluated for every unit vector.
    """
    size = inputs[slot].size
    constant = _evaluate(op, inputs, slot, np.zeros((1, size), dtype=np.float32))
    if size * (size + constant.size) > PRODUCTS:
        return None
    step = max(1, CHUNK // (size + constant.size))
    rows, columns, values = [], [], []
    for start in range(0, size, step):
        units = np.eye(min(step, size - start), size, k=start, dtype=np.float32)
        response = _evaluate(op, inputs, slot, units) - constant
        column, row = np.nonzero(response)
        rows.append(row)
        columns.append(column + start)
        values.append(response[column, row])
    shape = (constant.size, size)
    return sparse(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), shape)


def _evaluate(op: Op, inputs: Sequence[TensorType], slot: int, x: AnyArray) -> AnyArray:
    """Return the flattened outputs for flattened values of one input, the others being zero."""
    values = [np.zeros((len(x), *t.shape), dtype=np.float32) for t in inputs]
    values[slot] = x.reshape(len(x), *inputs[slot].shape)
    return op.evaluate(*values).reshape(len(x), -1)
