"""Spiking populations keep to the step rule of their model, spike for spike."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.api import NeuronModel, Neurons, Synapse, evaluate_nodes, neurons, ops, simulate
from snnc.testing import in_binary, random_inputs
from tests.plugins.nengo.build import conv, dense, graph, program

DT = 0.001


MODELS = {
    "spiking-relu": neurons.SpikingRelu(),
    "lif": neurons.Lif(tau_rc=1 / 64, tau_ref=0.002),
    "lif without refractory time": neurons.Lif(tau_rc=1 / 32, tau_ref=0.0),
}


@pytest.mark.parametrize("scale", [1 / 128, np.float32([1 / 32, 1 / 256, 1 / 64, 1 / 512])], ids=["one", "by channel"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_spikes_are_those_of_the_step_rule(model: NeuronModel, scale: float, rng: np.random.Generator) -> None:
    spiking = Neurons(model=model, scale=scale)
    g = graph(
        ["out"],
        x=((3, 4),),
        a=(ops.Dense(weight=in_binary(rng, 4, 4), bias=1 + np.abs(in_binary(rng, 4))), "x"),
        n=(spiking, "a"),
        b=(ops.Dense(weight=in_binary(rng, 4, 4), bias=1 + np.abs(in_binary(rng, 4))), "n"),
        out=(spiking, "b"),
    )
    x = {"x": in_binary(rng, 2, 3, 4)}
    want = simulate(g, x, 400, window=slice(200, 400), seed=1).outputs["out"]
    got = program(g, seed=1).run(x, 400).outputs["out"]
    assert np.count_nonzero(want) > 200
    assert np.array_equal(got != 0, want != 0)
    assert np.allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("synapse", [neurons.Lowpass(tau=0.005), neurons.Alpha(tau=0.002)])
def test_a_filtered_network_is_that_of_numpy(synapse: neurons.SynapseModel, rng: np.random.Generator) -> None:
    spiking = Neurons(model=neurons.SpikingRelu(), scale=0.01)
    g = graph(
        ["y"],
        x=((6, 6, 2),),
        conv=(conv(rng, (3, 3), 2, 4), "x"),
        n=(spiking, "conv"),
        s=(Synapse(model=synapse), "n"),
        conv_1=(conv(rng, (3, 3), 4, 4, strides=(2, 2)), "s"),
        n_1=(spiking, "conv_1"),
        s_1=(Synapse(model=synapse), "n_1"),
        flat=(ops.Reshape(shape=(-1,)), "s_1"),
        y=(dense(rng, 4, 3), "flat"),
    )
    x = random_inputs(g, 3)
    want = simulate(g, x, 40, window=slice(20, 40), seed=3, watch=["n", "n_1"])
    got = program(g, seed=3).run(x, 40, watch=["n", "n_1"])
    # a voltage that ends within rounding of the threshold may spike a step early or late
    assert np.abs(got.outputs["y"] - want.outputs["y"]).max() < 1e-4 * np.abs(want.outputs["y"]).max()
    for name in ("n", "n_1"):
        assert np.allclose(got.totals[name], want.totals[name])
        assert np.allclose(got.means[name], want.means[name])


def test_a_spike_lasts_one_step_and_is_scale_over_dt_high() -> None:
    g = graph(["n"], x=((1,),), n=(Neurons(model=neurons.SpikingRelu(), scale=0.02), "x"))
    y = program(g).run({"x": np.ones((1, 1), np.float32)}, 1000).outputs["n"].ravel()
    assert set(np.unique(y.round(3))) == {0, 20}
    assert abs(np.count_nonzero(y) - 50) <= 1


def test_spiking_rates_approach_the_rate_curve(rng: np.random.Generator) -> None:
    for model in MODELS.values():
        g = graph(["n"], x=((20,),), n=(Neurons(model=model, scale=0.01), "x"))
        x = random_inputs(g, 1)
        mean = program(g).run(x, 2000).outputs["n"].mean(axis=1)
        rate = g.evaluate(x)["n"]
        assert np.abs(mean - rate).max() < 0.04 * rate.max()  # a step is coarse for a neuron of 100 Hz


def test_totals_and_means_of_watched_populations_are_in_their_own_units(rng: np.random.Generator) -> None:
    scale = np.float32([0.01, 0.02, 0.05])
    g = graph(["n"], x=((3,),), n=(Neurons(model=neurons.SpikingRelu(), scale=scale), "x"))
    x = {"x": np.abs(random_inputs(g, 4)["x"])}
    recording = program(g).run(x, 9, watch=["n", "x"], jobs=1)
    y = recording.outputs["n"]
    assert np.allclose(recording.totals["n"], y.sum(axis=1))
    assert np.allclose(recording.means["n"], y[:, 4:].mean(axis=1))
    assert np.allclose(recording.means["x"], x["x"])
    spikes = recording.totals["n"] * DT / scale
    assert np.allclose(spikes, spikes.round(), atol=1e-4)


def test_a_watched_linear_layer_has_its_bias(rng: np.random.Generator) -> None:
    layer = ops.Dense(weight=in_binary(rng, 3, 2), bias=np.float32([1, -1]))
    relu = Neurons(model=neurons.ReluRate())
    g = graph(["n", "m"], x=((3,),), d=(layer, "x"), n=(relu, "d"), m=(relu, "d"))
    x = random_inputs(g, 2)
    recording = program(g).run(x, 3, watch=["d"])
    want = evaluate_nodes(g, x, ["d"])["d"]
    assert np.allclose(recording.means["d"], want)
    assert np.allclose(recording.totals["d"], 3 * np.abs(want))
