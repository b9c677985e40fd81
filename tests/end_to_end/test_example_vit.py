"""The trained transformer: small, plain, good, and everything in it spikes."""

import importlib.util
import io
import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import snnc
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "vit"
MODEL = FOLDER / "mnist_vit.keras"


@pytest.fixture(scope="module")
def samples():
    """Return test digits, those of the other example."""
    with np.load(ROOT / "examples" / "mnist" / "samples.npz") as data:
        return data["x"], data["y"]


def test_the_model_file_is_small_and_has_no_optimizer_state():
    assert MODEL.stat().st_size < 1_000_000
    with zipfile.ZipFile(MODEL) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        assert "optimizer" not in weights
        assert "compile_config" not in json.loads(archive.read("config.json"))


def test_the_model_gets_97_percent_right(samples):
    x, y = samples
    assert np.mean(snnc.import_model(MODEL).evaluate(x)["logits"].argmax(axis=1) == y) >= 0.97


def test_the_model_gets_97_percent_of_all_test_digits_right(shared):
    with np.load(shared / "data" / "mnist.npz") as mnist:
        x, y = mnist["x_test"][..., None].astype(np.float32) / 255, mnist["y_test"]
    assert np.mean(snnc.import_model(MODEL).evaluate(x)["logits"].argmax(axis=1) == y) >= 0.97


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
def test_the_script_builds_the_model_of_the_file(tmp_path):
    def layers(path):
        with zipfile.ZipFile(path) as archive:
            stored = json.loads(archive.read("config.json"))["config"]
        return [layer["config"] | {"class_name": layer["class_name"]} for layer in stored["layers"]]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorflow")
    spec = importlib.util.spec_from_file_location("train_vit", FOLDER / "train.py")
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    train.build().save(tmp_path / "built.keras", save_format="keras_v3")
    assert layers(tmp_path / "built.keras") == layers(MODEL)


def test_everything_spikes_and_answers_as_the_model_does(samples):
    x, y = samples
    c = snnc.compile(MODEL, calibration=x[:100], strict=True)
    assert not c.census.host
    assert not c.census.valued
    assert c.census.spiking_share + c.census.input_share == pytest.approx(1)
    found = c.evaluate(x[100:300], y[100:300])
    assert found.steps <= 4
    assert found.agreement >= 0.99
