"""TimeDistributed: each lifted op does to every slice what the op does to one."""

from __future__ import annotations

import numpy as np
import pytest

from snnc import ops
from snnc.frontend.keras_time import distribute, lift
from snnc.ir.graph import Graph
from snnc.ir.types import TensorType
from snnc.ops.each_slice import EachSlice
from snnc.ops.reduce import Standardize
from tests.conftest import batch_norm, conv, dense

_rng = np.random.default_rng(3)
NATIVE = [
    (dense(_rng, 3, 4, ops.Softmax()), (5, 3)),
    (dense(_rng, 3, 4, ops.Softmax(axis=0)), (5, 3)),
    (conv(_rng, (3, 2), 2, 4, padding="same", strides=(2, 1), activation=ops.Relu()), (5, 6, 2)),
    (conv(_rng, (3,), 4, 4, groups=2, dilation=(2,)), (7, 4)),
    (ops.AvgPool(size=(2, 3), strides=(2, 2), padding="same"), (5, 6, 2)),
    (ops.MaxPool(size=(2,), strides=(1,)), (5, 2)),
    (ops.GlobalAvgPool(), (4, 5, 2)),
    (ops.GlobalMaxPool(), (4, 2)),
    (batch_norm(_rng, 3), (2, 3)),
    (ops.Affine(scale=_rng.normal(size=(2, 1)), shift=_rng.normal(size=3)), (2, 3)),
    (ops.ZeroPad(padding=((1, 0), (2, 1))), (3, 4, 2)),
    (ops.Reshape(shape=(3, -1)), (2, 6)),
    (ops.Permute(order=(2, 0, 1)), (2, 3, 4)),
    (ops.Identity(), (3,)),
    (ops.PRelu(alpha=_rng.normal(size=(1, 3))), (2, 3)),
    (ops.Softmax(axis=0), (3, 2)),
    (ops.LogSoftmax(axis=1), (3, 2, 2)),
    (ops.Tanh(), (3, 2)),
]


@pytest.mark.parametrize(("op", "shape"), NATIVE, ids=[op.kind for op, _ in NATIVE])
def test_a_lifted_op_is_the_op_on_each_slice(op, shape, rng):
    x = rng.normal(size=(2, 4, *shape)).astype(np.float32)
    y, kind = x, TensorType((4, *shape))
    lifted = lift(op, 4, shape, op.infer(TensorType(shape)).shape)
    for step in lifted:
        assert not isinstance(step, EachSlice)
        y, kind = step.evaluate(y), step.infer(kind)
    np.testing.assert_allclose(y, EachSlice(op=op).evaluate(x), rtol=1e-4, atol=1e-5)
    assert kind.shape == y.shape[1:]


def test_any_other_op_is_evaluated_slice_by_slice():
    op = Standardize(axes=(0,))
    assert lift(op, 4, (3, 2), (3, 2)) == (EachSlice(op=op),)


def test_a_join_inside_moves_its_axis(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(3, 2, 2)))

    def inside(inner, source):
        first = inner.add("relu", ops.Relu(), [source]).name
        return inner.add("join", ops.Concatenate(axis=0), [source, first]).name

    assert distribute(graph, "steps", "x", inside) == "join"
    graph.set_outputs({"join": "join"})
    x = rng.normal(size=(2, 3, 2, 2)).astype(np.float32)
    wanted = np.concatenate([x, np.maximum(x, 0)], axis=2)
    np.testing.assert_array_equal(graph.evaluate(x)["join"], wanted)
    assert [node.name for node in graph] == ["x", "relu", "join"]
