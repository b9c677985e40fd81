"""What the network looks like: which objects there are, their names, and where the biases are."""

from __future__ import annotations

import nengo
import numpy as np
import pytest

from snnc.api import Graph, Neurons, Synapse, neurons, ops
from snnc.testing import random_inputs
from tests.plugins.nengo.build import RELU, conv, dense, graph, program, relative_errors

SPIKING = Neurons(model=neurons.SpikingRelu(), scale=0.01)
LOWPASS = Synapse(model=neurons.Lowpass(tau=0.005))


def labels(network: nengo.Network) -> dict[str, list[str]]:
    return {
        "nodes": [n.label for n in network.all_nodes],
        "ensembles": [e.label for e in network.all_ensembles],
        "connections": [c.label for c in network.all_connections],
        "probes": [p.label for p in network.all_probes],
    }


def cnn(rng: np.random.Generator) -> Graph:
    return graph(
        ["dense"],
        image=((8, 8, 1),),
        conv=(conv(rng, (3, 3), 1, 4), "image"),
        relu=(SPIKING, "conv"),
        synapse=(LOWPASS, "relu"),
        conv_1=(conv(rng, (3, 3), 4, 6, strides=(2, 2)), "synapse"),
        relu_1=(SPIKING, "conv_1"),
        synapse_1=(LOWPASS, "relu_1"),
        flatten=(ops.Reshape(shape=(-1,)), "synapse_1"),
        dense=(dense(rng, 24, 10), "flatten"),
    )


def test_a_cnn_is_two_ensembles_and_a_connection_between_any_two_layers(rng: np.random.Generator) -> None:
    assert labels(program(cnn(rng)).network) == {
        "nodes": ["image", "dense", "dense.bias"],
        "ensembles": ["relu", "relu_1"],
        "connections": ["image -> relu", "relu -> relu_1", "relu_1 -> dense", "dense.bias -> dense"],
        "probes": ["dense"],
    }


def test_a_linear_layer_is_the_transform_and_a_synapse_the_filter_of_one_connection(rng: np.random.Generator) -> None:
    first, second, third, bias = program(cnn(rng)).network.all_connections
    assert [type(c.transform) for c in (first, second, third)] == [nengo.Convolution, nengo.Convolution, nengo.Dense]
    assert [c.synapse for c in (first, second, third, bias)] == [None, *[nengo.Lowpass(0.005)] * 2, None]


def test_gain_and_bias_of_an_ensemble_hold_scale_and_constants(rng: np.random.Generator) -> None:
    g = cnn(rng)
    ensemble = program(g).network_map["relu"].ensemble
    assert type(ensemble.neuron_type) is nengo.SpikingRectifiedLinear
    assert ensemble.neuron_type.amplitude == 0.01
    assert np.allclose(ensemble.gain, 100)
    assert np.allclose(ensemble.bias, np.tile(g["conv"].op.bias, 36) * 100)


def test_lif_neurons_get_the_models_gain_and_offset() -> None:
    lif = Neurons(model=neurons.Lif(tau_rc=0.05, tau_ref=0.001), scale=0.02)
    g = graph(["n"], x=((2,),), b=(ops.Affine(scale=np.ones(1), shift=np.float32([3])), "x"), n=(lif, "b"))
    ensemble = program(g).network_map["n"].ensemble
    kind = ensemble.neuron_type
    assert type(kind) is nengo.LIF
    assert (kind.tau_rc, kind.tau_ref, kind.amplitude) == (0.05, 0.001, 0.02)
    assert np.allclose(ensemble.gain, 0.05 / 0.02)
    assert np.allclose(ensemble.bias, 0.5 + 0.05 * 3 / 0.02)


def test_constants_of_several_layers_meet_in_one_bias(rng: np.random.Generator) -> None:
    shift = ops.Affine(scale=np.float32([2]), shift=np.float32([1]))
    g = graph(
        ["n"],
        x=((3,),),
        a=(shift, "x"),
        b=(shift, "a"),
        c=(shift, "x"),
        sum=(ops.Add(), "b", "c"),
        n=(RELU, "sum"),
    )
    built = program(g)
    assert np.allclose(built.network_map["n"].ensemble.bias, (2 * 1 + 1) + 1)
    assert labels(built.network)["nodes"] == ["x"], "and their factors in one transform"


def test_every_name_finds_an_object(rng: np.random.Generator) -> None:
    g = cnn(rng)
    found = program(g).network_map
    relu, relu_1, output = found["relu"], found["relu_1"], found["dense"]
    assert isinstance(relu, nengo.ensemble.Neurons)
    assert relu.ensemble.label == "relu"
    assert found["conv"] is relu, "a layer that is part of a connection gives the object at its end"
    assert found["synapse"] is relu_1
    assert output.label == "dense"
    assert set(found) == {node.name for node in g}


