import numpy as np
import pytest

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.pool_before_activation import PoolBeforeActivation
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv, dense

POOL = ops.MaxPool(size=(2, 2), strides=(2, 2))


@pytest.mark.parametrize(
    "activation",
    [ops.Relu(), ops.Relu(max_value=1.0, negative_slope=0.1), ops.Elu(), ops.Selu(), ops.Sigmoid(), ops.Tanh()],
    ids=repr,
)
@pytest.mark.parametrize("pool", [POOL, ops.GlobalMaxPool()], ids=repr)
def test_the_maximum_is_taken_first(activation, pool, rng):
    before = chain(
        ops.Input(shape=(7, 6, 2)),
        conv(rng, (2, 2), 2, 3),
        activation,
        pool,
        dense(rng, 3, 4),
        names=["x", "conv.linear", "conv", "pool", "dense"],
    )
    after = apply(PoolBeforeActivation(), before)
    assert kinds(after) == ["input", "conv", pool.kind, activation.kind, "dense"]
    assert after["pool"].op == activation
    assert after["pool"].origin.layers == ("conv", "pool")
    assert after["pool"].origin.passes == ("pool-before-activation",)
    assert_same_outputs(before, after)


def test_an_activation_moves_behind_several_pools():
    before = chain(ops.Input(shape=(8, 8, 2)), ops.Relu(), POOL, POOL)
    after = apply(PoolBeforeActivation(), before)
    assert kinds(after) == ["input", "max-pool", "max-pool", "relu"]
    assert_same_outputs(before, after)


@pytest.mark.parametrize(
    "activation",
    [
        ops.Gelu(),
        ops.Swish(),
        ops.Softmax(),
        ops.Relu(negative_slope=-0.1),
        ops.Relu(threshold=-1.0),
        ops.Elu(alpha=-1.0),
        ops.PRelu(alpha=np.ones(2)),
        ops.AvgPool(size=(1, 1), strides=(1, 1)),
    ],
    ids=repr,
)
def test_what_may_fall_stays(activation):
    before = chain(ops.Input(shape=(4, 4, 2)), activation, POOL)
    assert apply(PoolBeforeActivation(), before) == before


def test_values_that_something_else_reads_stay():
    before = Graph()
    before.add("x", ops.Input(shape=(4, 4, 2)))
    before.add("relu", ops.Relu(), ["x"])
    before.add("pool", POOL, ["relu"])
    before.set_outputs({"relu": "relu", "pool": "pool"})
    assert apply(PoolBeforeActivation(), before) == before
