"""Every command's help ends with examples that run, and every command names a next step that runs."""

import importlib.util
import io
import json
import re
import shlex
import shutil

import numpy as np
import pytest
import typer

import snnc
from snnc import cli, ops
from snnc.testing import chain
from tests import models
from tests.conftest import dense

COMMANDS = typer.main.get_group(cli.app).commands
NEEDS = {
    "out-tensorflow": "tensorflow",
    "--against-keras": "tensorflow",
    ".html": "vl_convert",
    "--backend loihi": "nengo_loihi",
}
"""Packages that an example needs, by a word of it."""


def examples(command):
    """Return the command lines at the end of a command's help."""
    title, *lines = command.epilog.split("\n\n")
    assert title == ("Examples:" if len(lines) > 1 else "Example:")
    return lines


LINES = [line for command in COMMANDS.values() for line in examples(command)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with all that the examples read."""
    folder = tmp_path_factory.mktemp("help")
    models.small_cnn(folder / "model.keras")
    x = np.random.default_rng(1).uniform(0, 1, size=(48, 8, 8, 1)).astype(np.float32)
    y = snnc.import_model(folder / "model.keras").evaluate(x)["out"].argmax(axis=1)
    np.savez(folder / "samples.npz", x=x, y=y)
    np.savez(folder / "unlabelled.npz", x=x)
    snnc.compile(folder / "model.keras", calibration=folder / "samples.npz").save(folder / "out")
    snnc.compile(folder / "model.keras", neurons="spiking-relu", scale=100).save(folder / "classic")
    snnc.compile(folder / "model.keras", neurons="spiking-relu", scale=1).save(folder / "poor")
    snnc.load(folder / "out").export(folder / "net.nir", "nir")
    return folder


@pytest.fixture
def copied(folder, tmp_path, monkeypatch):
    """Return a copy of that folder, which is where we are then."""
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def ran(capsys, line):
    """Return (standard output, the next step) of a command line that has to succeed."""
    for word, package in NEEDS.items():
        if word in line and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    capsys.readouterr()
    code = cli._run(shlex.split(line)[1:])
    out, err = capsys.readouterr()
    assert code == 0 or (code == 1 and line.startswith("snnc diff ")), out + err
    found = re.findall("^next: (.*)$", err, flags=re.MULTILINE)
    return out, found


@pytest.mark.parametrize("name", [None, *COMMANDS])
@pytest.mark.parametrize("width", [80, 200])
def test_the_help_ends_with_the_examples_in_lines_of_their_own(name, width, capsys, monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", width)
    command = typer.main.get_group(cli.app) if name is None else COMMANDS[name]
    cli._run([*([] if name is None else [name]), "--help"])
    shown = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    wanted = examples(command)
    assert shown[-len(wanted) :] == wanted
    assert all(line.startswith(f"snnc {name or ''}".strip()) for line in wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
@pytest.mark.parametrize("line", LINES)
def test_an_example_runs_and_so_does_the_next_step_that_it_names(line, copied, example, capsys):
    if "out-tensorflow" in line:
        ran(capsys, "snnc compile model.keras --backend tensorflow --scale 100 -o out-tensorflow")
    if "--against-keras" in line:  # which takes a file that Keras wrote
        shutil.copy(example / "mnist_cnn.keras", "model.keras")
        shutil.copy(example / "samples.npz", "samples.npz")
        ran(capsys, "snnc compile model.keras -o out")
    out, found = ran(capsys, line)
    if "--json" in line:
        json.loads(out)
        assert not found
        return
    (following,) = found
    if following.startswith("snnc "):
        given = following.replace("X.npz", "samples.npz").replace("MODEL.keras", "model.keras").replace("NAME", "nengo")
        ran(capsys, given)
    else:
        assert re.match("give net.nir to |python -c |open .*html in a browser", following)


class Terminal(io.StringIO):
    """Standard output that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def long_names(folder):
    """Return a folder with artifacts whose layers have the names that people give them, and worse ones."""
    rng, names = (
        np.random.default_rng(3),
        ["block_1/a_name_of_many_words_conv2d_batch_norm_relu", "<b>ö[x]</b>", "n" * 120],
    )
    parts = [ops.Input(shape=(8,)), *(dense(rng, 8, 8, ops.Relu()) for _ in names), dense(rng, 8, 3)]
    graph = chain(*parts, names=["image", *names, "classes"])
    x = rng.uniform(0, 1, size=(60, 8)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=graph.evaluate(x)["classes"].argmax(axis=1))
    snnc.compile(graph, calibration=folder / "x.npz").save(folder / "long")
    snnc.compile(graph, neurons="spiking-relu", scale=1).save(folder / "long-poor")
    return folder


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "line",
    [
        "compile long --calibration x.npz --task classes -o again",
        "tune long --calibration x.npz -o tuned",
        "run long --inputs x.npz",
        "evaluate long-poor --inputs x.npz",
        "verify long --inputs x.npz",
        "compare long long-poor --inputs x.npz",
        "plan",
        "plugins",
    ],
)
def test_what_is_printed_fits_the_terminal(line, width, long_names, tmp_path, monkeypatch):
    monkeypatch.chdir(long_names)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    words = [str(tmp_path / word) if word in ("again", "tuned") else word for word in shlex.split(line)]
    assert cli._run(words) == 0
    shown = [row for row in terminal.getvalue().splitlines() if not re.match("wrote|snnc|the front is in", row)]
    assert len(shown) > 2
    assert max(map(len, shown)) <= width, max(shown, key=len)
    assert "\x1b" not in terminal.getvalue()