def test_a_flatten_is_the_object_that_it_flattens(rng: np.random.Generator) -> None:
    g = graph(
        ["y"],
        x=((2, 3),),
        n=(RELU, "x"),
        flat=(ops.Reshape(shape=(6,)), "n"),
        drop=(ops.Identity(), "flat"),
        y=(dense(rng, 6, 2), "drop"),
    )
    found = program(g).network_map
    assert found["drop"] is found["flat"] is found["n"]


def test_a_source_layer_finds_its_neurons_not_the_filter_behind_them(rng: np.random.Generator) -> None:
    g = Graph("net")
    g.add("x", ops.Input(shape=(4,)))
    g.add("first.linear", dense(rng, 4, 5), ["x"], layers=["first", "norm"])
    g.add("first_1", SPIKING, ["first.linear"], layers=["first", "norm"])
    g.add("first_1.synapse", LOWPASS, ["first_1"], layers=["first", "norm"])
    g.add("second", dense(rng, 5, 2), ["first_1.synapse"], layers=["second"])
    g.set_outputs({"second": "second"})
    found = program(g).network_map
    assert found["first"] is found["norm"] is found["first_1"]
    assert found["first"].ensemble.label == "first_1"
    assert found["second"].label == "second"


def test_host_nodes_say_so() -> None:
    g = graph(["p"], x=((4,),), p=(ops.Softmax(), "x"))
    assert labels(program(g).network)["nodes"] == ["x", "p (softmax on the host)"]


def test_a_residual_block_is_two_connections_into_the_same_neurons(rng: np.random.Generator) -> None:
    g = graph(
        ["relu_2"],
        x=((4, 4, 3),),
        relu=(RELU, "x"),
        conv=(conv(rng, (3, 3), 3, 3, padding="same"), "relu"),
        relu_1=(RELU, "conv"),
        conv_1=(conv(rng, (3, 3), 3, 3, padding="same"), "relu_1"),
        add=(ops.Add(), "conv_1", "relu"),
        relu_2=(RELU, "add"),
    )
    built = program(g)
    assert labels(built.network)["nodes"] == ["x"]
    connections = labels(built.network)["connections"]
    assert sorted(connections) == ["relu -> relu_1", "relu -> relu_2", "relu_1 -> relu_2", "x -> relu"]
    same(g)


def test_a_sum_that_is_transformed_again_has_a_node(rng: np.random.Generator) -> None:
    g = graph(
        ["y"], a=((3,),), b=((3,),), sum=(ops.Add(), "a", "b"), dense=(dense(rng, 3, 50), "sum"), y=(RELU, "dense")
    )
    assert labels(program(g).network)["nodes"] == ["a", "b", "sum"], "one product of the sum, not a sum of products"
    same(g)


def test_concatenated_branches_go_into_slices_of_the_neurons(rng: np.random.Generator) -> None:
    g = graph(
        ["n"],
        x=((4,),),
        left=(dense(rng, 4, 2), "x"),
        right=(dense(rng, 4, 3), "x"),
        both=(ops.Concatenate(), "left", "right"),
        n=(RELU, "both"),
    )
    built = program(g)
    assert [c.post_slice for c in built.network.all_connections] == [slice(0, 2), slice(2, 5)]
    assert labels(built.network)["nodes"] == ["x"]
    same(g)


def test_a_linear_tensor_that_two_things_read_is_computed_once(rng: np.random.Generator) -> None:
    g = graph(
        ["a", "b"],
        x=((4,),),
        shared=(dense(rng, 4, 6), "x"),
        a=(RELU, "shared"),
        negative=(ops.Affine(scale=-np.ones(1), shift=np.zeros(1)), "shared"),
        b=(RELU, "negative"),
    )
    assert labels(program(g).network)["nodes"] == ["x", "shared"]
    same(g)


def test_the_same_tensor_twice_in_a_sum() -> None:
    same(graph(["y"], x=((3,),), y=(ops.Add(), "x", "x")))


def test_shared_weights_give_two_connections_of_the_same_matrix(rng: np.random.Generator) -> None:
    layer = dense(rng, 4, 3)
    g = graph(["d", "e"], a=((4,),), b=((4,),), d=(layer, "a"), e=(layer, "b"))
    first, second = program(g).network.all_connections[:2]
    assert np.array_equal(first.transform.init, second.transform.init)
    same(g)


def test_several_inputs_and_outputs_with_an_input_and_a_hidden_layer_among_them(rng: np.random.Generator) -> None:
    g = graph(
        ["a", "hidden", "y"],
        a=((3,),),
        b=((2, 2),),
        flat=(ops.Reshape(shape=(4,)), "b"),
        both=(ops.Concatenate(), "a", "flat"),
        hidden=(dense(rng, 7, 5), "both"),
        n=(RELU, "hidden"),
        y=(dense(rng, 5, 2), "n"),
    )
    built = program(g)
    assert labels(built.network)["probes"] == ["a", "hidden", "y"]
    # the bias of an output feeds its node, and must not be added to what reads it once more
    assert "hidden.bias -> hidden" in labels(built.network)["connections"]
    assert not built.network_map["n"].ensemble.bias.any()
    same(g)


