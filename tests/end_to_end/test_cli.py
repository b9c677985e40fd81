"""The command line with the reference Nengo backend, on small files that the tests write."""

import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import snnc
from snnc import cli
from snnc.engine import rate
from tests import models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a model, labelled samples and an artifact of spiking neurons."""
    folder = tmp_path_factory.mktemp("cli")
    models.small_cnn(folder / "model.keras")
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, size=(24, 8, 8, 1)).astype(np.float32)
    y = snnc.import_model(folder / "model.keras").evaluate(x)["out"].argmax(axis=1)
    np.savez(folder / "samples.npz", x=x, y=y)
    assert cli._run(command(folder, "out")) == 0
    return folder


def command(folder, out, *more):
    return ["compile", str(folder / "model.keras"), "-o", str(folder / out), "--scale", "200", *more]


def run(capsys, *arguments):
    """Return (exit code, standard output, standard error) of a command."""
    code = cli._run([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def files(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def test_compile_prints_the_journal_and_writes_four_files(folder, capsys):
    code, out, err = run(capsys, *command(folder, "printed"))
    assert (code, err) == (0, f"next: snnc evaluate {folder / 'printed'} --inputs X.npz\n")
    assert "scale-rates{scale=200.0}" in out
    assert "verify: exact parts passed, spiking part not judged (random inputs cannot tell: give samples)" in out
    assert list(files(folder / "printed")) == ["graph.json", "manifest.json", "source.json", "weights.npz"]


def test_the_same_command_twice_gives_the_same_bytes_and_the_same_spikes(folder, capsys):
    first = files(folder / "out")
    assert cli._run(command(folder, "out")) == 0
    assert files(folder / "out") == first
    inputs = folder / "samples.npz"
    outputs = []
    for name, jobs in (("a.npz", "1"), ("b.npz", "2")):
        assert (
            cli._run(
                [
                    "run",
                    str(folder / "out"),
                    "--inputs",
                    str(inputs),
                    "-o",
                    str(folder / name),
                    "--steps",
                    "12",
                    "--jobs",
                    jobs,
                ]
            )
            == 0
        )
        outputs.append((folder / name).read_bytes())
    assert outputs[0] == outputs[1]
    with np.load(folder / "a.npz") as arrays:
        assert arrays["out"].shape == (24, 12, 3)


def test_rate_neurons_at_level_0_equal_the_imported_graph(folder, capsys):
    assert run(capsys, *command(folder, "rate", "--neurons", "relu", "--level", "0"))[0] == 0
    code, out, _ = run(capsys, "verify", folder / "rate", "--inputs", folder / "samples.npz", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["backend_error"] < 1e-5
    assert report["agreement"] == 1.0
    assert report["real"] is True


def test_evaluate_counts_what_the_network_does(folder, capsys):
    code, out, _ = run(
        capsys, "evaluate", folder / "out", "--inputs", folder / "samples.npz", "--steps", "60", "--json"
    )
    measured = json.loads(out)
    assert code == 0
    assert measured["model_accuracy"] == 1.0
    assert measured["accuracy"] >= 0.8
    assert len(measured["accuracy_by_step"]) == 60
    assert set(measured["rates"]) == {"conv_a", "conv_b"}
    assert 0 < measured["spikes"] < measured["synops"]
    assert (
        "accuracy of the spiking network"
        in run(capsys, "evaluate", folder / "out", "--inputs", folder / "samples.npz", "--limit", "3")[1]
    )


def test_plots_are_written_as_png_and_svg(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["evaluate", folder / "out", "--inputs", folder / "samples.npz", "--steps", "10", "--plots"]
    assert run(capsys, *arguments, tmp_path / "a")[0] == 0
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(f"{n}.{k}" for n in ("accuracy", "rates", "raster", "activations") for k in ("png", "svg"))
    assert (tmp_path / "a" / "raster.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a" / "rates.svg").read_bytes()


def test_show_prints_models_and_both_graphs_of_an_artifact(folder, capsys):
    assert "%conv_a = conv(%input)" in run(capsys, "show", folder / "model.keras")[1]
    assert "%conv_a = neurons(%conv_a.linear)" in run(capsys, "show", folder / "out")[1]
    assert "%dropout = identity" in run(capsys, "show", folder / "out", "--source")[1]


def test_show_as_run_sorts_the_nodes_and_names_what_moved_filters(folder, capsys):
    assert cli._run(command(folder, "filtered", "--synapse", "0.005")) == 0
    out = run(capsys, "show", folder / "filtered", "--as-run")[1]
    inputs, once, stepped = re.split("once:|in every step:", out)
    assert "%input = input()" in inputs
    assert "%conv_a.linear = conv(%input)" in once
    assert re.search("%[a-z_.]+.filtered = synapse.*; move-filters", stepped)


@pytest.mark.parametrize("engine", ["numpy", "program"])
def test_each_array_is_checked_once(folder, capsys, monkeypatch, tmp_path, engine):
    checked, check = [], rate._as_input
    monkeypatch.setattr(rate, "_as_input", lambda name, *rest: (checked.append(name), check(name, *rest))[1])
    samples, out = folder / "samples.npz", folder / "out"
    for command in (
        ["run", out, "--inputs", samples, "--steps", "5"],
        ["evaluate", out, "--inputs", samples, "--steps", "5", "--engine", engine, "--plots", tmp_path],
        ["verify", out, "--inputs", samples, "--steps", "60"],
        ["compile", folder / "model.keras", "-o", tmp_path / "again", "--scale", "200", "--calibration", samples],
    ):
        checked.clear()
        assert run(capsys, *command)[0] == 0, command
        assert checked == ["input"], command


def test_an_artifact_compiles_like_a_model(folder, capsys):
    code, _, _ = run(capsys, "compile", folder / "out", "-o", folder / "again", "--neurons", "relu")
    assert code == 0
    assert snnc.load(folder / "again").source == snnc.load(folder / "out").source


def test_plan_and_plugins(capsys):
    code, out, _ = run(capsys, "plan", "--level", "0", "--pass", "scale-rates{scale=5}", "--no-pass", "verify")
    assert code == 0
    assert "scale-rates{scale=5.0}" in out
    assert "fuse-linear" not in out
    code, out, _ = run(capsys, "plugins")
    assert code == 0
    assert "backends: nengo" in out


def test_options_by_layer(folder, capsys):
    assert (
        run(
            capsys,
            *command(folder, "layers", "--scale", "conv_b=50", "--neurons", "conv_a=relu", "--synapse", "conv_b=0.002"),
        )[0]
        == 0
    )
    graph = snnc.load(folder / "layers").graph
    assert graph["conv_a"].op.model.kind == "relu"
    assert graph["conv_b"].op.scale == pytest.approx(1 / 50)
    assert graph["conv_a"].op.scale == pytest.approx(1 / 200)
    assert "conv_b.synapse" in graph
    assert "conv_a.synapse" not in graph


BAD = [
    (["compile", "{}/nowhere.keras", "-o", "{}/new"], "no such file or folder"),
    (["compile", "{}", "-o", "{}/new"], "."),
    (["compile", "{}/samples.npz", "-o", "{}/new"], "."),
    (["compile", "{}/model.keras"], "[Mm]issing option"),
    (["compile", "{}/model.keras", "-o", "{}/samples.npz"], "not an snnc artifact"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--backend", "abacus"], "unknown backend 'abacus'; known: .*nengo"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--chips", "2"], "backend 'nengo': unknown option 'chips'"),
    (
        ["compile", "{}/model.keras", "-o", "{}/new", "--backend", "loihi{{chips=1}}", "--chips", "0"],
        "chips must be",
    ),
    (["compile", "{}/model.keras", "-o", "{}/new", "--pass", "magic"], "unknown pass 'magic'"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--no-pass", "magic"], "unknown pass 'magic'"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--pass", "scale-rates{{scale=x"], "cannot read"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--neurons", "spiky"], "unknown neuron 'spiky'"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--scale", "fast"], "'fast' is not a number"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--scale", "-3"], "not a positive number"),
    (
        ["compile", "{}/model.keras", "-o", "{}/new", "--scale", "conv_c=3"],
        "unknown layer 'conv_c'.*known: conv_a, conv_b",
    ),
    (["compile", "{}/model.keras", "-o", "{}/new", "--synapse", "-1"], "not a time constant"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--level", "9"], "level 9 does not exist"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--seed", "-1"], "seed must be"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--dt", "0"], "dt must be"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--steps", "0"], "steps must be"),
    (["compile", "{}/model.keras", "-o", "{}/new", "--calibration", "{}/wrong.npz"], "needs shape"),
    (["run", "{}/out", "--inputs", "{}/wrong.npz"], r"input 'input' needs shape \(batch, 8, 8, 1\), got \(2, 3\)"),
    (["run", "{}/out", "--inputs", "{}/nan.npz"], "NaN"),
    (["run", "{}/out", "--inputs", "{}/pickled.npz"], "pickled Python objects"),
    (["run", "{}/out", "--inputs", "{}/nowhere.npz"], "no such file"),
    (["run", "{}/out", "--inputs", "{}/model.keras"], "is not a numpy array"),
    (["run", "{}/out", "--inputs", "{}/samples.npz", "--steps", "0"], "steps must be"),
    (["run", "{}/model.keras", "--inputs", "{}/samples.npz"], "is a file, not an artifact"),
    (["evaluate", "{}/out", "--inputs", "{}/unlabelled.npz"], "needs labels"),
    (["verify", "{}/out", "--against-keras"], "needs the model for Keras to load: say --model FILE"),
    (["verify", "{}/out", "--against-keras", "--model", "{}/nowhere"], "no such file"),
    (["show", "{}/cut.keras"], "."),
    (["plan", "--backend", "abacus"], "unknown backend"),
    (["fly"], "[Nn]o such command"),
    (["plan", "--sideways"], "[Nn]o such option"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda v: " ".join(v[:2]) if isinstance(v, list) else "")
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(folder, capsys, arguments, message):
    np.savez(folder / "wrong.npz", x=np.zeros((2, 3)))
    np.savez(folder / "nan.npz", x=np.full((2, 8, 8, 1), np.nan))
    np.savez(folder / "pickled.npz", x=np.array([{}], dtype=object))
    np.savez(folder / "unlabelled.npz", x=np.zeros((2, 8, 8, 1)))
    whole = (folder / "model.keras").read_bytes()
    (folder / "cut.keras").write_bytes(whole[: len(whole) // 2])
    before = sorted(folder.rglob("*"))
    code, out, err = run(capsys, *(a.format(folder) for a in arguments))
    assert code == 2, out + err
    assert err.count("\n") == 1
    assert err.startswith("snnc: ")
    assert re.search(message, err), err
    assert sorted(folder.rglob("*")) == before


def test_a_model_with_nan_weights_names_the_layer(tmp_path, capsys):
    layers = [models.input_layer(2), models.dense_layer("broken", 2)]
    models.write_keras(
        tmp_path / "m.keras", models.sequential(layers), {"dense": [np.full((2, 2), np.nan), np.zeros(2)]}
    )
    code, _, err = run(capsys, "compile", tmp_path / "m.keras", "-o", tmp_path / "out")
    assert code == 2
    assert "broken" in err
    assert "NaN" in err
    assert not (tmp_path / "out").exists()


def test_unsupported_layers_are_named_all_at_once(tmp_path, capsys):
    layers = [
        models.input_layer(2),
        models.layer("Lambda", "first", function={"class_name": "__lambda__", "config": {"code": "x"}}),
        models.layer("Teleport", "second"),
    ]
    models.write_keras(tmp_path / "m.keras", models.sequential(layers), {})
    code, _, err = run(capsys, "compile", tmp_path / "m.keras", "-o", tmp_path / "out")
    assert code == 2
    assert err.count("\n") == 1
    assert all(word in err for word in ("'first' (Lambda)", "'second' (Teleport)", "importer"))


def test_a_zip_bomb_and_a_path_traversal_are_refused(tmp_path, capsys):
    for name, data in (("../evil", b"x"), ("bomb", bytes(100 << 20))):
        with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        code, _, err = run(capsys, "show", tmp_path / "m.keras")
        assert code == 2
        assert "refused" in err
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_a_full_disk_is_one_line_and_leaves_nothing(folder, tmp_path):
    """Let no file grow beyond 1 kB: the write of the weights fails as on a full disk."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from snnc import cli, compiler; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "cli.main(sys.argv[1:])"
    )
    arguments = [*command(folder, "unused")[:2], "-o", str(tmp_path / "full")]
    ran = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "cannot be written" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_module_and_the_script_are_the_same_program():
    ran = subprocess.run([sys.executable, "-m", "snnc", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"snnc {snnc.__version__}\n"


def test_a_closed_pipe_is_no_error(folder):
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "snnc", "show", str(folder / "out")], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert b"Traceback" not in ran.stderr
