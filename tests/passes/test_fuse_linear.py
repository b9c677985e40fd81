import numpy as np
import pytest

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.fuse_linear import FuseLinear
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv, dense


@pytest.mark.parametrize(
    ("shape", "row", "left"),
    [
        ((8,), lambda r: [dense(r, 8, 6), dense(r, 6, 3)], ["dense"]),
        ((8,), lambda r: [dense(r, 8, 6), dense(r, 6, 6), dense(r, 6, 3)], ["dense"]),
        ((6,), lambda r: [ops.Affine(scale=r.normal(size=6), shift=r.normal(size=6)), dense(r, 6, 3)], ["dense"]),
        ((2, 6), lambda r: [ops.Reshape(shape=(3, 4)), ops.Reshape(shape=(12,))], ["reshape"]),
        ((2, 3, 4), lambda r: [ops.Permute(order=(2, 0, 1)), ops.Permute(order=(0, 2, 1))], ["permute"]),
        ((2, 3, 4), lambda r: [ops.Permute(order=(2, 0, 1)), ops.Permute(order=(1, 2, 0)), ops.Relu()], ["relu"]),
        ((4, 4, 2), lambda r: [ops.ZeroPad(padding=((1, 0), (2, 1))), conv(r, (3, 3), 2, 4)], ["conv"]),
        ((4, 4, 2), lambda r: [ops.ZeroPad(padding=((1, 1), (1, 1))), conv(r, (3, 3), 2, 4, padding="same")], ["conv"]),
        ((4, 4, 2), lambda r: [ops.ZeroPad(padding=((1, 0), (0, 0)))] * 2, ["zero-pad"]),
    ],
)
def test_merges(rng, shape, row, left):
    before = chain(ops.Input(shape=shape), *row(rng))
    after = apply(FuseLinear(), before)
    assert kinds(after) == ["input", *left]
    assert_same_outputs(before, after)


def test_leaves_a_bottleneck_that_is_cheaper_as_two(rng):
    before = chain(ops.Input(shape=(20,)), dense(rng, 20, 2), dense(rng, 2, 20))
    assert apply(FuseLinear(), before) == before


def test_leaves_what_an_activation_parts(rng):
    before = chain(ops.Input(shape=(8,)), dense(rng, 8, 6), ops.Relu(), dense(rng, 6, 3))
    assert apply(FuseLinear(), before) == before


def test_leaves_a_tensor_that_two_read_or_that_is_an_output(rng):
    before = Graph()
    before.add("x", ops.Input(shape=(4,)))
    before.add("a", dense(rng, 4, 4), ["x"])
    before.add("b", dense(rng, 4, 4), ["a"])
    before.set_outputs({"a": "a", "b": "b"})
    assert apply(FuseLinear(), before) == before


def test_numbers_times_numbers_stay_arrays():
    number = np.float32(2).reshape(())
    graph = apply(FuseLinear(), chain(ops.Input(shape=(3,)), *[ops.Affine(scale=number, shift=number)] * 2))
    (node,) = graph.nodes(ops.Affine)
    assert [type(array) for _, array in node.op.arrays()] == [np.ndarray] * 2
