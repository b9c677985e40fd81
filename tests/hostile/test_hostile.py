"""Files that made a reader crash, hang or take all memory once: each is one line and exit code 2 now, soon."""

import json
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import snnc
from snnc import cli, limits, ops
from snnc.errors import BudgetError, DataError, FileError, SnncError
from snnc.files import npz_bytes
from snnc.ir.graph import Graph
from tests.conftest import ROOT
from tests.frontend.keras_files import by_class, dense, functional, layer, sequential, source, write_h5, write_zip

FILES = sorted(p for p in Path(__file__).parent.iterdir() if not p.name.startswith("_") and p.suffix != ".py")
GOLDEN = ROOT / "tests" / "golden" / "v1" / "artifact"


def shown(capsys, path):
    """Run ``snnc show``; return the exit code and what was printed on stderr."""
    code = cli._run(["show", str(path)])
    out, err = capsys.readouterr()
    assert out == "" or code == 0
    return code, err


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_one_line_and_exit_code_2(capsys, path):
    start = time.monotonic()
    code, err = shown(capsys, path)
    assert code == 2
    assert err.startswith("snnc: ")
    assert err.count("\n") == 1
    assert len(err) < 500
    assert time.monotonic() - start < 20  # a hang, not a measurement: the limit inside is a few seconds


def test_all_shared_hostile_files_too(capsys, shared):
    folder = shared / "models" / "hostile"
    if not folder.is_dir():
        pytest.skip("no hostile files here")
    for path in sorted(folder.iterdir()):
        code, err = shown(capsys, path)
        assert code == 2, path
        assert err.count("\n") == 1, path


def one_layer(**fields):
    return sequential(layer("InputLayer", "x", batch_shape=[None, 4]), dense("dense", 2, **fields))


def repeated(n):
    return sequential(layer("InputLayer", "x", batch_shape=[None, 4]), layer("RepeatVector", "repeat", n=n))


def nested(depth):
    model = dense("d", 2, [[["x0", 0, 0]]])
    inside, last = [source("x0", 2), model], "d"
    for k in range(1, depth):
        twice = functional([[f"x{k - 1}", 0, 0]], [[last, 0, 0]], *inside, name=f"m{k}")
        nodes = [[[f"x{k}", 0, 0, {}]], [[f"m{k}", 0, 0, {}]]]
        inside, last = [source(f"x{k}", 2), {**twice, "inbound_nodes": nodes}], f"m{k}"
    return functional([[f"x{depth - 1}", 0, 0]], [[last, 1 if depth > 1 else 0, 0]], *inside)


