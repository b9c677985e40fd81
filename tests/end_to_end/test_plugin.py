"""The example plugin, a distribution of its own, through the command line."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import snnc
from snnc import cli
from snnc.registry import Registry
from tests import models


@pytest.fixture
def model(tmp_path):
    """Return a file with a custom Keras layer that only the plugin can read."""
    rng = np.random.default_rng(0)
    layers = [
        models.input_layer(3),
        models.dense_layer("first", 4),
        models.layer("Distance", "distance", registered="example>Distance"),
        models.dense_layer("out", 2),
    ]
    weights = {
        "dense": [rng.normal(size=(3, 4)), rng.normal(size=4)],
        "distance": [rng.normal(size=4)],
        "dense_1": [rng.normal(size=(4, 2)), rng.normal(size=2)],
    }
    path = models.write_keras(tmp_path / "model.keras", models.sequential(layers), weights)
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(8, 3)))
    return path, weights


@pytest.fixture
def tf():
    """Return TensorFlow, where it and NengoDL are installed."""
    tensorflow = pytest.importorskip("tensorflow")
    pytest.importorskip("nengo_dl")
    return tensorflow


def test_the_plugin_is_installed_and_listed(capsys):
    assert cli._run(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "example (snnc-example 0.1.0)" in out
    assert "example>Distance" in out
    assert "split-distance" in out


def test_without_the_plugin_the_layer_is_refused_with_the_remedy(model):
    alone = Registry.discover([("builtin", __import__("snnc.builtin").builtin)], installed=False)
    with pytest.raises(snnc.SnncError, match="layer 'distance' .*Distance.*importer"):
        snnc.import_model(model[0], registry=alone)


def test_the_importer_reads_the_layer_and_the_op_computes_it(model):
    path, weights = model
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    (w1, b1), (centre,), (w2, b2) = weights.values()
    want = np.abs(x @ w1 + b1 - centre) @ w2 + b2
    assert np.allclose(snnc.import_model(path).evaluate(x)["out"], want, atol=1e-5)


def test_the_host_runs_the_op_and_the_pass_makes_it_spike(model, tmp_path, capsys):
    path, _ = model
    data = ["--inputs", str(tmp_path / "x.npz")]
    assert cli._run(["compile", str(path), "-o", str(tmp_path / "host"), "--level", "0"]) == 0
    assert snnc.load(tmp_path / "host").graph["distance"].op.kind == "distance"
    capsys.readouterr()
    assert cli._run(["verify", str(tmp_path / "host"), *data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend_error"] < 1e-5

    spiking = ["compile", str(path), "-o", str(tmp_path / "spiking"), "--pass", "split-distance", "--scale", "500"]
    assert cli._run([*spiking, "--neurons", "relu"]) == 0
    capsys.readouterr()
    assert cli._run(["verify", str(tmp_path / "spiking"), *data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend_error"] < 1e-5
    assert cli._run(spiking) == 0
    graph = snnc.load(tmp_path / "spiking").graph
    assert [node.name for node in graph if node.op.kind == "neurons"] == ["distance.above", "distance.below"]
    assert "snnc-example" in (tmp_path / "spiking" / "manifest.json").read_text()


def test_a_note_names_an_op_that_the_backend_has_no_lowering_for_and_strict_refuses_it(model, tf):
    path, _ = model
    for backend in ("nengo", "nengo-dl", "tensorflow"):
        compiled = snnc.compile(path, backend=backend, level=0, verify=False, build=False)
        note = f"distance (distance): on the host, in numpy; {backend} has no lowering for it"
        assert [line for line in compiled.notes if "distance" in line] == [note]
    compiled = snnc.compile(path, backend="tensorflow", level=0)
    assert compiled.report["backend_error"] < 1e-6
    with pytest.raises(snnc.SnncError, match="cannot export: distance .* in numpy"):
        compiled.export("nowhere")
    with pytest.raises(snnc.SnncError, match=r"strict: .*distance \(distance\)"):
        snnc.compile(path, strict=True, level=0)


def test_an_activation_is_a_class_and_an_importer_and_runs_everywhere(tmp_path, tf):
    rng = np.random.default_rng(2)
    layers = [
        models.input_layer(3),
        models.dense_layer("first", 4),
        models.layer("Snake", "snake", registered="example>Snake", frequency=2.0),
        models.dense_layer("out", 2),
    ]
    (w1, b1), (w2, b2) = weights = [[rng.normal(size=(i, o)), rng.normal(size=o)] for i, o in ((3, 4), (4, 2))]
    path = models.write_keras(
        tmp_path / "model.keras", models.sequential(layers), {"dense": weights[0], "dense_1": weights[1]}
    )
    x = rng.normal(size=(5, 3)).astype(np.float32)
    inner = x @ w1 + b1
    want = (inner + np.sin(2 * inner) ** 2 / 2) @ w2 + b2
    assert np.allclose(snnc.import_model(path).evaluate(x)["out"], want, atol=1e-5)
    for backend in ("nengo", "nengo-dl", "tensorflow"):
        compiled = snnc.compile(path, backend=backend, level=1)
        assert np.allclose(compiled.predict(x), want, atol=1e-5), backend
        assert [note for note in compiled.notes if "no lowering" in note] == []
    compiled.export(tmp_path / "saved")
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1].keys() - {"steps"}
    got = serve(**{name: tf.constant(x), "steps": tf.constant(1)})
    assert np.allclose(next(iter(got.values())), want, atol=1e-5)


def test_an_option_of_the_pass_is_parsed_from_its_field(model, tmp_path):
    command = ["compile", str(model[0]), "-o", str(tmp_path / "out"), "--no-verify"]
    assert cli._run([*command, "--pass", "split-distance{gain=2}"]) == 0
    entry = json.loads((tmp_path / "out" / "manifest.json").read_text())["journal"][2]
    assert entry["name"] == "split-distance{gain=2.0}"
    assert cli._run([*command, "--pass", "split-distance{gain=much}"]) == 2


def test_every_command_warns_in_one_line_of_a_plugin_that_fails_to_load(model, tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[snnc]\nmine = broken_plugin\n")
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('boom')\n")
    warning = "plugin 'mine' of broken 1.0 is left out: RuntimeError: boom"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    compiling = ["compile", str(model[0]), "-o", str(tmp_path / "out"), "--no-verify"]
    for command in (compiling, ["show", str(tmp_path / "out")], ["plan"], ["plugins"]):
        ran = subprocess.run([sys.executable, "-m", "snnc", *command], env=environment, capture_output=True, text=True)
        warned, following = ran.stderr.splitlines()
        assert (ran.returncode, warned) == (0, f"snnc: {warning}"), command
        assert following.startswith("next: snnc ")
    assert snnc.load(tmp_path / "out").notes[0] == warning
