"""The matrix of an affine op, found by evaluating the op, so that no op is described twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from snnc.ir.op import Op
from snnc.ir.types import AnyArray, TensorType
from snnc.ops.sparse import LARGEST

PRODUCTS = 1 << 32
"""The most elements that are worth looking at to find a matrix (some ten seconds)."""
CHUNK = 1 << 22
"""Elements looked at together."""


def op_matrix(op: Op, inputs: Sequence[TensorType], slot: int = 0) -> Any:
    """Return the matrix by which an affine op maps one of its inputs, without the op's constant part.

    The op is evaluated for every unit vector.

    Args:
        op: any op that is affine in the input, whatever its class.
        inputs: the types of all inputs.
        slot: which of them is meant; the others are zero.

    Returns:
        A ``scipy.sparse.csr_matrix`` of float32, (elements of the output, elements of the input), or None if it is too
        large to be found out in some seconds.
    """
    size, outputs = inputs[slot].size, op.infer(*inputs).size
    if size * (size + outputs) > PRODUCTS:
        return None
    rows, columns, values = [], [], []
    for start, response in responses(op, inputs, slot):
        column, row = np.nonzero(response)
        rows.append(row)
        columns.append(column + start)
        values.append(response[column, row])
    return csr(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (outputs, size))


def responses(op: Op, inputs: Sequence[TensorType], slot: int) -> Iterator[tuple[int, AnyArray]]:
    """Yield what an affine op makes of the unit vectors of one input, part by part, with the first one's number.

    Each is ``(vectors, elements of the output)``, without the op's constant part.
    """
    size = inputs[slot].size
    constant = _evaluate(op, inputs, slot, np.zeros((1, size), dtype=np.float32))
    step = max(1, CHUNK // (size + constant.size))
    for start in range(0, size, step):
        units = np.eye(min(step, size - start), size, k=start, dtype=np.float32)
        yield start, _evaluate(op, inputs, slot, units) - constant


def movement_matrix(op: Op, inputs: Sequence[TensorType], slot: int = 0) -> Any:
    """Return the matrix of one input of an op that only moves and copies elements; see ``op_matrix``.

    The op itself says where numbered elements go, all at once. None if they are too many to be told apart.
    """
    size = inputs[slot].size
    if size >= LARGEST:
        return None
    numbers = np.arange(1, size + 1, dtype=np.float32)
    source = _evaluate(op, inputs, slot, numbers[None]).astype(np.int64).ravel() - 1
    (rows,) = np.nonzero(source >= 0)
    return csr(rows, source[rows], np.ones(len(rows)), (len(source), size))


def csr(rows: AnyArray, columns: AnyArray, values: AnyArray, shape: tuple[int, int]) -> Any:
    """Return the ``scipy.sparse.csr_matrix`` of float32 with these entries; those at the same place add up."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.asarray(values, dtype=np.float32).ravel(), (rows.ravel(), columns.ravel())), shape=shape)


def _evaluate(op: Op, inputs: Sequence[TensorType], slot: int, x: AnyArray) -> AnyArray:
    """Return the flattened outputs for flattened values of one input, the others being zero."""
    values = [np.zeros((len(x), *t.shape), dtype=np.float32) for t in inputs]
    values[slot] = x.reshape(len(x), *inputs[slot].shape)
    return op.evaluate(*values).reshape(len(x), -1)
