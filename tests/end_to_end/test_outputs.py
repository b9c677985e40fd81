"""Each command's outputs: what they replace, and what they refuse, as the table on the command line's page says."""

import inspect
import os
import shutil
import sqlite3
import stat
from typing import get_type_hints

import numpy as np
import pytest
import typer.main

import snnc
from snnc import cli
from tests import models
from tests.conftest import ROOT

READS = {
    "compile": {"model", "--calibration", "--config"},
    "tune": {"model", "--calibration", "--labels", "--config"},
    "run": {"folder", "--inputs"},
    "evaluate": {"folder", "--inputs"},
    "verify": {"folder", "--inputs", "--model", "--exported"},
    "compare": {"folders", "--inputs"},
    "report": {"folder", "--inputs"},
    "export": {"folder", "--calibration"},
    "show": {"source", "--config"},
    "opt": {"source", "--calibration", "--config"},
    "diff": {"before", "after"},
}
WRITES = {
    "compile": {"--output", "--dump"},
    "opt": {"--output"},
    "tune": {"--output", "--storage"},
    "run": {"--output"},
    "evaluate": {"--plots"},
    "compare": {"--html"},
    "report": {"--html"},
    "export": {"--output", "--artifact"},
}


def test_every_path_that_a_command_takes_is_read_or_written_and_what_is_written_is_in_the_table():
    found = {}
    for name, command in typer.main.get_command(cli.app).commands.items():
        hints = get_type_hints(inspect.unwrap(command.callback))
        paths = [p for p in command.params if "Path" in str(hints.get(p.name))]
        found[name] = {long if (long := max(p.opts, key=len)).startswith("--") else p.name for p in paths}
    assert {name: paths for name, paths in found.items() if paths} == {
        name: READS.get(name, set()) | WRITES.get(name, set()) for name in READS
    }
    text = (ROOT / "docs" / "cli.md").read_text()
    table = text.partition("## What is written")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    for name, options in WRITES.items():
        for option in options:
            short = option.replace("--output", "-o")
            assert any(f"{name} {short}" in row for row in rows), (name, option)
    for name in found.keys() - WRITES.keys():
        assert f"`{name}`" in table, name


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a model, samples, and what each command writes."""
    folder = tmp_path_factory.mktemp("made")
    models.small_cnn(folder / "model.keras")
    x = np.random.default_rng(1).uniform(0, 1, size=(48, 8, 8, 1)).astype(np.float32)
    y = snnc.import_model(folder / "model.keras").evaluate(x)["out"].argmax(axis=1)
    np.savez(folder / "x.npz", x=x, y=y)
    compiled = snnc.compile(folder / "model.keras", scale=200, verify=False)
    compiled.save(folder / "artifact")
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """Return a folder of copies, which the test is in."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def tree(folder):
    """Return all that is below a folder: contents of files, and what links lead to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else stat.S_IFMT(path.stat().st_mode)
    return found


def refused(capsys, here, words, said=""):
    """Run a command that has to refuse its output in one line, and leave everything as it is."""
    before = tree(here)
    code = cli._run(words)
    err = capsys.readouterr().err
    assert code == 2, err
    (error,) = [line for line in err.splitlines() if not line.startswith("output ")]  # what tune takes it for
    assert error.startswith("snnc: ")
    assert said in error
    assert tree(here) == before


def artifact_with(here, name, content=b"x"):
    """Return the name of an artifact that holds one more file."""
    shutil.copytree(here / "artifact", here / "more")
    (here / "more" / name).parent.mkdir(exist_ok=True)
    (here / "more" / name).write_bytes(content)
    return "more"


def folder_with(here, name, content=b"x"):
    (here / "mine").mkdir()
    (here / "mine" / name).write_bytes(content)
    return "mine"


def link_to(here, target):
    (here / "link").symlink_to(target)
    return "link"


NOT_ARTIFACTS = {
    "a folder with a file of that name": lambda here: folder_with(here, "manifest.json"),
    "a folder with JSON of that name": lambda here: folder_with(here, "manifest.json", b'{"format": "mine"}'),
    "a folder of other files": lambda here: folder_with(here, "thesis.tex"),
    "an artifact with a text": lambda here: artifact_with(here, "thesis.tex"),
    "an artifact with a repository": lambda here: artifact_with(here, ".git/HEAD"),
    "an artifact with the model in it": lambda here: artifact_with(here, "model.keras"),
    "a link to a folder of other files": lambda here: link_to(here, folder_with(here, "thesis.tex")),
    "the model": lambda here: "model.keras",
    "the samples": lambda here: "x.npz",
    "a device": lambda here: "/dev/null",
    "the folder that we are in": lambda here: ".",
    "the folder above": lambda here: "..",
    "a name below a file": lambda here: "x.npz/out",
    "the root": lambda here: "/",
}
DUMPING = ["compile", "model.keras", "--scale", "200", "--no-verify", "-o", "new", "--dump"]
OPTING = ["opt", "artifact", "--source", "--pass", "split-activations", "-o"]


@pytest.mark.parametrize("command", [DUMPING, OPTING], ids=["--dump", "opt"])
@pytest.mark.parametrize("what", NOT_ARTIFACTS)
def test_dumps_and_graphs_replace_nothing_but_their_like(here, capsys, command, what):
    if command is OPTING and what in ("the model", "the samples"):  # no part of what is read, but no graph folder
        refused(capsys, here, [*command, NOT_ARTIFACTS[what](here)], "is not a saved graph")
    else:
        refused(capsys, here, [*command, NOT_ARTIFACTS[what](here)])


def test_dumps_and_graphs_replace_their_like_and_are_no_part_of_an_artifact(here, capsys):
    for _ in range(2):
        assert cli._run([*DUMPING, "dump"]) == 0, capsys.readouterr().err
        assert cli._run([*OPTING, "graph"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    refused(capsys, here, [*DUMPING, "new/dump"], "lies in new")
    refused(capsys, here, [*DUMPING, "artifact"], "is not a dump of snnc's")
    refused(capsys, here, [*OPTING, "artifact"], "is what is read")
    refused(capsys, here, ["opt", "graph", "--pass", "split-activations", "-o", "new"], "is no part of a saved graph")


MAKING = {
    "compile": ["compile", "model.keras", "--scale", "200", "--no-verify", "-o"],
    "tune": ["tune", "model.keras", "--calibration", "x.npz", "--trials", "1", "-o"],
}


@pytest.mark.parametrize("command", MAKING)
@pytest.mark.parametrize("what", NOT_ARTIFACTS)
def test_a_command_that_makes_an_artifact_refuses(here, capsys, command, what):
    refused(capsys, here, [*MAKING[command], NOT_ARTIFACTS[what](here)])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_model_is_not_replaced_whatever_it_is(here, capsys):
    for model, output in (("artifact", "artifact"), ("artifact", "artifact/new"), ("link", "artifact")):
        if model == "link":
            link_to(here, "artifact")
        refused(capsys, here, ["compile", model, "--no-verify", "-o", output], "read")


def test_compile_replaces_artifacts_and_empty_folders_and_what_links_lead_to(here, capsys):
    (here / "empty").mkdir()
    link_to(here, "artifact")
    for output in ("new", "new", "deep/new", "empty", "artifact", "link"):
        assert cli._run([*MAKING["compile"], output]) == 0, capsys.readouterr().err
        assert sorted(os.listdir(output)) == ["graph.json", "manifest.json", "source.json", "weights.npz"]
    assert os.path.islink("link")


def test_tune_refuses_to_replace_a_front_or_a_storage_that_is_none(here, capsys, tmp_path):
    (here / "new.front.json").write_text("{}")
    refused(capsys, here, [*MAKING["tune"], "new"], "no result of snnc")
    (here / "new.front.json").unlink()
    pytest.importorskip("optuna")
    for name, make in (("mine.db", _database), ("x.npz", lambda path: None)):
        make(here / name)
        words = [*MAKING["tune"], "new", "--neurons", "soft-reset-if", "--storage", name]
        refused(capsys, here, words, name)


def _database(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mine (x INTEGER)")
    database.commit()
    database.close()


def test_tune_replaces_its_own_artifact_and_front(here, capsys):
    for _ in range(2):
        assert cli._run([*MAKING["tune"], "new"]) in (0, 1), capsys.readouterr().err
        assert {"new", "new.front.json"} <= set(os.listdir())
    assert not [name for name in os.listdir() if name.startswith(".")]


RUNNING = ["run", "artifact", "--inputs", "x.npz", "--limit", "2", "--steps", "2", "-o"]
NOT_RESULTS = {
    "an npz": lambda here: ((here / "y.npz").write_bytes((here / "x.npz").read_bytes()), "y.npz")[1],
    "a text": lambda here: ((here / "y.npz").write_text("x"), "y.npz")[1],
    "a model": lambda here: "model.keras",
    "a link to a text": lambda here: ((here / "y").write_text("x"), link_to(here, "y"))[1],
}
NEVER_RESULTS = {
    "the inputs": lambda here: "x.npz",
    "a link to the inputs": lambda here: link_to(here, "x.npz"),
    "a part of the artifact": lambda here: "artifact/weights.npz",
    "a new file in the artifact": lambda here: "artifact/y.npz",
    "a new file behind a link to the artifact": lambda here: f"{link_to(here, 'artifact')}/y.npz",
    "a folder": lambda here: folder_with(here, "thesis.tex"),
    "a folder that is not there": lambda here: "deep/y.npz",
}


@pytest.mark.parametrize("what", {**NOT_RESULTS, **NEVER_RESULTS})
def test_run_refuses(here, capsys, what):
    output = {**NOT_RESULTS, **NEVER_RESULTS}[what](here)
    refused(capsys, here, [*RUNNING, output])
    if what in NEVER_RESULTS:
        refused(capsys, here, [*RUNNING, output, "--force"])
    else:
        assert cli._run([*RUNNING, output, "--force"]) == 0
        with np.load(output) as arrays:
            assert arrays["out"].shape == (2, 2, 3)


def test_run_replaces_results_and_empty_files_and_writes_through_links_and_devices(here, capsys):
    (here / "empty.npz").touch()
    link_to(here, "new.npz")
    for output in ("new.npz", "new.npz", "empty.npz", "link"):
        assert cli._run([*RUNNING, output]) == 0, capsys.readouterr().err
        with np.load(output) as arrays:
            assert arrays["out"].shape == (2, 2, 3)
    assert os.path.islink("link")
    assert cli._run([*RUNNING, "/dev/null"]) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    capsys.readouterr()
    refused(capsys, here, ["run", "artifact", "--inputs", "new.npz", "-o", "new.npz"], "is what is read")


def test_evaluate_writes_its_pictures_beside_others_and_over_its_own(here, capsys):
    pytest.importorskip("matplotlib")
    evaluating = ["evaluate", "artifact", "--inputs", "x.npz", "--limit", "4", "--steps", "4", "--plots"]
    folder_with(here, "thesis.png")
    for _ in range(2):
        assert cli._run([*evaluating, "mine"]) == 0, capsys.readouterr().err
    assert (here / "mine" / "thesis.png").read_bytes() == b"x"
    (here / "mine" / "raster.svg").write_text("mine")
    capsys.readouterr()
    for output in ("mine", "artifact", "artifact/new", "x.npz"):
        refused(capsys, here, [*evaluating, output])
    assert cli._run([*evaluating, "mine", "--force"]) == 0
    assert (here / "mine" / "raster.svg").read_text() != "mine"


def test_export_replaces_what_it_wrote_and_refuses_all_else(here, capsys):
    pytest.importorskip("tensorflow")
    making = ["compile", "model.keras", "--backend", "tensorflow", "--scale", "200", "--no-verify", "-o", "artifact"]
    assert cli._run(making) == 0
    for _ in range(2):
        assert cli._run(["export", "artifact", "-o", "saved"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    shutil.copytree("saved", "mine")
    (here / "mine" / "variables" / "thesis.tex").write_text("x")
    shutil.copytree("saved", "theirs")
    (here / "theirs" / "snnc.json").unlink()
    for output in ("mine", "theirs", "artifact", "artifact/new", "x.npz", ".", "/dev/null"):
        refused(capsys, here, ["export", "artifact", "-o", output])
