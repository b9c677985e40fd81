import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.ir.graph import Graph
from snnc.passes.write_scales import WriteScales
from snnc.testing import apply, assert_same_outputs, chain, kinds, random_inputs
from tests.conftest import conv, dense


def fire(scale):
    return neurons.Neurons(model=neurons.SoftResetIf(initial=0.5), scale=scale)


@pytest.fixture
def network(rng):
    return chain(
        ops.Input(shape=(6, 6, 2)),
        conv(rng, (3, 3), 2, 4),
        fire(np.array([0.001, 0.002, 0.004, 0.008])),
        neurons.Synapse(model=neurons.Lowpass(tau=0.003)),
        ops.ZeroPad(padding=((1, 1), (0, 0))),
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        ops.Permute(order=(1, 0, 2)),
        ops.Reshape(shape=(-1,)),
        dense(rng, 24, 5),
        fire(0.003),
        dense(rng, 5, 3),
    )


def test_all_scales_are_in_the_weights_and_the_spikes_are_the_same(network):
    after = apply(WriteScales(), network)
    assert kinds(after) == kinds(network)
    assert [n.op.scale for n in after if isinstance(n.op, neurons.Neurons)] == [1.0, 1.0]
    assert_same_outputs(network, after)
    x = random_inputs(network)
    a, b = (simulate(g, x, 20, window=slice(0, 20), watch=["neurons"]) for g in (network, after))
    scale = np.array([0.001, 0.002, 0.004, 0.008])
    assert np.allclose(a.totals["neurons"] / scale, b.totals["neurons"], atol=1.0)
    assert np.allclose(a.outputs["dense_1"], b.outputs["dense_1"], rtol=1e-3, atol=1e-2)


def test_each_branch_gets_the_factor_and_a_sum_keeps_an_affine(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(4, 4, 2)))
    graph.add("a", fire(np.array([0.5, 2.0])), ["x"])
    graph.add("left", conv(rng, (1, 1), 2, 2), ["a"])
    graph.add("b", fire(0.25), ["left"])
    graph.add("sum", ops.Add(), ["a", "b"])
    graph.add("pool", ops.GlobalAvgPool(), ["a"])
    graph.set_outputs({"sum": "sum", "pool": "pool", "a": "a"})
    after = apply(WriteScales(), graph)
    assert [n.op.scale for n in after if isinstance(n.op, neurons.Neurons)] == [1.0, 1.0]
    assert sum(isinstance(n.op, ops.Affine) for n in after) == 5  # before a; at its output, pool and both of the sum
    assert_same_outputs(graph, after)


def test_a_scale_of_one_is_left_alone(rng):
    graph = chain(ops.Input(shape=(4,)), fire(1.0), dense(rng, 4, 4))
    assert apply(WriteScales(), graph) == graph


def test_a_curve_that_is_no_line_keeps_its_spikes_too(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), neurons.Neurons(model=neurons.Lif(), scale=0.01))
    after = apply(WriteScales(), graph)
    assert kinds(after) == ["input", "dense", "neurons", "affine"] and after["neurons"].op.scale == 1
    assert_same_outputs(graph, after)
    x = {"input": np.abs(random_inputs(graph)["input"])}
    a, b = (simulate(g, x, 50, window=slice(0, 50)).outputs for g in (graph, after))
    (y,), (z,) = a.values(), b.values()
    assert np.any(y != 0) and np.allclose(y, z, rtol=1e-5)


def test_the_layer_before_a_population_keeps_its_name(network):
    after = apply(WriteScales(), network)
    assert [n.name for n in after] == [n.name for n in network]
    assert after["conv"].origin.layers == ("conv",)


def test_the_promise_names_a_scale_that_a_later_pass_brings_back(network):
    broken = list(WriteScales().postcondition(network))
    assert broken == ["the scale of 'neurons' is not in the weights", "the scale of 'neurons_1' is not in the weights"]
