"""Spikes alone meet weights."""

import numpy as np

from snnc import neurons, ops
from snnc.analysis.carried import carrying_spikes
from snnc.analysis.census import census
from snnc.engine.simulate import simulate
from snnc.ir.graph import Graph
from snnc.passes.carry_changes import CarryChanges
from snnc.passes.spike_between_weights import SpikeBetweenWeights
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv, dense

POPULATION = neurons.Neurons(model=neurons.SigmaDelta(levels=12))


def bottleneck(rng, population):
    """Return a graph with a bottleneck that is read twice, a padding behind it, and a product of two signals."""
    graph = Graph("bottleneck")
    graph.add("x", ops.Input(shape=(6, 6, 2)))
    graph.add("first", conv(rng, (3, 3), 2, 4), ["x"])
    graph.add("second", conv(rng, (1, 1), 4, 8), ["first"])
    graph.add("second.neurons", population, ["second"])
    graph.add("project", conv(rng, (1, 1), 8, 3), ["second.neurons"])
    graph.add("pad", ops.ZeroPad(padding=((1, 1), (1, 1))), ["project"])
    graph.add("expand", conv(rng, (3, 3), 3, 8), ["pad"])
    graph.add("expand.neurons", population, ["expand"])
    graph.add("again", conv(rng, (1, 1), 8, 3), ["expand.neurons"])
    graph.add("sum", ops.Add(), ["again", "project"])
    graph.add("gate", ops.Multiply(), ["sum", "sum"])
    graph.add("mean", ops.GlobalAvgPool(), ["gate"])
    graph.add("out", dense(rng, 3, 2), ["mean"])
    graph.set_outputs({"out": "out", "sum": "sum"})
    return graph


def test_weights_behind_weights_and_behind_products_read_spikes(rng):
    before = bottleneck(rng, POPULATION)
    after = apply(SpikeBetweenWeights(), before)
    assert after.sources("pad") == ("project.spikes",)
    assert after.sources("sum") == ("again", "project.spikes")  # all readers
    assert after.sources("out") == ("mean.spikes",)
    assert {n.name for n in after} - {n.name for n in before} == {
        "first.spikes",
        "project.spikes",
        "sum.spikes",
        "mean.spikes",
    }
    assert after["project.spikes"].op == neurons.Neurons(model=neurons.SigmaDelta(levels=12, of=ops.Linear()))
    assert after.output_nodes == before.output_nodes
    assert_same_outputs(before, after)
    spikes = carrying_spikes(after)
    read = {s for node in after.nodes(ops.Conv, ops.Dense) for s in after.sources(node.name)}
    assert read - spikes == {"x"}
    assert set(after.sources("gate")) == {"sum.spikes"}


def test_the_network_gives_what_the_model_gives(rng):
    graph = bottleneck(rng, neurons.Neurons(model=neurons.SigmaDelta(levels=14), scale=0.02))
    spiking = apply(SpikeBetweenWeights(), graph)
    for node in spiking.nodes(neurons.Neurons):
        spiking.replace(node.name, neurons.Neurons(model=node.op.model, scale=0.02))
    after = apply(CarryChanges(), spiking)
    x = rng.uniform(0, 1, (3, 6, 6, 2)).astype(np.float32)
    got = simulate(after, x, 40, window=slice(39, 40)).outputs
    for name, y in graph.evaluate(x).items():
        assert np.allclose(got[name][:, -1], y, atol=2e-3 * np.abs(y).max())


def test_networks_of_other_neurons_stay(rng):
    counted = bottleneck(rng, neurons.Neurons(model=neurons.SoftResetIf()))
    assert apply(SpikeBetweenWeights(), counted) == counted


def test_neurons_that_count_stand_between_weights_too(rng):
    before = bottleneck(rng, neurons.Neurons(model=neurons.SignedIf(gamma=3)))
    after = apply(SpikeBetweenWeights(), before)
    assert after["mean.spikes"].op.model == neurons.SignedIf(gamma=3, of=ops.Linear())
    assert_same_outputs(before, after)


def test_a_residual_sum_that_is_handed_on_and_the_parts_of_a_concatenation_are_spikes(rng):
    graph = Graph("residual")
    graph.add("x", ops.Input(shape=(4,)))
    graph.add("a", dense(rng, 4, 4), ["x"])
    graph.add("a.relu", POPULATION, ["a"])
    graph.add("b", dense(rng, 4, 4), ["a.relu"])
    graph.add("sum", ops.Add(), ["a.relu", "b"])
    graph.add("sum.relu", POPULATION, ["sum"])
    graph.add("c", dense(rng, 4, 4), ["sum.relu"])
    graph.add("next", ops.Add(), ["sum", "c"])
    graph.add("joined", ops.Concatenate(), ["next", "sum.relu"])
    graph.add("out", dense(rng, 8, 2), ["joined"])
    graph.set_outputs({"y": "out"})
    after = apply(SpikeBetweenWeights(), graph)
    assert after.sources("next") == ("sum.spikes", "c")  # read by two, and handed on to a sum
    assert after.sources("joined") == ("next.spikes", "sum.relu")  # only what is no spike yet
    assert_same_outputs(graph, after)


def test_a_network_of_which_all_weights_read_spikes_stays(rng):
    before = chain(
        ops.Input(shape=(6,)),
        dense(rng, 6, 8),
        POPULATION,
        ops.Reshape(shape=(2, 4)),
        dense(rng, 4, 2),
    )
    after = apply(SpikeBetweenWeights(), before)
    assert after == before and "neurons" in kinds(after)


def test_the_largest_of_what_has_arrived_is_no_spike(rng):
    before = chain(
        ops.Input(shape=(6, 6, 2)),
        conv(rng, (3, 3), 2, 4),
        POPULATION,
        ops.ZeroPad(padding=((1, 1), (1, 1))),
        ops.MaxPool(size=(2, 2), strides=(2, 2)),
        conv(rng, (1, 1), 4, 3),
        names=["x", "a.linear", "a", "pad", "pool", "b"],
    )
    after = apply(SpikeBetweenWeights(), before)
    assert after.sources("b") == ("pool.spikes",)
    found = census(apply(CarryChanges(), after))
    assert found.forms == {"a": "relu", "pool.spikes": "max-pool"} and found.valued == found.host == ()


def test_a_network_without_activations_gets_the_chosen_neurons(rng):
    graph = Graph("attention")
    graph.add("x", ops.Input(shape=(4, 3)))
    for name in ("q", "k"):
        graph.add(name, dense(rng, 3, 5), ["x"])
    graph.add("scores", ops.Einsum(equation="ij,kj->ik"), ["q", "k"])
    graph.add("softmax", ops.Softmax(), ["scores"])
    graph.add("out", dense(rng, 4, 2), ["softmax"])
    graph.set_outputs({"y": "out"})
    assert apply(SpikeBetweenWeights(neurons="spiking-relu"), graph) == graph
    after = apply(SpikeBetweenWeights(neurons="sigma-delta{levels=7}"), graph)
    assert census(after).forms == {"q.spikes": "identity", "k.spikes": "identity", "softmax.spikes": "einsum, softmax"}
    assert after["q.spikes"].op.model.levels == 7
