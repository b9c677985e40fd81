"""Spiking populations keep to the step rule of their model, spike for spike."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import nengo
import numpy as np
import pytest
from snnc_nengo.program import NengoProgram

from snnc.api import Graph, NeuronModel, Neurons, evaluate_nodes, neurons, ops
from snnc.testing import random_inputs
from tests.plugins.nengo.build import graph, program

DT = 0.001


@contextmanager
def single_precision():
    """Let Nengo compute as the program and the step rules do."""
    before = nengo.rc.get("precision", "bits")
    nengo.rc.set("precision", "bits", "32")
    try:
        yield
    finally:
        nengo.rc.set("precision", "bits", before)


def initial_state(built: NengoProgram, name: str, model: NeuronModel) -> dict[str, np.ndarray]:
    with single_precision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Nengo's, about maximum rates that it computes though nothing uses them
        sim = nengo.Simulator(built.network, progress_bar=False)
    with sim:
        voltage = sim.signals[sim.model.sig[built.network_map[name]]["voltage"]].copy()
    shape = built.graph[name].type.shape
    state = model.start((1, *shape), np.random.default_rng(0))
    return {**state, "voltage": voltage.reshape(1, *shape)}


def by_the_step_rule(built: NengoProgram, x: dict[str, np.ndarray], steps: int) -> np.ndarray:
    """Run the graph step by step in numpy, from the same voltages; ``(steps, *shape)`` of the first output."""
    g: Graph = built.graph
    populations = {n.name: n.op for n in g if isinstance(n.op, Neurons)}
    states = {name: initial_state(built, name, op.model) for name, op in populations.items()}
    outputs = []
    for _ in range(steps):
        values = dict(x)
        for node in g:
            if node.name in populations:
                scale = np.asarray(node.op.scale, dtype=np.float32)
                u = values[g.sources(node.name)[0]] / scale
                values[node.name] = scale * node.op.model.step(u.astype(np.float32), states[node.name], DT)
            elif node.op.arity != 0:
                values[node.name] = node.op.evaluate(*(values[s].astype(np.float32) for s in g.sources(node.name)))
        outputs.append(values[g.output_nodes[g.outputs[0]]][0])
    return np.stack(outputs)


def in_binary(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return numbers whose sums and products float32 gives exactly, in whatever order."""
    return (rng.integers(-8, 9, size=shape) / 8).astype(np.float32)


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
    built = program(g, seed=1)
    x = {"x": in_binary(rng, 1, 3, 4)}
    want = by_the_step_rule(built, x, 400)
    got = built.run(x, 400).outputs["out"][0]
    assert np.count_nonzero(want) > 100
    assert np.array_equal(got != 0, want != 0)
    assert np.allclose(got, want, rtol=1e-5)


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
    assert np.allclose(recording.totals["d"], 3 * want)
