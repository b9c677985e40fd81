import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.fold_batch_norm import FoldBatchNorm
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import batch_norm, conv, dense


def test_folds_into_the_dense_before(rng):
    before = chain(ops.Input(shape=(5,)), dense(rng, 5, 3), batch_norm(rng, 3), names=["x", "dense", "bn"])
    after = apply(FoldBatchNorm(), before)
    assert kinds(after) == ["input", "dense"]
    assert after["bn"].origin.layers == ("dense", "bn")
    assert_same_outputs(before, after)


def test_folds_into_the_conv_before_whatever_its_geometry(rng):
    for fields in ({"padding": "same"}, {"strides": (2, 2)}, {"groups": 2}, {"dilation": (2, 2)}):
        before = chain(ops.Input(shape=(7, 7, 4)), conv(rng, (3, 3), 4, 6, **fields), batch_norm(rng, 6))
        after = apply(FoldBatchNorm(), before)
        assert kinds(after) == ["input", "conv"]
        assert_same_outputs(before, after)


def test_folds_into_the_layer_after_an_activation(rng):
    before = chain(ops.Input(shape=(6, 6, 2)), ops.Relu(), batch_norm(rng, 2), conv(rng, (3, 3), 2, 4))
    after = apply(FoldBatchNorm(), before)
    assert kinds(after) == ["input", "relu", "conv"]
    assert_same_outputs(before, after)


def test_does_not_fold_forward_over_padding_which_would_see_the_shift(rng):
    before = chain(ops.Input(shape=(6, 6, 2)), ops.Relu(), batch_norm(rng, 2), conv(rng, (3, 3), 2, 4, padding="same"))
    after = apply(FoldBatchNorm(), before)
    assert kinds(after) == ["input", "relu", "affine", "conv"]
    assert_same_outputs(before, after)


def test_does_not_fold_into_a_layer_that_something_else_reads(rng):
    before = Graph()
    before.add("x", ops.Input(shape=(4,)))
    before.add("dense", dense(rng, 4, 4), ["x"])
    before.add("bn", batch_norm(rng, 4), ["dense"])
    before.add("add", ops.Add(), ["bn", "dense"])
    before.set_outputs({"add": "add"})
    after = apply(FoldBatchNorm(), before)
    assert kinds(after) == ["input", "dense", "affine", "add"]
    assert_same_outputs(before, after)


def test_a_tiny_variance_folds_exactly(rng):
    norm = ops.BatchNorm(gamma=np.ones(2), beta=np.ones(2), mean=np.ones(2), variance=np.zeros(2), epsilon=1e-5)
    before = chain(ops.Input(shape=(3,)), dense(rng, 3, 2), norm)
    assert_same_outputs(before, apply(FoldBatchNorm(), before))