RECIPES = {
    "a tensor of ten billion": (repeated(10**10), "elements of a tensor"),
    "a padding of ten billion": (
        sequential(
            layer("InputLayer", "x", batch_shape=[None, 8, 4]),
            layer("AveragePooling1D", "p", pool_size=[10**10], strides=[10**10], padding="same"),
        ),
        "padding: asks for .* elements of a tensor",
    ),
    "a number without end": (repeated(10**400), "RepeatVector|elements|cannot be read"),
    "a size that is text": (repeated("many"), "layer 'repeat'"),
    "a size that is nothing": (repeated(None), "layer 'repeat'"),
    "a size that is less than nothing": (repeated(-3), "repeat"),
    "units in lists": (one_layer(activation=[["relu"]]), "layer 'dense'"),
    "no layers": (sequential(), "no layers"),
    "no outputs": (functional([["x", 0, 0]], [], source("x", 2)), "no inputs or no outputs"),
    "a model in models, each called twice": (nested(16), "layers and nodes"),
    "layers that are a number": ({"class_name": "Sequential", "config": {"layers": 5}}, "subclassed|cannot be read"),
    "an input without elements": (
        sequential(layer("InputLayer", "x", batch_shape=[None, 0]), dense("dense", 2)),
        "without elements|cannot be read|shape",
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_config_is_refused_before_it_takes_memory(capsys, tmp_path, name):
    document, message = RECIPES[name]
    groups = {"layers/dense": [np.eye(4, 2), np.zeros(2)]} if name != "no layers" else {}
    code, err = shown(capsys, write_zip(tmp_path / "model.keras", document, groups))
    assert code == 2, err
    assert err.count("\n") == 1
    with pytest.raises(SnncError, match=message):
        snnc.import_model(tmp_path / "model.keras")


def test_the_budget_is_said_and_can_be_raised(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "model.keras", repeated(10**8), by_class({}))
    with pytest.raises(BudgetError, match=r"400,000,000 elements of a tensor.*SNNC_BUDGET=3 in the environment"):
        snnc.import_model(path)
    monkeypatch.setenv(limits.VARIABLE, "3")
    assert snnc.import_model(path)["repeat"].type.shape == (10**8, 4)
    monkeypatch.setenv(limits.VARIABLE, "much")
    with pytest.raises(SnncError, match="must be a factor"):
        snnc.import_model(path)


def test_steps_without_end_are_refused():
    compiled = snnc.load(GOLDEN)
    with pytest.raises(BudgetError, match=r"a run: asks for 1,000,000,000 steps"):
        compiled.run(np.zeros((1, 6, 6, 1)), 10**9)
    with pytest.raises(BudgetError, match="elements of outputs over all steps"):
        compiled.run(np.zeros((1000, 6, 6, 1)), 10**6)


def test_arrays_that_nobody_asked_for_are_not_unpacked(tmp_path, monkeypatch):
    (tmp_path / "x.npz").write_bytes(npz_bytes({"x": np.zeros((1, 6, 6, 1)), "z": np.zeros(9)}))
    compiled = snnc.load(GOLDEN)
    monkeypatch.setattr("snnc.files.SafeZip.read", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DataError, match="unknown input 'z'|unknown input 'x'"):
        compiled.samples(tmp_path / "x.npz")


def test_many_small_entries_are_a_bomb_together(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(3):
            archive.writestr(f"x{k}.npy", bytes(30 << 20))
    with pytest.raises(FileError, match="zip bomb"):
        snnc.load(GOLDEN).samples(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("file", "keys", "value", "message"),
    [
        ("manifest.json", ["notes"], True, "notes is True, not of type"),
        ("manifest.json", ["journal", 0, "error"], "much", r"journal\[0\].error is 'much'"),
        ("manifest.json", ["seed"], "0", "seed is '0', not of type int"),
        ("manifest.json", ["steps"], 10**10, "steps"),
        ("manifest.json", ["report", "layers"], 5, "report"),
        ("manifest.json", ["source"], [1], "source"),
        ("graph.json", ["name"], 5, "graph.name is 5, not of type str"),
        ("graph.json", ["outputs"], {}, "no output"),
        ("graph.json", ["outputs"], {"other": "logits"}, "other inputs or outputs"),
        ("graph.json", ["nodes", 0, "attrs", "shape"], "66", "input.shape is '66'"),
        ("graph.json", ["nodes", 0, "attrs", "shape"], [10**6, 10**6, 1], "elements of a tensor"),
        ("graph.json", ["nodes", 1, "attrs", "strides"], [0, 0], "strides"),
        ("graph.json", ["nodes", 1, "attrs", "kernel"], {"array": "w1"}, "damaged"),
        ("graph.json", ["nodes", 1, "attrs", "kernel"], {"array": ["w1"]}, "damaged"),
        ("graph.json", ["nodes", 1, "op"], ["conv"], "damaged"),
        ("graph.json", ["nodes", 3, "attrs", "model", "attrs", "tau"], float("nan"), "positive time constant"),
    ],
)
def test_a_value_out_of_place_in_an_artifact_is_one_line(capsys, tmp_path, file, keys, value, message):
    folder = tmp_path / "art"
    folder.mkdir()
    for path in GOLDEN.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    document = place = json.loads((folder / file).read_text())
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / file).write_text(json.dumps(document))
    code, err = shown(capsys, folder)
    assert code == 2, err
    assert err.count("\n") == 1
    with pytest.raises(SnncError, match=message):
        snnc.load(folder)


def test_a_file_inside_a_file_is_not_followed(capsys, tmp_path, rng):
    document = sequential(dense("dense", 2, batch_input_shape=[None, 3]))
    path = write_h5(tmp_path / "model.h5", document, {"dense": {"kernel:0": np.eye(3, 2), "bias:0": np.zeros(2)}})
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense/kernel:0"]
        file["model_weights/dense/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")
    code, err = shown(capsys, path)
    assert code == 2
    assert "is a link that may leave the file" in err


def test_what_an_op_remembers_counts_too():
    graph = Graph()
    graph.add("x", ops.Input(shape=(4,), dt=0.001))
    with pytest.raises(BudgetError, match="node 'd'.*a delay line: asks for"):
        graph.add("d", ops.DelayLine(taps=3, dilation=10**9), ["x"])