def test_outputs_that_are_views_of_each_other(rng: np.random.Generator) -> None:
    g = graph(
        ["square", "flat"],
        x=((4,),),
        d=(dense(rng, 4, 4), "x"),
        square=(ops.Reshape(shape=(2, 2)), "d"),
        flat=(ops.Reshape(shape=(4,)), "square"),
    )
    same(g)


def test_an_unused_input_is_there_all_the_same() -> None:
    g = graph(["y"], x=((2,),), idle=((3,),), y=(RELU, "x"))
    assert labels(program(g).network)["nodes"] == ["x", "idle"]
    same(g)


@pytest.mark.parametrize("behind", ["dense", "conv", "pool", "pad", "reshaped", "output", "neurons", "three readers"])
def test_one_scale_a_channel_is_multiplied_into_what_leaves(behind: str, rng: np.random.Generator) -> None:
    scaled = Neurons(model=neurons.ReluRate(), scale=np.float32([0.5, 2, 8]))
    g = Graph("scaled")
    g.add("x", ops.Input(shape=(4, 4, 3)))
    g.add("n", scaled, ["x"])
    if behind == "dense":
        g.add("flat", ops.Reshape(shape=(48,)), ["n"])
        g.add("y", dense(rng, 48, 2), ["flat"])
    elif behind == "conv":
        g.add("y", conv(rng, (3, 3), 3, 2), ["n"])
    elif behind == "pool":
        g.add("y", ops.GlobalAvgPool(), ["n"])
    elif behind == "pad":
        g.add("y", conv(rng, (3, 3), 3, 2, padding=((1, 0), (0, 1))), ["n"])
    elif behind == "reshaped":  # the channels of the convolution are not those of the neurons
        g.add("flat", ops.Reshape(shape=(8, 6)), ["n"])
        g.add("y", conv(rng, (3,), 6, 2), ["flat"])
    elif behind == "output":
        g.add("y", ops.Identity(), ["n"])
    elif behind == "neurons":
        g.add("y", RELU, ["n"])
    else:
        for i in range(3):
            g.add(f"c{i}", conv(rng, (1, 1), 3, 2), ["n"])
        g.add("y", ops.Add(), [f"c{i}" for i in range(3)])
    g.set_outputs({"y": "y"})
    same(g)
    built = program(g)
    assert built.network_map["n"].ensemble.neuron_type == nengo.RectifiedLinear()
    if behind in ("dense", "conv", "pool", "neurons", "three readers"):
        assert "n.scaled" not in labels(built.network)["nodes"], "the factors are part of the transforms"


def test_a_filter_stands_where_the_vector_is_small(rng: np.random.Generator) -> None:
    g = graph(["y"], x=((10,),), n=(RELU, "x"), s=(LOWPASS, "n"), y=(dense(rng, 10, 3000), "s"))
    filtered = [c.label for c in program(g).network.all_connections if c.synapse is not None]
    assert filtered == ["n -> s"]
    g = graph(["y"], x=((10,),), n=(RELU, "x"), s=(LOWPASS, "n"), y=(dense(rng, 10, 4), "s"))
    filtered = [c.label for c in program(g).network.all_connections if c.synapse is not None]
    assert filtered == ["n -> y"]


@pytest.mark.parametrize("units", [4, 3000])
def test_where_a_filter_stands_does_not_change_the_outputs(units: int, rng: np.random.Generator) -> None:
    layer = dense(rng, 10, units)
    g = graph(["y"], x=((10,),), n=(RELU, "x"), s=(LOWPASS, "n"), y=(layer, "s"))
    x = random_inputs(g, 1)
    got = program(g).run(x, 8).outputs["y"][0]
    rates = np.maximum(x["x"], 0) @ layer.weight
    want = layer.bias + (1 - np.exp(-0.2 * np.arange(8)))[:, None] * rates
    assert np.abs(got - want).max() < 1e-5 * np.abs(want).max()


def test_the_network_runs_in_nengos_simulator_as_it_is(rng: np.random.Generator) -> None:
    built = program(cnn(rng))
    with nengo.Simulator(built.network, progress_bar=False) as sim:
        sim.run_steps(5)
        assert sim.data[built.network.all_probes[0]].shape == (5, 10)


def same(g: Graph) -> None:
    """Assert that the program gives what the graph gives."""
    inputs = random_inputs(g, 2)
    got = {name: y[:, -1] for name, y in program(g).run(inputs, 2).outputs.items()}
    assert max(relative_errors(got, g.evaluate(inputs)).values()) < 1e-6
