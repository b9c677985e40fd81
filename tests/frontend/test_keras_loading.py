"""What Keras is given to load, and what not: nothing that a file holds or names is run, imported or read."""

import json
import zipfile

import numpy as np
import pytest

from snnc.errors import FileError, FrontendError
from snnc.frontend import keras_loading
from snnc.frontend.keras_loading import load_with_keras
from tests.frontend.against_keras import keras_2
from tests.frontend.keras_files import dense, layer, sequential, small, write_zip

LAMBDA = {"class_name": "Lambda", "config": {"name": "l", "function": ["4wAA", None, None], "function_type": "lambda"}}
THINGS = {
    "a lambda in a list": {"extra": [[{"deep": LAMBDA}]]},
    "a lambda as activation": {"activation": LAMBDA},
    "a lambda of Keras 3": {"activation": {"class_name": "__lambda__", "config": {"value": "4wAA"}}},
    "a lambda in a wrapper": {"layer": {"class_name": "TimeDistributed", "config": {"layer": LAMBDA}}},
    "a function of a module": {"activation": {"class_name": "function", "module": "os", "config": "system"}},
    "a function of Python": {"activation": {"class_name": "function", "module": "builtins", "config": "exec"}},
    "a function of Keras": {"activation": {"class_name": "function", "module": "keras.utils", "config": "get_file"}},
    "a class of a module": {"kernel_initializer": {"class_name": "Zeros", "module": "evil", "config": {}}},
    "a module alone": {"kernel_initializer": {"module": "subprocess", "config": {}}},
    "keras beside keras": {"kernel_initializer": {"class_name": "Zeros", "module": "keras_evil.layers", "config": {}}},
    "a class of Keras": {"x": {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/tmp"}}},
    "a registered class": {"x": {"class_name": "Dense", "registered_name": "pkg>Dense", "config": {}}},
    "a class of a package": {"x": {"class_name": "pkg>Dense", "config": {}}},
    "a type": {"x": {"class_name": "__typespec__", "module": "keras", "config": {}}},
    "a function of TensorFlow": {"x": {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}},
    "a node of TensorFlow": {"x": {"class_name": "TensorFlowOpLayer", "config": {"node_def": "WriteFile"}}},
    "a vocabulary in a file": {"x": {"class_name": "IntegerLookup", "config": {"vocabulary": "/etc/passwd"}}},
    "a class that is no text": {"x": {"class_name": ["Dense"], "config": {}}},
    "what compiling a model inside needs": {"compile_config": {"loss": {"class_name": "function", "config": "evil"}}},
}


@pytest.fixture
def no_keras(monkeypatch):
    """Fail a test in which Keras would be asked."""
    monkeypatch.setattr(keras_loading, "_installed", lambda: pytest.fail("Keras would have been given the file"))


@pytest.mark.parametrize("thing", THINGS)
def test_what_keras_would_run_never_reaches_it(tmp_path, rng, no_keras, thing):
    path, _, _ = small(rng, tmp_path / "model.h5", **THINGS[thing])
    with pytest.raises(FrontendError, match="not given to Keras, which would run or read what the file names"):
        load_with_keras(path)


@pytest.mark.parametrize("thing", sorted(set(THINGS) - {"what compiling a model inside needs"}))
def test_nor_from_a_zip(tmp_path, rng, no_keras, thing):
    path = write_zip(tmp_path / "model.keras", sequential(dense("dense", 2, **THINGS[thing])), {})
    with pytest.raises(FrontendError, match="not given to Keras"):
        load_with_keras(path)


def test_keras_gets_a_copy_with_nothing_but_what_was_judged(tmp_path, rng):
    document = sequential(
        layer("InputLayer", "x", batch_shape=[None, 3]), dense("dense", 2, compile_config={"evil": 1})
    )
    path = write_zip(tmp_path / "model.keras", document, {"layers/dense": [np.eye(3, 2), np.zeros(2)]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/evil.txt", "x")
    (tmp_path / "copy").mkdir()
    copy = keras_loading._judged(path, tmp_path / "copy")
    with zipfile.ZipFile(copy) as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert "compile_config" not in json.loads(archive.read("config.json"))["config"]["layers"][1]["config"]


def test_folders_and_missing_files_are_refused(tmp_path, no_keras):
    with pytest.raises(FileError, match="a folder, which Keras would run"):
        load_with_keras(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        load_with_keras(tmp_path / "nowhere.h5")


def test_keras_loads_a_plain_model_and_runs_no_lambda(tmp_path, rng):
    keras = keras_2()
    path, w, b = small(rng, tmp_path / "model.h5")
    np.testing.assert_allclose(load_with_keras(path)(np.eye(3)), w + b, rtol=1e-6)
    sprung = tmp_path / "sprung"
    trap = keras.layers.Lambda(eval(f"lambda x: (open({str(sprung)!r}, 'w').close(), x)[1]"))
    model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,)), trap])
    model.save(tmp_path / "trap.h5")
    sprung.unlink()
    with pytest.raises(FrontendError, match="class 'Lambda'"):
        load_with_keras(tmp_path / "trap.h5")
    assert not sprung.exists()
