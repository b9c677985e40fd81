"""Temporal graphs in NengoDL: one slice a step, in minibatches, the same as the evaluator."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

import nengo_dl

import snnc
from snnc.api import DataError, simulate
from tests.plugins.nengo.build import RELU
from tests.plugins.nengo.test_temporal import DT, SPIKING, STEPS, stream
from tests.plugins.nengo_dl.test_run import program


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(3, STEPS, 4, 4, 2)).astype(np.float32)


def test_without_spikes_every_step_is_the_graphs_for_sequences_of_any_length(
    rng: np.random.Generator, x: np.ndarray
) -> None:
    g = stream(rng, RELU)
    built = program(g, minibatch=2)
    for part in (x, x[:, :5]):
        got = built.run({"x": part}, part.shape[1]).outputs
        for name, want in g.evaluate(part).items():
            assert np.abs(got[name] - want).max() < 1e-5 * np.abs(want).max()
    with pytest.raises(DataError, match="12 slices, so leave steps out"):
        snnc.compile(g, backend="nengo-dl", level=0, verify=False).run({"x": x}, 30)


def test_spikes_are_those_of_the_evaluator(rng: np.random.Generator, x: np.ndarray) -> None:
    g = stream(rng, SPIKING)
    got = program(g, seed=4).run({"x": x}, STEPS, watch=["n", "x"])
    want = simulate(g, x, STEPS, window=slice(6, STEPS), seed=4, watch=["n"])
    assert want.outputs["n_1"].any()
    np.testing.assert_array_equal(np.round(got.outputs["n_1"] / 10), np.round(want.outputs["n_1"] / 10))
    np.testing.assert_allclose(got.outputs["probabilities"], want.outputs["probabilities"], atol=1e-5)
    np.testing.assert_allclose(got.totals["n"], want.totals["n"], atol=1e-3)
    np.testing.assert_allclose(got.totals["x"], np.abs(x).sum(axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got.means["x"], x[:, 6:].mean(axis=1), rtol=1e-5, atol=1e-6)


def test_the_network_takes_sequences_in_a_simulator_of_ones_own(rng: np.random.Generator, x: np.ndarray) -> None:
    built = program(stream(rng, RELU))
    want = built.run({"x": x}, STEPS).outputs["probabilities"]
    with nengo_dl.Simulator(built.network, dt=DT, minibatch_size=3, progress_bar=False, device="/cpu:0") as sim:
        given = {built.network_map["x"]: x.reshape(3, STEPS, -1)}
        got = sim.predict(given)[built.built.probes["probabilities"]]
    np.testing.assert_allclose(got, want, atol=1e-5)
