"""Layers of keras-spiking in a temporal model, against what keras-spiking itself gave (``keras_spiking/record.py``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snnc
import snnc.api  # so that it is not made while the fixture has its own initial_state in place
from snnc.engine import simulate
from snnc.neurons import Neurons
from snnc.neurons.integrate_and_fire import Regular, SpikingRelu

FOLDER = Path(__file__).parent / "keras_spiking"


@pytest.fixture
def record():
    with np.load(FOLDER / "record.npz") as file:
        return dict(file)


@pytest.fixture
def voltages(record, monkeypatch):
    """Let neurons start at the voltages of keras-spiking's, which TensorFlow draws from the layers' seeds."""

    def start(node, inputs, seed):
        state = node.op.start(inputs, np.random.default_rng(seed))
        known = record.get(f"{node.name}.voltage")
        return state if known is None else {**state, "voltage": known}

    monkeypatch.setattr(simulate, "initial_state", start)


def test_the_spikes_are_those_of_keras_spiking(record, voltages):
    c = snnc.compile(FOLDER / "model.h5", temporal=True, level=0, build=False, verify=False)
    assert c.settings.dt == 0.05
    models = {node.name: node.op.model for node in c.graph if isinstance(node.op, Neurons)}
    assert models == {"spiking_relu": SpikingRelu(), "spiking_tanh": Regular(base="tanh", max_rate=1.0)}
    names = ("spiking_relu", "lowpass", "spiking_tanh", "alpha")
    c.graph.set_outputs({**{name: name for name in names}, "out": "out"})
    run = simulate.simulate(c.graph, record["x"], 30, window=slice(0, 30), dt=c.settings.dt)
    for name in names:
        np.testing.assert_allclose(run.outputs[name], record[name], rtol=1e-4, atol=1e-4)
    assert len(np.unique(record["spiking_relu"])) > 3  # several spikes a step
    assert set(np.sign(record["spiking_tanh"]).ravel()) == {-1, 0, 1}
    np.testing.assert_allclose(run.outputs["out"][:, -1], record["out"], rtol=1e-4)


def test_at_level_1_the_last_step_answers_the_same(record, voltages):
    c = snnc.compile(FOLDER / "model.h5", level=1, temporal=True, build=False, verify=False)
    assert c.settings.read_out == "last{start=0.5}"
    run = simulate.simulate(c.graph, record["x"], 30, window=slice(0, 30), dt=c.settings.dt)
    np.testing.assert_allclose(c.read_out(run.outputs["out"], c.settings.dt), record["out"], rtol=1e-4)


def test_rate_neurons_stand_for_the_layers_where_they_are_asked_for():
    c = snnc.compile(FOLDER / "model.h5", temporal=True, neurons="relu")
    assert not any(node.op.model.spiking for node in c.graph if isinstance(node.op, Neurons))
    assert c.report["passed"]
    assert c.report["backend_error"] < 1e-5
