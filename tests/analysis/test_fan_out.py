import numpy as np

from snnc import neurons, ops
from snnc.analysis.carried import carrying_spikes
from snnc.analysis.fan_out import fan_out
from snnc.ir.graph import Graph
from snnc.ops.conv_transpose import ConvTranspose
from snnc.testing import chain
from tests.conftest import conv, dense

FIRE = neurons.Neurons(model=neurons.SpikingRelu())


def brute_force(graph, shape):
    """Return how many outputs each neuron reaches, by changing one neuron's value at a time."""
    count = np.zeros(int(np.prod(shape)))
    rest = Graph()
    rest.add("x", ops.Input(shape=shape))
    previous = "x"
    for node in list(graph)[2:]:
        rest.add(node.name, node.op, [previous])
        previous = node.name
    rest.set_outputs({"y": previous})
    zero = rest.evaluate(np.zeros((1, *shape)))["y"]
    for i in range(count.size):
        x = np.zeros((1, count.size), dtype=np.float32)
        x[0, i] = 1
        count[i] = np.count_nonzero(rest.evaluate(x.reshape(1, *shape))["y"] - zero)
    return count.reshape(shape)


def same(graph, shape):
    return np.array_equal(fan_out(graph)["neurons"], brute_force(graph, shape))


def test_convolutions_count_their_borders(rng):
    for fields in (
        {},
        {"padding": "same"},
        {"strides": (2, 2), "padding": "same"},
        {"groups": 2},
        {"dilation": (2, 1)},
    ):
        graph = chain(ops.Input(shape=(5, 6, 2)), FIRE, conv(rng, (3, 2), 2, 4, **fields))
        assert same(graph, (5, 6, 2)), fields


def test_weights_of_zero_do_not_count(rng):
    weight = rng.normal(size=(6, 4)) * (rng.uniform(size=(6, 4)) > 0.5)
    graph = chain(ops.Input(shape=(6,)), FIRE, ops.Dense(weight=weight, bias=np.zeros(4)))
    assert same(graph, (6,))


def test_pooling_padding_and_reordering_pass_spikes_on(rng):
    graph = chain(
        ops.Input(shape=(4, 4, 2)),
        FIRE,
        ops.ZeroPad(padding=((0, 2), (1, 1))),
        ops.Permute(order=(1, 0, 2)),
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        ops.Reshape(shape=(-1,)),
        dense(rng, 18, 3),
    )
    assert same(graph, (4, 4, 2))


def test_branches_add_up_and_a_nonlinearity_ends_the_path(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(3,)))
    graph.add("a", FIRE, ["x"])
    graph.add("join", ops.Concatenate(), ["a", "x"])
    graph.add("d1", dense(rng, 6, 5), ["join"])
    graph.add("sum", ops.Add(), ["a", "x"])
    graph.add("b", FIRE, ["sum"])
    graph.add("d2", dense(rng, 3, 7), ["b"])
    graph.set_outputs({"d1": "d1", "d2": "d2"})
    found = fan_out(graph)
    assert {k: found[k].tolist() for k in ("a", "b")} == {"a": [5.0] * 3, "b": [7.0] * 3}


def test_an_op_without_a_rule_is_tried_element_by_element(rng):
    transposed = ConvTranspose(
        kernel=rng.normal(size=(3, 3, 4, 2)), bias=np.zeros(4), strides=(2, 2), dilation=(1, 1), crops=((0, 1), (1, 0))
    )
    graph = chain(ops.Input(shape=(4, 5, 2)), FIRE, transposed)
    assert same(graph, (4, 5, 2))


def test_a_maximum_passes_spikes_on_and_ends_the_path_of_values(rng):
    pool = ops.MaxPool(size=(2, 2), strides=(2, 2), padding="valid")
    graph = chain(ops.Input(shape=(4, 4, 2)), FIRE, pool, conv(rng, (1, 1), 2, 3), names=["x", "n", "pool", "out"])
    assert (fan_out(graph)["n"] == 3).all()
    assert carrying_spikes(graph) == {"n", "pool"}
    valued = chain(ops.Input(shape=(4, 4, 2)), pool, conv(rng, (1, 1), 2, 3), names=["x", "pool", "out"])
    assert (fan_out(valued)["x"] == 0).all() and (fan_out(valued)["pool"] == 3).all()


def test_a_spike_meets_all_it_is_multiplied_with_and_a_product_of_values_counts_once():
    graph = Graph()
    graph.add("a", ops.Input(shape=(4, 5)))
    graph.add("b", ops.Input(shape=(3, 5)))
    graph.add("scores", ops.Einsum(equation="ij,kj->ik"), ["a", "b"])
    graph.set_outputs({"y": "scores"})
    assert (fan_out(graph)["a"] == 3).all() and (fan_out(graph)["b"] == 0).all()
    spiking = Graph()
    for name, shape in (("a", (4, 5)), ("b", (3, 5))):
        spiking.add(name, ops.Input(shape=shape))
        spiking.add(f"{name}.n", FIRE, [name])
    spiking.add("scores", ops.Einsum(equation="ij,kj->ik"), ["a.n", "b.n"])
    spiking.set_outputs({"y": "scores"})
    found = fan_out(spiking)
    assert (found["a.n"] == 3).all() and (found["b.n"] == 4).all()
    assert spiking["scores"].op.multiply_adds(*(spiking[n].type for n in ("a", "b"))) == 4 * 3 * 5


def test_a_gate_meets_every_place_that_it_is_broadcast_to():
    graph = Graph()
    for name, shape in (("x", (4, 4, 3)), ("gate", (1, 1, 3))):
        graph.add(f"{name}.in", ops.Input(shape=shape))
        graph.add(name, FIRE, [f"{name}.in"])
    graph.add("y", ops.Multiply(), ["x", "gate"])
    graph.set_outputs({"y": "y"})
    found = fan_out(graph)
    assert (found["x"] == 1).all() and (found["gate"] == 16).all()
