import numpy as np

from snnc import ops
from snnc.analysis import op_matrix as found
from snnc.analysis.op_matrix import movement_matrix, op_matrix
from snnc.ir.types import TensorType
from tests.conftest import conv, dense


def test_a_matrix_does_what_the_op_does_without_its_constant(rng):
    op, x = conv(rng, (3, 3), 2, 4, padding="same"), rng.normal(size=(2, 5, 5, 2)).astype(np.float32)
    matrix = op_matrix(op, [TensorType((5, 5, 2))])
    want = (op.evaluate(x) - op.bias).reshape(2, -1)
    assert np.allclose((matrix @ x.reshape(2, -1).T).T, want, atol=1e-5)


def test_each_input_has_a_matrix(rng):
    types = [TensorType((2, 3)), TensorType((2, 1))]
    first, second = (op_matrix(ops.Concatenate(), types, slot) for slot in range(2))
    assert first.shape == (8, 6) and second.shape == (8, 2)
    assert np.array_equal(first.toarray().sum(axis=1) + second.toarray().sum(axis=1), np.ones(8))


def test_a_movement_is_found_in_one_go():
    op, types = ops.Permute(order=(1, 0)), [TensorType((3, 4))]
    assert (movement_matrix(op, types) != op_matrix(op, types)).nnz == 0


def test_what_is_too_large_is_none(rng, monkeypatch):
    monkeypatch.setattr(found, "PRODUCTS", 10)
    monkeypatch.setattr(found, "LARGEST", 10)
    assert op_matrix(dense(rng, 3, 2), [TensorType((3,))]) is None
    assert movement_matrix(ops.Identity(), [TensorType((12,))]) is None
