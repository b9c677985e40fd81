"""The benchmarks run: what they read, judge and write, and all of it once on a few small images."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a function that imports a benchmark, whose name is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == BENCHMARKS:
            del sys.modules[name]


@pytest.fixture
def datasets(module) -> ModuleType:
    return module("datasets")


@pytest.fixture
def page(module) -> ModuleType:
    return module("accuracy_page")


def arrays(rng, images=300):
    """Return images of ten classes, each a bright band of its own in noise."""
    found = {}
    for part in ("train", "test"):
        labels = rng.integers(0, 10, images).astype(np.uint8)
        shown = rng.integers(0, 60, (images, 28, 28)).astype(np.uint8)
        for image, label in zip(shown, labels, strict=True):
            image[2 * label : 2 * label + 6] += 150
        found |= {f"x_{part}": shown, f"y_{part}": labels}
    return found


def test_a_folder_with_the_four_files_is_read_as_the_npz_is(tmp_path, rng, datasets):
    data = arrays(rng, images=5)
    for key, name in datasets.FILES.items():
        head = bytes([0, 0, 8, data[key].ndim]) + np.array(data[key].shape, ">i4").tobytes()
        (tmp_path / name).write_bytes(gzip.compress(head + data[key].tobytes()))
    np.savez(tmp_path / "all.npz", **data)
    folder, npz = (datasets.images("fashion-mnist", path) for path in (tmp_path, tmp_path / "all.npz"))
    for key, value in folder.items():
        np.testing.assert_array_equal(value, npz[key])
    np.testing.assert_allclose(folder["x_test"][..., 0], data["x_test"] / 255, rtol=1e-6)
    np.testing.assert_array_equal(folder["y_test"], data["y_test"])


def test_raw_pixels_stay_from_0_to_255(tmp_path, rng, datasets):
    np.savez(tmp_path / "all.npz", **arrays(rng, images=5))
    assert datasets.images("mnist", tmp_path / "all.npz", scale=1)["x_test"].max() > 100


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_data_that_is_not_there_is_one_line_that_says_how_to_get_it(tmp_path, name, datasets):
    for path in (tmp_path, tmp_path / "no.npz"):
        with pytest.raises(SystemExit, match=r"--data") as error:
            datasets.images(name, path)
        assert len(str(error.value).splitlines()) == 1


def row(**fields):
    return {
        "steps": 4,
        "accuracy": 0.9,
        "model_accuracy": 0.9,
        "agreement": 0.99,
        "spikes_a_neuron": 1.5,
        "energy": 1e-6,
        "energy_model": 2e-6,
        "energy_model_sparse": 1e-6,
        "silent": False,
        "seconds": 1.0,
        "neurons": 100,
        "images": 1000,
        "commit": "abc1234",
        "spiking_share": 0.96,
        "input_share": 0.04,
        "not_spiking": [],
        "synops": 1e4,
        "multiply_adds": 5000,
    } | fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "none"),
        ({"accuracy": 0.895}, "none"),
        ({"accuracy": 0.894}, "0.6 points lost"),
        ({"steps": 6}, "6 steps"),
        ({"spikes_a_neuron": 3.25}, "3.25 spikes a neuron"),
        ({"energy": 3e-6}, "1.50 of the model's energy"),
        ({"silent": True}, "silent"),
    ],
)
def test_the_page_says_which_aim_a_network_misses(fields, said, page):
    assert page.missed("vgg", row(**fields)) == said


def test_mobilenet_has_eight_steps_and_no_samples_more_points(page):
    assert page.missed("mobilenetv2", row(steps=8)) == "none"
    assert page.missed("vgg", row(steps=8, accuracy=0.885, spikes_a_neuron=5), without=True) == "none"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "none"),
        ({"accuracy": 0.894}, "0.6 points lost"),
        ({"steps": 6}, "6 steps"),
        ({"not_spiking": ["gate (multiply)"]}, "1 ops do not spike"),
    ],
)
def test_networks_not_of_relu_have_aims_of_their_own(fields, said, page):
    integer = row(accuracy=0.89, steps=16, neurons=50)
    table = page.smooth([("mnist", "vit", {"level 2": {"chosen": row(**fields)}, "counted": {"16": integer}})])
    assert table.splitlines()[-1].endswith(f"| 89.0 | 16 | 1.50 | 200 | 2.00 | {said} |")


def test_integer_spikes_may_lose_a_point(page):
    worse = {"level 2": {"chosen": row()}, "counted": {"16": row(accuracy=0.889, steps=16)}}
    assert page.smooth([("mnist", "vit", worse)]).endswith("| 1.1 points lost by integer spikes |")
    assert page.smooth([("mnist", "vit", {"level 2": {"chosen": row()}})]).endswith("| not measured |")


def test_networks_not_of_relu_have_integer_spikes_in_place_of_other_converters(page):
    text = page.network("mnist", "vit", {"level 2": {"4": row()}, "counted": {"4": row(accuracy=0.5)}})
    assert "ann2snn" not in text
    assert "| 4 |  |  |  |  |  | 90.0 | 99.0 | 1.50 | 1.00 | 1.0 | 50.0 | 99.0 | 1.50 | 1.00 | 1.0 |" in text


def test_every_family_has_a_name_on_the_page(module, page):
    networks = module("networks")
    assert set(networks.FAMILIES) == set(page.NAMES)
    assert set(networks.SMOOTH) < set(networks.FAMILIES)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
def test_families_not_of_relu_give_logits_of_ten_classes(module):
    keras = pytest.importorskip("tensorflow").keras
    networks = module("networks")
    built = {name: networks.built(name) for name in networks.SMOOTH}
    assert {model.output_shape for model in built.values()} == {(None, 10)}
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in built["efficientnet"].layers) >= 30
    assert sum(isinstance(layer, keras.layers.MultiHeadAttention) for layer in built["vit"].layers) == 3


def test_a_page_of_part_of_the_results_leaves_the_others_empty(page):
    kept = {"level 2": {"4": row(), "chosen": row()}, "ann2snn": None, "converter": {"neurons": 0}}
    text = page.page({"networks": {"mnist": {"vgg": kept}}})
    assert "| 4 |  |  |  |  |  | 90.0 | 99.0 | 1.50 | 1.00 | 1.0 |  |  |  |" in text
    assert "makes no neuron" in text
    assert "ResNet" not in text


def test_accuracy_trains_compiles_and_writes_the_page(tmp_path, rng):
    pytest.importorskip("tensorflow")
    np.savez(tmp_path / "all.npz", **arrays(rng))
    command = [sys.executable, str(BENCHMARKS / "accuracy.py"), "--networks", "mlp", "--images", "100", "--steps", "2"]
    command += ["--data", str(tmp_path / "all.npz"), "--cache", str(tmp_path / "cache"), "--paths", "level 2"]
    command += ["--results", str(tmp_path / "r.json"), "--page", str(tmp_path / "page.md")]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert ran.returncode == 0, ran.stderr
    rows = json.loads((tmp_path / "r.json").read_text())["networks"]["fashion-mnist"]["mlp"]["level 2"]
    assert rows["2"]["model_accuracy"] > 0.9  # the bands are easy
    assert rows["2"]["accuracy"] > 0.8
    assert "MLP, 3 hidden layers" in (tmp_path / "page.md").read_text()
    again = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert again.stdout == ""  # what was measured on this code is not measured again
