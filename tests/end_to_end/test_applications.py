"""Every architecture of keras.applications, from its saved file, against Keras: ``make applications``.

Weights are random, and so are the BatchNorm statistics, but near those of random images: what reaches the outputs
depends on every layer. What spikes of each is compared with docs/applications.json, which
benchmarks/applications.py measured with samples.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.analysis.census import census
from tests.conftest import ROOT, calls
from tests.frontend.against_keras import keras_2
from tests.frontend.loading import relative_error

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # TensorFlow's own

TABLE = ROOT / "docs" / "applications.json"
TOLERANCE = 1e-4
REGNETS = ("002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320")
FAMILIES = {
    "ConvNeXt": "Tiny Small Base Large XLarge",
    "DenseNet": "121 169 201",
    "EfficientNet": "B0 B1 B2 B3 B4 B5 B6 B7 V2B0 V2B1 V2B2 V2B3 V2S V2M V2L",
    "Inception": "V3 ResNetV2",
    "MobileNet": " V2 V3Small V3Large",
    "NASNet": "Mobile Large",
    "RegNet": " ".join(f"{kind}{size}" for kind in "XY" for size in REGNETS),
    "ResNet": "50 101 152 50V2 101V2 152V2 RS50 RS101 RS152 RS200 RS270 RS350 RS420",
    "VGG": "16 19",
    "Xception": "",
}
ARCHITECTURES = [f"{family}{member}" for family, members in FAMILIES.items() for member in members.split(" ")]


@pytest.fixture(scope="module")
def keras():
    return keras_2()


def made(keras, name, size):
    """Return a model with random weights, its BatchNorm statistics a random factor away from those of noise."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    for weight in model.trainable_weights:
        if weight.shape.rank == 1:
            middle, width = (1.0, 0.5) if "gamma" in weight.name else (0.0, 0.2)
            weight.assign(rng.uniform(middle - width, middle + width, size=weight.shape))
    norms = [layer for layer in model.submodules if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(images(rng, 4, size), training=True)
    for norm in norms:
        norm.momentum = 0.99
        norm.moving_variance.assign(norm.moving_variance * rng.uniform(0.5, 2, size=norm.moving_variance.shape) + 0.1)
    return model, images(rng, 1, size)


def images(rng, count, size):
    return rng.uniform(0, 255, size=(count, size, size, 3)).astype(np.float32)


def imported(path, monkeypatch):
    """Import a file while TensorFlow and Keras cannot be; return the graph."""
    with monkeypatch.context() as patch:
        for package in ("tensorflow", "keras"):
            patch.setitem(sys.modules, package, None)
        return snnc.import_model(path)


def only(outputs):
    (value,) = outputs.values()
    return value


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path, save_format="h5" if path.suffix == ".h5" else "keras_v3")


def row(graph):
    """Return what the table says of a compiled network."""
    found = census(graph)
    return {
        "neurons": found.neurons,
        "multiply_adds": found.multiply_adds,
        "spiking_share": round(found.spiking_share, 4),
        "input_share": round(found.input_share, 4),
        "not_spiking": len(found.host) + len(found.rate) + len(found.valued),
    }


@pytest.fixture
def folder():
    """Return a folder that is gone after the test: all models together are some 30 GB."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def table():
    """Return the rows by architecture."""
    return json.loads(TABLE.read_text())["rows"]


def test_the_list_is_complete(keras):
    assert sorted(ARCHITECTURES) == sorted(name for name in dir(keras.applications) if name[0].isupper())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture(keras, table, folder, monkeypatch, name):
    measured = table[name]
    model, x = made(keras, name, measured["size"])
    want = model(x, training=False).numpy()
    assert np.ptp(want) > 1e-3 * np.abs(want).max()
    for suffix in ("h5", "keras"):
        save(model, folder / f"m.{suffix}")
    del model
    keras.backend.clear_session()
    gc.collect()
    graph = imported(folder / "m.h5", monkeypatch)
    assert relative_error(only(graph.evaluate(x)), want) < TOLERANCE
    assert imported(folder / "m.keras", monkeypatch) == graph
    exact = snnc.compile(graph, neurons="relu", build=False, verify=False).graph
    assert relative_error(only(exact.evaluate(x)), want) < TOLERANCE
    del exact
    found = row(snnc.compile(graph, build=False, verify=False).graph)
    if name in ("ResNet50", "EfficientNetB0"):
        assert calls(snnc.import_model, folder / "m.h5") < 1500 * len(graph)  # in 2026 some 1,000 and 1,140 a node
    if "spiking_share" in measured:
        wanted = {**measured, "not_spiking": sum(measured["not_spiking"].values())}
        assert found == {key: wanted[key] for key in found}
