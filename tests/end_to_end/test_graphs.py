"""``snnc opt`` and ``snnc diff``, and the lines that ``--verbose`` prints."""

import json
import logging
import shutil

import numpy as np
import pytest

import snnc
from snnc import cli
from tests import models


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a model and an artifact."""
    folder = tmp_path_factory.mktemp("made")
    models.small_cnn(folder / "model.keras")
    snnc.compile(folder / "model.keras", scale=200, verify=False).save(folder / "artifact")
    return folder


@pytest.fixture
def snnc_command(made, tmp_path, monkeypatch, capsys):
    """Return a function that runs a command in a folder of copies and returns its exit code, output and errors."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")

    def run(*words):
        capsys.readouterr()
        code = cli._run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_opt_runs_the_named_passes_alone_in_the_order_given(snnc_command):
    words = ["swap-activations", "split-activations"]
    code, out, err = snnc_command("opt", "model.keras", "--pass", words[0], "--pass", words[1])
    assert code == 0
    assert [line.partition(":")[0].partition("{")[0] for line in err.splitlines()] == [*words, "next"]
    assert "changed nothing" in err.splitlines()[0]
    assert "the outputs in rate mode moved by 0 of the largest" in err
    assert " = relu(" in out
    assert "neurons(" not in out
    code, out, err = snnc_command("opt", "model.keras", "--pass", "split-activations", "--pass", "swap-activations")
    assert (code, " = relu(" in out, "neurons(" in out) == (0, False, True)


def test_what_opt_writes_is_read_by_opt_show_diff_and_compile(snnc_command):
    split = ("opt", "model.keras", "--pass", "split-activations")
    shown = snnc_command(*split)[1]
    code, out, _ = snnc_command(*split, "-o", "graph")
    assert (code, out) == (0, "wrote graph\n")
    for graph in ("graph", "graph/graph.json"):
        assert snnc_command("show", graph)[:2] == (0, shown)
    assert snnc_command("opt", "graph", "--pass", "insert-synapses")[:2] == (0, shown)
    assert snnc_command("diff", "graph", "graph")[:2] == (0, "")
    assert snnc_command("compile", "graph", "--scale", "200", "--no-verify", "-o", "new")[0] == 0
    assert snnc_command("diff", "new", "artifact")[:2] == (0, "")


def test_opt_takes_the_compiled_graph_of_an_artifact_or_the_imported_one(snnc_command):
    assert "neurons(" in snnc_command("opt", "artifact", "--pass", "drop-identities")[1]
    assert "neurons(" not in snnc_command("opt", "artifact", "--source", "--pass", "drop-identities")[1]


