"""Activations that are written as several ops become one."""

import numpy as np
import pytest

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.fuse_activations import FuseActivations
from snnc.testing import apply, assert_same_outputs, kinds
from tests.conftest import dense


def affine(scale, shift):
    return ops.Affine(scale=np.full(1, scale, np.float32), shift=np.full(1, shift, np.float32))


def hard_swish(graph, x):
    graph.add("shift", affine(1, 3), [x])
    graph.add("gate", ops.Relu(max_value=6.0), ["shift"])
    graph.add("sixth", affine(1 / 6, 0), ["gate"])
    graph.add("y", ops.Multiply(), [x, "sixth"])


def swish(graph, x):
    graph.add("gate", ops.Sigmoid(), [x])
    graph.add("y", ops.Multiply(), ["gate", x])


def mish(graph, x):
    graph.add("soft", ops.Softplus(), [x])
    graph.add("gate", ops.Tanh(), ["soft"])
    graph.add("y", ops.Multiply(), [x, "gate"])


def softened(graph, x):
    """Return x / (1 + |x|)."""
    graph.add("size", ops.Function(name="abs"), [x])
    graph.add("more", affine(1, 1), ["size"])
    graph.add("y", ops.Divide(), [x, "more"])


def built(write, *, shared=None):
    graph = Graph("written out")
    graph.add("x", ops.Input(shape=(4,)))
    graph.add("dense", dense(np.random.default_rng(0), 4, 5), ["x"])
    write(graph, "dense")
    graph.set_outputs({"y": "y", **({} if shared is None else {"shared": shared})})
    return graph


@pytest.mark.parametrize(
    ("write", "kind"), [(hard_swish, "hard-swish"), (swish, "swish"), (mish, "mish"), (softened, "softsign")]
)
def test_a_formula_becomes_its_activation(write, kind):
    before = built(write)
    after = apply(FuseActivations(), before)
    assert kinds(after) == ["input", "dense", kind]
    assert after["y"].origin.passes == ("fuse-activations",)
    assert_same_outputs(before, after)


def test_what_is_read_elsewhere_stays():
    before = built(hard_swish, shared="gate")
    assert apply(FuseActivations(), before) == before


def test_another_function_stays():
    def quick(graph, x):
        graph.add("slope", affine(1.9, 0), [x])
        graph.add("gate", ops.Sigmoid(), ["slope"])
        graph.add("y", ops.Multiply(), [x, "gate"])

    before = built(quick)
    assert apply(FuseActivations(), before) == before


def test_products_of_different_signals_stay(rng):
    graph = Graph("gated")
    graph.add("x", ops.Input(shape=(4,)))
    graph.add("a", dense(rng, 4, 5), ["x"])
    graph.add("b", dense(rng, 4, 5), ["x"])
    graph.add("gate", ops.Sigmoid(), ["b"])
    graph.add("y", ops.Multiply(), ["a", "gate"])
    graph.set_outputs({"y": "y"})
    assert apply(FuseActivations(), graph) == graph
