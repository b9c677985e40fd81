"""The trained example: small, plain, good, and measured on digits that it has not seen."""

import importlib.util
import io
import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import snnc
from snnc.evaluation.verdict import verdict
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "mnist"
MODEL = FOLDER / "mnist_cnn.keras"


@pytest.fixture(scope="module")
def samples():
    with np.load(FOLDER / "samples.npz") as data:
        return data["x"], data["y"]


@pytest.fixture(scope="module")
def train():
    """Return the training script as a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorflow")
    spec = importlib.util.spec_from_file_location("train", FOLDER / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_model_file_is_small_and_has_no_optimizer_state():
    assert MODEL.stat().st_size < 1_000_000
    with zipfile.ZipFile(MODEL) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        assert "optimizer" not in weights
        assert "compile_config" not in json.loads(archive.read("config.json"))


def test_samples_are_as_the_model_takes_them(samples):
    x, y = samples
    assert x.shape == (500, 28, 28, 1)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert set(y.tolist()) == set(range(10))


def test_samples_are_test_digits(samples, shared):
    with np.load(shared / "data" / "mnist.npz") as mnist:
        np.testing.assert_array_equal(samples[0][..., 0], mnist["x_test"][::20].astype(np.float32) / 255)
        np.testing.assert_array_equal(samples[1], mnist["y_test"][::20])


def test_the_model_gets_98_percent_right(samples):
    x, y = samples
    assert np.mean(snnc.import_model(MODEL).evaluate(x)["logits"].argmax(axis=1) == y) >= 0.98


def test_the_script_builds_the_model_of_the_file(train):
    def layers(config):
        return [layer["config"] | {"class_name": layer["class_name"]} for layer in config["layers"]]

    with zipfile.ZipFile(MODEL) as archive:
        stored = json.loads(archive.read("config.json"))["config"]
    built = json.loads(json.dumps(train.build().get_config()))
    assert layers(stored) == layers(built)


def test_shifted_digits_are_the_same_digits_elsewhere(train):
    x = np.zeros((50, 28, 28, 1), np.float32)
    x[:, 14, 14] = np.arange(1, 51).reshape(-1, 1)
    moved = train.shifted(x, np.random.default_rng(0))
    assert moved.shape == x.shape
    np.testing.assert_array_equal(moved.max(axis=(1, 2, 3)), np.arange(1, 51))
    _, rows, columns, _ = np.nonzero(moved)
    assert set(rows) == set(columns) == {12, 13, 14, 15, 16}


def test_the_demo_shows_the_model_the_old_ways_and_the_network(tmp_path, samples, capsys):
    spec = importlib.util.spec_from_file_location("demo", FOLDER / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    snnc.compile(MODEL).save(tmp_path / "out")
    x, y = samples
    np.savez(tmp_path / "few.npz", x=x[:50], y=y[:50])
    demo.main(str(tmp_path / "out"), str(tmp_path / "few.npz"), "out/report.html")
    lines = capsys.readouterr().out.splitlines()
    model, default, by_hand, patient, fast, ours = [line.split() for line in lines[3:9]]
    assert model[:3] == ["the", "Keras", "model"]
    assert [row[-8] for row in (default, by_hand, patient, fast, ours)] == ["2", "2", "40", "2", "2"]
    accuracies = [float(row[-7].rstrip("%")) for row in (default, by_hand, patient, fast, ours)]
    assert max(accuracies[:2]) < 50 < 90 < min(accuracies[2:])
    assert lines[-3].startswith("On 50 samples: accuracy ")
    assert lines[-1] == "The report, for a browser: out/report.html"


def test_the_readme_shows_what_the_demo_says(samples):
    shown = " ".join((ROOT / "README.md").read_text().split())
    assert verdict(snnc.compile(MODEL).evaluate(*samples)) in shown
    for name in ("the model, the old ways, and this network", "swap, scale 1 (the default)", "snnc, nothing chosen"):
        assert name in shown
