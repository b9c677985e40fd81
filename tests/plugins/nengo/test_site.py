"""What a third party's lowering can do."""

from __future__ import annotations

import nengo
import numpy as np
import pytest
from snnc_nengo.backend import NengoBackend
from snnc_nengo.lowering import LOWERINGS
from snnc_nengo.program import NengoProgram
from snnc_nengo.transforms import Matrix

from snnc.api import Graph, LoweringContext, LoweringError, Lowerings, Op, ShapeError, TensorType, lowering, op, ops
from snnc.testing import random_inputs
from tests.plugins.nengo.build import RELU, dense, graph, relative_errors


@op
class Differences(Op):
    """y[i] = x[i + 1] - x[i] + 1."""

    kind = "differences"
    linear = True

    def infer(self, *inputs):
        if len(inputs[0].shape) != 1:
            raise ShapeError("one axis")
        return TensorType((inputs[0].size - 1,))

    def evaluate(self, *inputs):
        return np.diff(inputs[0], axis=1) + np.float32(1)


@op
class Product(Op):
    """y = a * b."""

    kind = "product"
    arity = 2

    def infer(self, *inputs):
        return inputs[0]

    def evaluate(self, *inputs):
        return inputs[0] * inputs[1]


def program(g: Graph, *given) -> NengoProgram:
    table = {low.op: low.function for low in (*LOWERINGS, *given)}
    return NengoBackend().lower(g, LoweringContext(Lowerings("nengo", table)))


def assert_same(g: Graph, built: NengoProgram) -> None:
    inputs = random_inputs(g, 2)
    got = {name: y[:, -1] for name, y in built.run(inputs, 2).outputs.items()}
    assert max(relative_errors(got, g.evaluate(inputs)).values()) < 1e-6


@lowering("nengo", Differences)
def differences(op, site):
    return (site.linear(op),)


@lowering("nengo", Product)
def product(op, site):
    return site.host(op)


@lowering("nengo", Product)
def product_of_our_own(op, site):
    half, (a, b) = site.inputs[0].size, site.constants
    made = nengo.Node(lambda t, x: (x[:half] + a) * (x[half:] + b), size_in=site.size_in, label=site.name)
    return site.placed(made)


def test_an_affine_op_of_ones_own_is_a_sparse_matrix_and_a_bias(rng: np.random.Generator) -> None:
    g = graph(["n", "d"], x=((5,),), d=(Differences(), "x"), n=(RELU, "d"))
    assert_same(g, program(g, differences))
    g = graph(["n"], x=((5,),), d=(Differences(), "x"), n=(RELU, "d"))
    built = program(g, differences)
    (connection,) = built.network.all_connections
    assert isinstance(connection.transform, nengo.Sparse)
    assert connection.transform.init.nnz == 2 * 4
    assert np.all(built.network_map["n"].ensemble.bias == 1)


def test_an_op_that_only_adds_a_constant_is_no_view_of_its_input() -> None:
    @op
    class AddOne(ops.Identity):
        kind = "add-one"

        def evaluate(self, *inputs):
            return inputs[0] + np.float32(1)

    low = lowering("nengo", AddOne)(lambda op, site: (site.term(),))
    g = graph(["n", "y", "x"], x=((3,),), y=(AddOne(), "x"), z=(AddOne(), "y"), n=(RELU, "z"))
    assert_same(g, program(g, low))


@pytest.mark.parametrize("low", [product, product_of_our_own], ids=["host", "own node"])
def test_an_op_of_two_inputs_gets_both_with_their_constants(low, rng: np.random.Generator) -> None:
    g = graph(
        ["y"],
        x=((4,),),
        a=(dense(rng, 4, 3), "x"),
        b=(dense(rng, 4, 3), "x"),
        p=(Product(), "a", "b"),
        y=(dense(rng, 3, 2), "p"),
    )
    built = program(g, low)
    assert_same(g, built)
    assert len(built.network.all_nodes) == 4, "the two layers end in slices of the product's node"


def test_a_matrix_too_large_to_find_out_is_an_error() -> None:
    g = graph(["d"], x=((1 << 17,),), d=(Differences(), "x"))
    with pytest.raises(LoweringError, match=r"node 'd' \(differences\): rate\[131072\] is too large"):
        program(g, differences)


def test_what_nengo_refuses_is_named() -> None:
    low = lowering("nengo", Product)(lambda op, site: site.placed(nengo.Node([1.0], size_in=site.size_in)))
    g = graph(["p"], x=((4,),), p=(Product(), "x", "x"))
    with pytest.raises(LoweringError, match=r"node 'p' \(product\): Nengo refuses it: Node.output"):
        program(g, low)


def test_a_transform_of_the_wrong_size_is_named(rng: np.random.Generator) -> None:
    low = lowering("nengo", Differences)(lambda op, site: (site.term(Matrix(np.ones((4, 3)))),))
    g = graph(["d"], x=((5,),), d=(Differences(), "x"))
    with pytest.raises(LoweringError, match="connection 'x -> d': Nengo refuses it: .*shape"):
        program(g, low)


def test_a_lowering_that_gives_back_nothing_is_an_error() -> None:
    low = lowering("nengo", Product)(lambda op, site: None)
    g = graph(["p"], x=((4,),), p=(Product(), "x", "x"))
    with pytest.raises(LoweringError, match="node 'p': the lowering of 'product' for Nengo gave NoneType, neither"):
        program(g, low)
