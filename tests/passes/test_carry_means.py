"""Ops that are no neurons read means, and what has such a mean goes on."""

import numpy as np

from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.ir.graph import Graph
from snnc.passes.carry_means import CarryMeans
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import dense

COUNTING = neurons.Neurons(model=neurons.SignedIf(gamma=64), scale=2e-4)
IDENTITY = neurons.Neurons(model=neurons.SignedIf(gamma=64, of=ops.Linear()), scale=2e-4)


def attention(rng):
    """Return a graph of a product of two spiking signals, a softmax, a residual sum and a deferred activation."""
    graph = Graph("attention")
    graph.add("x", ops.Input(shape=(4, 3)))
    graph.add("q.linear", dense(rng, 3, 5), ["x"])
    graph.add("q", COUNTING, ["q.linear"])
    graph.add("k.linear", dense(rng, 3, 5), ["x"])
    graph.add("k", IDENTITY, ["k.linear"])
    graph.add("scores", ops.Einsum(equation="ij,kj->ik"), ["q", "k"])
    graph.add("softmax", ops.Softmax(), ["scores"])
    graph.add("weights", IDENTITY, ["softmax"])
    graph.add("mix", dense(rng, 4, 5), ["weights"])
    graph.add("sum", ops.Add(), ["mix", "q"])
    graph.add("norm", ops.Standardize(axes=(1,)), ["sum"])
    graph.add("both", ops.Add(), ["norm", "sum"])
    graph.add("last", ops.ReadOutActivation(activation=ops.Tanh()), ["both"])
    graph.set_outputs({"y": "last", "norm": "norm"})
    return graph


def test_the_means_are_taken_in_front_and_undone_behind(rng):
    before = attention(rng)
    after = apply(CarryMeans(), before)
    assert after.sources("scores") == ("q.mean", "k.mean")
    assert after.sources("softmax") == ("scores",)  # a mean already
    assert after.sources("weights") == ("softmax.increment",)
    assert after.sources("both") == ("norm.increment", "sum")
    assert after.output_nodes == {"y": "last", "norm": "norm.increment"}
    assert_same_outputs(before, after)


def test_the_mean_of_all_steps_is_what_the_model_gives(rng):
    after = apply(CarryMeans(), attention(rng))
    x = rng.normal(size=(3, 4, 3)).astype(np.float32)
    wanted = after.evaluate(x)
    run = simulate(after, x, 50, window=slice(0, 50))
    assert np.allclose(run.outputs["norm"].mean(axis=1), wanted["norm"], atol=2e-2)
    last = np.tanh(run.outputs["y"].mean(axis=1))
    assert np.allclose(last, wanted["y"], atol=2e-2)
    early = run.outputs["norm"][:, :2].mean(axis=1)
    assert np.abs(early - wanted["norm"]).max() > np.abs(run.outputs["norm"].mean(axis=1) - wanted["norm"]).max()


def test_graphs_of_other_neurons_and_of_linear_ops_stay(rng):
    plain = chain(ops.Input(shape=(3,)), dense(rng, 3, 4), COUNTING, dense(rng, 4, 2))
    assert apply(CarryMeans(), plain) == plain
    other = neurons.Neurons(model=neurons.SoftResetIf())
    values = chain(ops.Input(shape=(3,)), dense(rng, 3, 4), other, ops.Tanh(), dense(rng, 4, 2))
    assert apply(CarryMeans(), values) == values


def test_what_does_not_depend_on_neurons_stays(rng):
    before = chain(ops.Input(shape=(3,)), ops.Tanh(), dense(rng, 3, 4), COUNTING, dense(rng, 4, 2))
    assert "running" not in kinds(apply(CarryMeans(), before))
