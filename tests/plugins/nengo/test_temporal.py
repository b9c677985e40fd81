"""Temporal graphs in Nengo: one slice a step, the same as the evaluator's spikes and as a simulator of one's own."""

from __future__ import annotations

import nengo
import numpy as np
import pytest

import snnc
from snnc.api import DataError, Graph, Neurons, neurons, ops, simulate
from snnc.lowering import LoweringContext
from tests.plugins.nengo.build import LOWERINGS, RELU, conv, dense, graph, program

STEPS, DT = 12, 0.001
SPIKING = Neurons(model=neurons.SpikingRelu(), scale=0.01)


def cell(rng: np.random.Generator, features: int, units: int) -> ops.Cell:
    weights = {"kernel": (features, 3 * units), "recurrent": (units, 3 * units), "bias": (2, 3 * units)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    return ops.Cell(op=ops.Gru(**arrays))


def stream(rng: np.random.Generator, model: Neurons) -> Graph:
    """Return a graph with everything that remembers, and a convolution of each slice."""
    tau = ops.TimeFilter(tau=np.full(4, 0.01), initial=np.ones(4), dt=DT)
    return graph(
        ["probabilities", "n_1"],
        x=(ops.Input(shape=(4, 4, 2), dt=DT),),
        conv=(conv(rng, (3, 3), 2, 3), "x"),
        n=(model, "conv"),
        flat=(ops.Reshape(shape=(-1,)), "n"),
        window=(ops.DelayLine(taps=3), "flat"),
        row=(ops.Reshape(shape=(-1,)), "window"),
        d=(dense(rng, 36, 4), "row"),
        n_1=(model, "d"),
        filter=(ops.Filter(op=tau), "n_1"),
        gru=(cell(rng, 4, 3), "filter"),
        mean=(ops.Running(), "gru"),
        last=(ops.LastStep(), "mean"),
        out=(dense(rng, 3, 3), "last"),
        probabilities=(ops.Softmax(), "out"),
    )


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(3, STEPS, 4, 4, 2)).astype(np.float32)


def test_without_spikes_every_step_is_the_graphs(rng: np.random.Generator, x: np.ndarray) -> None:
    g = stream(rng, RELU)
    got = program(g).run({"x": x}, STEPS).outputs
    for name, want in g.evaluate(x).items():
        assert np.abs(got[name] - want).max() < 1e-5 * np.abs(want).max()


def test_spikes_are_those_of_the_evaluator(rng: np.random.Generator, x: np.ndarray) -> None:
    g = stream(rng, SPIKING)
    got = program(g, seed=4).run({"x": x}, STEPS, watch=["n"])
    want = simulate(g, x, STEPS, window=slice(6, STEPS), seed=4, watch=["n"])
    assert want.outputs["n_1"].any()
    np.testing.assert_array_equal(np.round(got.outputs["n_1"] / 10), np.round(want.outputs["n_1"] / 10))
    np.testing.assert_allclose(got.outputs["probabilities"], want.outputs["probabilities"], atol=1e-5)
    np.testing.assert_allclose(got.totals["n"], want.totals["n"], atol=1e-3)


def test_samples_do_not_depend_on_each_other_nor_on_processes(rng: np.random.Generator, x: np.ndarray) -> None:
    built = program(stream(rng, SPIKING))
    whole = built.run({"x": x}, STEPS, jobs=1).outputs["probabilities"]
    alone = built.run({"x": x[2:]}, STEPS, jobs=1).outputs["probabilities"]
    np.testing.assert_array_equal(alone[0], whole[2])
    np.testing.assert_array_equal(built.run({"x": x}, STEPS, jobs=2).outputs["probabilities"], whole)


def test_the_network_plays_a_sequence_in_a_simulator_of_ones_own(rng: np.random.Generator, x: np.ndarray) -> None:
    built = program(stream(rng, RELU))
    want = built.run({"x": x}, STEPS).outputs["probabilities"][1]
    built.network_map["x"].output = nengo.processes.PresentInput(x[1].reshape(STEPS, -1), DT)
    with nengo.Simulator(built.network, dt=DT, seed=0, progress_bar=False) as sim:
        sim.run_steps(STEPS)
    np.testing.assert_allclose(sim.data[built.built.probes["probabilities"]], want, atol=1e-6)


def test_without_data_the_input_is_silent(rng: np.random.Generator) -> None:
    built = program(graph(["d"], x=(ops.Input(shape=(2,), dt=DT),), d=(dense(rng, 2, 3, bias=False), "x")))
    with nengo.Simulator(built.network, progress_bar=False) as sim:
        sim.run_steps(3)
    assert not sim.data[built.built.probes["d"]].any()


def test_other_steps_than_slices_are_refused(rng: np.random.Generator, x: np.ndarray) -> None:
    with pytest.raises(DataError, match="12 slices, so leave steps out"):
        snnc.compile(stream(rng, RELU), level=0, verify=False).run({"x": x}, 30)


def test_an_input_plays_at_the_step_of_the_network(rng: np.random.Generator) -> None:
    from snnc_nengo.backend import NengoBackend

    g = graph(["d"], x=(ops.Input(shape=(2,), dt=DT),), d=(dense(rng, 2, 3), "x"))
    built = NengoBackend().lower(g, LoweringContext(LOWERINGS, dt=0.01))
    assert built.network_map["x"].output.presentation_time == 0.01


def test_compile_keeps_a_temporal_graph(rng: np.random.Generator, x: np.ndarray) -> None:
    g = stream(rng, RELU)
    rates = g.copy()
    rates.replace("n", ops.Relu())
    rates.replace("n_1", ops.Relu())
    c = snnc.compile(rates, neurons="relu", temporal=True)
    assert c.temporal
    assert c.verify(x).backend_error < 1e-5
    np.testing.assert_allclose(c.run(x)["probabilities"], g.evaluate(x)["probabilities"], atol=1e-5)
