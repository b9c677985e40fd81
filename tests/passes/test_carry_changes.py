"""Graphs in which wires carry changes."""

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.errors import PassError
from snnc.ir.graph import Graph
from snnc.passes.carry_changes import CarryChanges
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv, dense

DT = 2.0**-10
FINE = neurons.Neurons(model=neurons.SigmaDelta(levels=14), scale=DT)
COARSE = neurons.Neurons(model=neurons.SigmaDelta(levels=5), scale=DT)
POOL = ops.MaxPool(size=(2, 2), strides=(2, 2))
SPIKING_POOL = ops.SpikingMaxPool(size=(2, 2), strides=(2, 2))


def settled(graph, rng, steps=60):
    """Return the last outputs of a run, the model's, and the spikes in the last step."""
    x = {name: rng.uniform(0, 1, (3, *graph[name].type.shape)).astype(np.float32) for name in graph.inputs}
    run = simulate(graph, x, steps, window=slice(steps - 1, steps), dt=DT, watch=spiking(graph))
    late = sum(np.abs(run.means[name]).sum() for name in spiking(graph))
    return {name: y[:, -1] for name, y in run.outputs.items()}, graph.evaluate(x), late


def spiking(graph):
    return [node.name for node in graph.nodes(neurons.Neurons) if node.op.model.spiking]


def branches(rng, population):
    """Return a graph with a padded convolution behind another, a skip, a pool, host ops and two outputs."""
    graph = Graph("branches")
    graph.add("x", ops.Input(shape=(8, 8, 2)))
    graph.add("a", conv(rng, (3, 3), 2, 4, padding="same"), ["x"])
    graph.add("a.spikes", population, ["a"])
    graph.add("b", conv(rng, (3, 3), 4, 4, padding="same"), ["a.spikes"])
    graph.add("c", conv(rng, (3, 3), 4, 4, padding="same"), ["b"])  # its constant differs at the border
    graph.add("sum", ops.Add(), ["c", "a", "a.spikes"])
    graph.add("sum.spikes", population, ["sum"])
    graph.add("pool", ops.MaxPool(size=(2, 2), strides=(2, 2)), ["c"])
    graph.add("squash", ops.Tanh(), ["pool"])
    graph.add("squash.spikes", population, ["squash"])
    graph.add("mean", ops.GlobalAvgPool(), ["sum.spikes"])
    graph.add("out", dense(rng, 4, 3), ["mean"])
    graph.add("side", ops.GlobalAvgPool(), ["squash.spikes"])
    graph.set_outputs({"out": "out", "side": "side", "values": "squash"})
    return graph


def test_a_chain_gets_a_difference_in_front_and_a_sum_behind(rng):
    before = chain(
        ops.Input(shape=(6,)),
        dense(rng, 6, 5),
        COARSE,
        dense(rng, 5, 4),
        COARSE,
        dense(rng, 4, 3),
        names=list("xabcde"),
    )
    after = apply(CarryChanges(), before)
    assert kinds(after) == ["input", "dense", "difference", "neurons", "dense", "neurons", "dense", "accumulate"]
    assert np.any(after["a"].op.bias) and not np.any(after["c.change"].op.bias)
    assert not np.any(after["e.change"].op.bias)
    assert np.allclose(after["d"].op.model.initial, before["c"].op.bias / DT)
    assert np.array_equal(after["e"].op.initial, before["e"].op.bias)
    assert_same_outputs(before, after)


def test_a_network_that_has_come_to_rest_gives_what_the_model_gives(rng):
    graph = branches(rng, FINE)
    after = apply(CarryChanges(), graph)
    assert_same_outputs(graph, after)
    got, want, late = settled(after, rng)
    assert late == 0
    for name, y in want.items():
        assert np.allclose(got[name], y, atol=1e-3 * np.abs(y).max()), name


def test_coarse_spikes_leave_an_error_of_the_size_of_the_smallest(rng):
    got, want, late = settled(apply(CarryChanges(), branches(rng, COARSE)), rng)
    assert late == 0
    assert 1e-4 < np.abs(got["out"] - want["out"]).max() / np.abs(want["out"]).max() < 0.1


@pytest.mark.parametrize("pool", [POOL, SPIKING_POOL], ids=["max-pool", "spiking-max-pool"])
@pytest.mark.parametrize("biased", [False, True])
def test_pools_follow_the_largest_sum(rng, pool, biased):
    first = conv(rng, (3, 3), 1, 3, padding="same")
    layers = [ops.Input(shape=(8, 8, 1)), first, FINE]
    if biased:  # a bias in front of the pool, one a channel, and one that differs at the border
        layers += [conv(rng, (3, 3), 3, 2, padding="same"), conv(rng, (3, 3), 2, 2, padding="same")]
    graph = chain(*layers, pool, FINE, ops.GlobalAvgPool())
    after = apply(CarryChanges(), graph)
    assert "max-pool" in kinds(after) and "spiking-max-pool" not in kinds(after)  # of sums
    got, want, _ = settled(after, rng)
    (name,) = want
    assert np.abs(want[name]).max() > 0.01
    assert np.allclose(got[name], want[name], atol=1e-3)


def test_a_stream_is_followed(rng):
    graph = chain(ops.Input(shape=(4,), dt=DT), dense(rng, 4, 6), FINE, dense(rng, 6, 3), FINE, dense(rng, 3, 2))
    after = apply(CarryChanges(), graph)
    x = np.repeat(rng.uniform(-1, 1, (2, 3, 4)), 40, axis=1).astype(np.float32)
    (y,) = simulate(after, x, 120, window=slice(0, 120), dt=DT).outputs.values()
    (want,) = graph.evaluate(x).values()
    for end in (39, 79, 119):
        assert np.allclose(y[:, end], want[:, end], atol=1e-3)
    assert not np.allclose(want[:, 39], want[:, 79], atol=0.05)


def test_graphs_without_such_neurons_stay_and_others_beside_them_are_refused(rng):
    plain = chain(ops.Input(shape=(6,)), dense(rng, 6, 5), neurons.Neurons(model=neurons.SoftResetIf()))
    assert apply(CarryChanges(), plain) == plain
    mixed = chain(
        ops.Input(shape=(6,)), dense(rng, 6, 5), COARSE, dense(rng, 5, 4), neurons.Neurons(model=neurons.SoftResetIf())
    )
    with pytest.raises(PassError, match="give all layers sigma-delta neurons, or none"):
        apply(CarryChanges(), mixed)