def test_a_poor_network_is_followed_by_what_helps(copied, capsys):
    _, (line,) = ran(capsys, "snnc compare classic poor out --inputs samples.npz --task classes")
    assert line == "snnc report out --inputs samples.npz -o out.html --task classes"
    _, (line,) = ran(capsys, "snnc evaluate poor --inputs samples.npz --task classes --steps 5")
    assert line == "snnc compile poor --backend nengo --calibration samples.npz -o poor-calibrated --task classes"
    _, (line,) = ran(capsys, line)
    assert line == "snnc evaluate poor-calibrated --inputs samples.npz --task classes"
    _, (line,) = ran(capsys, line)
    assert line == "snnc report poor-calibrated --inputs samples.npz -o poor-calibrated.html --task classes"


def test_what_was_calibrated_is_shown_for_its_steps_searched_or_shown_for_more(copied, capsys, monkeypatch):
    _, (line,) = ran(capsys, "snnc compile model.keras --calibration samples.npz --steps 6 -o six")
    monkeypatch.setattr("snnc.cli.next_step._good", lambda measured: False)
    _, (line,) = ran(capsys, "snnc evaluate six --inputs samples.npz --steps 2")
    assert line == "snnc evaluate six --inputs samples.npz"
    _, (line,) = ran(capsys, line)
    assert line == "snnc tune six --backend nengo --calibration samples.npz -o six-tuned"
    soft = "snnc compile model.keras --calibration samples.npz --neurons soft-reset-if --steps 6 -o soft"
    _, (line,) = ran(capsys, soft)
    _, (line,) = ran(capsys, line)
    assert line == "snnc evaluate soft --inputs samples.npz --steps 12"


def test_without_labels_no_step_is_named_that_needs_them(copied, capsys):
    line = "snnc compile model.keras --calibration unlabelled.npz -o out"
    for following in ("verify out --inputs unlabelled.npz", "report out --inputs unlabelled.npz -o out.html"):
        _, (line,) = ran(capsys, line)
        assert line == f"snnc {following}"
    _, (line,) = ran(capsys, line)
    assert line == "open out.html in a browser"
    _, (line,) = ran(capsys, "snnc run out --inputs unlabelled.npz --limit 3")
    assert line == "snnc verify out --inputs unlabelled.npz --limit 3"


def test_paths_are_quoted_and_never_taken_for_options_or_control_characters(copied, capsys):
    shutil.copytree("out", "my 'out'")
    shutil.copytree("out", "-o")
    _, (line,) = ran(capsys, shlex.join(["snnc", "show", "my 'out'"]))
    assert shlex.split(line) == ["snnc", "evaluate", "my 'out'", "--inputs", "X.npz"]
    _, (line,) = ran(capsys, "snnc show -- -o")
    assert line == "snnc evaluate ./-o --inputs X.npz"
    shutil.copytree("out", "a\nb\x1b[2J")
    _, (line,) = ran(capsys, shlex.join(["snnc", "show", "a\nb\x1b[2J"]))
    assert line == "snnc evaluate 'a\\nb\\x1b[2J' --inputs X.npz"


def test_where_standard_output_is_data_nothing_is_named(copied, capsys):
    assert ran(capsys, "snnc verify out --inputs samples.npz --json")[1] == []
    assert ran(capsys, "snnc compare out classic --inputs samples.npz --json")[1] == []
    assert ran(capsys, "snnc run out --inputs samples.npz -o /dev/stdout")[1] == []
    assert ran(capsys, "snnc export out --format nir -o /dev/stdout")[1] == []
