from snnc import ops
from snnc.passes.split_activations import SplitActivations
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv, dense


def test_splits_dense_and_conv_and_keeps_the_layers_name(rng):
    before = chain(
        ops.Input(shape=(5, 5, 2)),
        conv(rng, (3, 3), 2, 4, activation=ops.Relu()),
        ops.Reshape(shape=(-1,)),
        dense(rng, 36, 3, ops.Tanh()),
        names=["x", "conv", "flat", "out"],
    )
    after = apply(SplitActivations(), before)
    assert kinds(after) == ["input", "conv", "relu", "reshape", "dense", "tanh"]
    assert after.outputs == ("out",)
    assert after.sources("conv") == ("conv.linear",)
    assert after["conv"].origin.layers == after["conv.linear"].origin.layers == ("conv",)
    assert_same_outputs(before, after)


def test_leaves_linear_layers(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3))
    assert apply(SplitActivations(), before) == before


def test_a_taken_name_gets_a_number(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), dense(rng, 4, 4, ops.Relu()), names=["x", "a.linear", "a"])
    after = apply(SplitActivations(), before)
    assert "a.linear_1" in after
    assert_same_outputs(before, after)


def test_an_activation_of_one_number_gets_a_channel():
    before = chain(ops.Input(shape=(3,)), ops.Mean(axes=(0,)), ops.Swish(), ops.Reshape(shape=(1,)))
    after = apply(SplitActivations(), before)
    assert kinds(after) == ["input", "mean", "reshape", "swish", "reshape", "reshape"]
    assert all(node.type.shape == (1,) for node in after.nodes(ops.Swish))
    assert_same_outputs(before, after)
    as_output = chain(ops.Input(shape=()), ops.Relu())
    assert_same_outputs(as_output, apply(SplitActivations(), as_output))
