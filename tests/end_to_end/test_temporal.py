"""Temporal models from file to artifact and back, in Python and on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from snnc_nengo.backend import NengoBackend

import snnc
from snnc import cli
from snnc.errors import DataError, UsageError
from snnc.neurons import Neurons
from snnc.registry import Registry
from tests.models import dense_layer, input_layer, layer, sequential, write_keras

STEPS = 8


def sequences(rng, count=24):
    """Return two classes of sequences: which half of the features is on, at random times."""
    labels = np.arange(count) % 2
    x = rng.uniform(0, 1, size=(count, STEPS, 4)).astype(np.float32)
    x[labels == 0, :, :2] *= 0.2
    x[labels == 1, :, 2:] *= 0.2
    return x, labels


@pytest.fixture
def model(tmp_path):
    """Write a model that averages over time, as the tutorials of keras-spiking do."""
    rng = np.random.default_rng(1)
    document = sequential(
        [
            input_layer(None, 4),
            dense_layer("hidden", 16, "linear"),
            {**layer("SpikingActivation", "spiking", activation="relu", dt=0.01), "module": "keras_spiking.layers"},
            layer("GlobalAveragePooling1D", "mean", keepdims=False),
            dense_layer("out", 2, "softmax"),
        ],
        "stream",
    )
    kernel = np.zeros((4, 16))
    kernel[:2, :8], kernel[2:, 8:] = 1, 1
    readout = np.repeat([[-0.5, 0.5], [0.5, -0.5]], 8, axis=0)
    weights = {"dense": [kernel * rng.uniform(0.5, 1, size=kernel.shape), np.zeros(16)], "dense_1": [readout, [0, 0]]}
    return write_keras(tmp_path / "stream.keras", document, weights)


def test_a_compiled_temporal_model_is_measured_saved_and_loaded(model, tmp_path, rng):
    x, y = sequences(rng)
    c = snnc.compile(model, temporal=True, scale=50)
    assert (c.settings.dt, c.settings.read_out, c.settings.steps) == (0.01, "last{start=0.5}", None)
    found = c.evaluate(x, y)
    assert found.steps == STEPS
    assert found.model_accuracy == 1
    assert found.accuracy > 0.9
    assert len(found.accuracy_by_step) == STEPS
    assert found.layers[0].rate > 1
    assert (found.layers[0].quantised, found.layers[0].quantisation) == (None, None)
    c.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["temporal"] is True
    assert again.temporal
    for name, out in c.run(x).items():
        assert out.shape == (24, STEPS, 2)
        np.testing.assert_array_equal(again.run(x)[name], out)
    np.testing.assert_array_equal(again.predict(x), c.predict(x))


def test_an_artifact_of_a_temporal_model_compiles_again(model, tmp_path, rng):
    x, _ = sequences(rng)
    snnc.compile(model, temporal=True).save(tmp_path / "out")
    c = snnc.compile(tmp_path / "out", neurons="relu")
    assert c.temporal
    assert c.verify(x).backend_error < 1e-5


def test_any_length_runs_and_the_answer_is_of_the_last_step(model, rng):
    c = snnc.compile(model, temporal=True, neurons="relu")
    for steps in (1, 3, 20):
        x = rng.uniform(0, 1, size=(2, steps, 4)).astype(np.float32)
        want = c.source.evaluate(x)["out"]
        np.testing.assert_allclose(c.predict(x), want[:, -1], atol=1e-5)
        np.testing.assert_allclose(c.run(x)["out"], want, atol=1e-5)


def test_steps_are_slices(model, rng):
    x, _ = sequences(rng)
    c = snnc.compile(model, temporal=True)
    assert c.predict(x, STEPS).shape == (24, 2)
    with pytest.raises(DataError, match="8 slices, so leave steps out or say 8, not 30"):
        c.predict(x, 30)
    with pytest.raises(DataError, match="leave steps out"):
        snnc.compile(model, temporal=True, steps=30, calibration=x)


def test_level_2_calibrates_on_sequences(model, rng):
    x, y = sequences(rng)
    c = snnc.compile(model, temporal=True, level=2, calibration=x)
    populations = [node.op for node in c.graph if isinstance(node.op, Neurons)]
    assert populations[0].scale != 1
    assert c.report["passed"]
    assert c.evaluate(x, y).accuracy == 1


BACKENDS = Registry.discover().backends


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "loihi"])  # a chip has no rate neurons
def test_every_step_is_the_same_on_every_backend(name, model, rng):
    x, _ = sequences(rng, 4)
    for extra in {"nengo": [], "nengo-dl": ["tensorflow", "nengo_dl"]}.get(name, ["tensorflow"]):
        pytest.importorskip(extra)
    c = snnc.compile(model, temporal=True, backend=name, neurons="relu")
    report = c.verify(x)
    assert report.passed
    assert report.backend_error < 1e-5
    np.testing.assert_allclose(c.run(x)["out"], c.source.evaluate(x)["out"], atol=1e-5)


class Still(NengoBackend):
    name = "still"
    temporal = False


def test_a_backend_without_sequences_says_so(model):
    with pytest.raises(UsageError, match="the backend 'still' presents no sequences"):
        snnc.compile(model, temporal=True, backend=Still())


def test_the_command_line(model, tmp_path, rng, capsys):
    x, y = sequences(rng)
    np.savez(tmp_path / "x.npz", input=x, y=y)
    folder, data = str(tmp_path / "out"), str(tmp_path / "x.npz")
    assert cli._run(["show", str(model), "--temporal"]) == 0
    assert "running(%spiking) {function=mean}" in capsys.readouterr().out
    assert cli._run(["compile", str(model), "--temporal", "-o", folder, "--calibration", data, "--scale", "50"]) == 0
    assert cli._run(["run", folder, "--inputs", data, "-o", str(tmp_path / "y.npz")]) == 0
    assert np.load(tmp_path / "y.npz")["out"].shape == (24, STEPS, 2)
    capsys.readouterr()
    assert cli._run(["evaluate", folder, "--inputs", data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == STEPS
    assert cli._run(["verify", folder, "--inputs", data]) == 0
    assert cli._run(["run", folder, "--inputs", data, "--steps", "30"]) == 2
    assert "one slice is presented a step" in capsys.readouterr().err
    assert cli._run(["compile", str(model), "-o", folder]) == 2  # without --temporal the length is open
    assert "leaves sizes open" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_against_keras_itself(tmp_path, rng):
    from tests.frontend.against_keras import keras_2, randomise

    keras = keras_2()
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv1D(6, 3, padding="causal", activation="relu", input_shape=(None, 4)),
            layers.LSTM(5, return_sequences=True),
            layers.TimeDistributed(layers.Dense(3, activation="softmax")),
        ]
    )
    randomise(model, rng)
    model.save(tmp_path / "model.h5")
    x, _ = sequences(rng, 6)
    np.savez(tmp_path / "x.npz", x=x)
    folder = str(tmp_path / "out")
    assert cli._run(["compile", str(tmp_path / "model.h5"), "--temporal", "--neurons", "relu", "-o", folder]) == 0
    assert (
        cli._run(
            [
                "verify",
                folder,
                "--inputs",
                str(tmp_path / "x.npz"),
                "--against-keras",
                "--model",
                str(tmp_path / "model.h5"),
            ]
        )
        == 0
    )
    c = snnc.load(folder)
    report = c.verify(x, keras=model)
    assert report.import_error < 1e-5
    assert report.backend_error < 1e-5
    np.testing.assert_allclose(c.run(x)[c.source.outputs[0]], model(x, training=False), atol=1e-5)