def test_a_pass_that_measures_gets_the_samples_or_made_up_ones(snnc_command):
    np.savez("x.npz", x=np.random.default_rng(0).uniform(0, 1, size=(48, 8, 8, 1)))
    passes = ("split-activations", "swap-activations", "calibrate-scales", "fuse-linear", "calibrate-biases")
    measuring = ("opt", "model.keras", *(word for name in passes for word in ("--pass", name)))
    made, given, again = (snnc_command(*measuring, *more) for more in ((), *2 * [("--calibration", "x.npz")]))
    assert given == again
    assert given[1] != made[1]
    assert "note: " in made[2]
    assert "note: " not in given[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pass", "fuse-liner"], "unknown pass 'fuse-liner' (did you mean 'fuse-linear'?)"),
        (["--pass", "verify"], "use snnc verify"),
        (["--pass", "insert-synapses{synapse.nowhere=0.1}"], "unknown layer 'nowhere'"),
        (["--pass", "initial-voltage{voltage=high}"], "a number"),
        (["--pass", "fuse-linear", "--backend", "mine"], "unknown backend"),
        (["--pass", "fuse-linear", "--dt", "-1"], "dt must be seconds"),
        ([], "--pass"),
    ],
)
def test_what_cannot_be_run_is_one_line(snnc_command, words, said):
    code, out, err = snnc_command("opt", "model.keras", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_diff_says_what_differs_and_exits_with_1(snnc_command):
    code, out, _ = snnc_command("diff", "artifact/source.json", "artifact")
    assert code == 1
    assert out.startswith("--- artifact/source.json (")
    assert any(line.startswith("+ ") and "neurons(" in line for line in out.splitlines())
    assert snnc_command("diff", "model.keras", "artifact/source.json")[:2] == (0, "")
    assert snnc_command("diff", "--source", "model.keras", "artifact")[:2] == (0, "")
    assert snnc_command("diff", "model.keras", "nowhere")[0] == 2


def test_a_reproducer_is_data_that_may_be_damaged_and_is_not_told_twice(snnc_command):
    failing = ("compile", "model.keras", "--neurons", "soft-reset-if", "--level", "2", "-o", "new", "--dump", "d")
    assert snnc_command(*failing, "--pass", "insert-synapses{synapse.nowhere=1}")[0] == 2
    again = ("opt", "d/reproducer", "--pass", "calibrate-scales")
    assert snnc_command(*again)[0] == 0
    assert "says what its pass was told" in snnc_command(*again, "--steps", "3")[2]
    with open("d/reproducer/context.json") as file:
        text = file.read()
    for key, value in json.loads(text).items():
        for wrong in ([[]], {"a": [1]}, None, "../../x", -1):
            damaged = json.dumps({**json.loads(text), key: wrong})
            if wrong == value or damaged == text:
                continue
            with open("d/reproducer/context.json", "w") as file:
                file.write(damaged)
            code, _, err = snnc_command(*again)
            assert code in (0, 2), (key, wrong, err)
            assert err.count("\n") == 1 + (code == 0), (key, wrong, err)
    with open("d/reproducer/context.json", "w") as file:
        file.write(text)
    with np.load("d/reproducer/samples.npz") as arrays:
        kept = dict(arrays)
    for name, x in kept.items():
        for wrong in (x[:, :1], x[:0], x.astype(str), x * np.nan, None):
            np.savez("d/reproducer/samples.npz", **{k: v for k, v in {**kept, name: wrong}.items() if v is not None})
            code, _, err = snnc_command(*again)
            assert (code, err.count("\n")) == (2, 1), (name, wrong, err)


def test_verbose_tells_a_line_a_pass_and_nothing_without_it(snnc_command, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("snnc"), "level", logging.NOTSET)
    compiling = ("compile", "model.keras", "--scale", "200", "--no-verify", "-o", "new")
    snnc_command(*compiling)
    assert not caplog.records
    assert snnc_command(*compiling, "-v")[0] == 0
    lines = [record.getMessage() for record in caplog.records if record.name == "snnc.passes.pipeline"]
    compiled = snnc.load("new")
    assert [line.partition(":")[0] for line in lines] == [entry.name for entry in compiled.journal]
    assert "split-activations: changed, " in lines[0]
    assert lines[0].endswith(" ms")
    assert [": changed, " in line for line in lines] == [entry.changed for entry in compiled.journal]
    logging.getLogger("snnc").setLevel(logging.NOTSET)


@pytest.mark.parametrize("how", ["by hand", "calibrated"])
def test_the_passes_of_a_compilation_one_by_one_give_the_same_bits(snnc_command, how):
    x = np.random.default_rng(0).uniform(0, 1, size=(48, 8, 8, 1))
    np.savez("x.npz", x=x)
    samples = () if how == "by hand" else ("--calibration", "x.npz")
    settings = ("--scale", "200", "--synapse", "0.005") if how == "by hand" else samples
    assert snnc_command("compile", "model.keras", *settings, "--no-verify", "-o", "new")[0] == 0
    words = [word for entry in snnc.load("new").journal for word in ("--pass", entry.name)]
    assert snnc_command("opt", "model.keras", *words, *samples, "-o", "graph")[0] == 0
    assert snnc_command("diff", "new", "graph")[:2] == (0, "")
