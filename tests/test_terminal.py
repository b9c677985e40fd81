"""Whatever happens, a command ends with one line and an exit code that says whose fault it is."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snnc import cli
from snnc.errors import UsageError
from snnc.terminal import new_console, printable

SHOW = [sys.executable, "-m", "snnc", "show"]


def ran(monkeypatch, capsys, error):
    """Return exit code and standard error of a command whose work raises an error."""

    def raising(*_, **__):
        raise error

    monkeypatch.setattr("snnc.compiler.import_model", raising)
    with pytest.raises(SystemExit) as ended:
        cli.main(["show", "model.keras"])
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no\nsuch thing"), 2, "snnc: no such thing\n"),
        (UsageError("layer '\x1b[2Jred[/x]'"), 2, "snnc: layer '\\x1b[2Jred[/x]'\n"),
        (MemoryError("2 GB"), 2, "snnc: out of memory (2 GB): give fewer samples"),
        (PermissionError(13, "Permission denied", "x.keras"), 2, "snnc: x.keras: Permission denied\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_an_error_is_one_line_and_its_code(monkeypatch, capsys, error, code, line):
    got, text = ran(monkeypatch, capsys, error)
    assert got == code
    assert text.startswith(line) and text.count("\n") == bool(line)


@pytest.mark.parametrize("error", [TypeError("unexpected [/x]"), SystemExit(0), SystemExit("bye"), RecursionError()])
def test_what_nobody_expected_has_a_code_of_its_own_and_a_file_with_the_traceback(monkeypatch, capsys, tmp_path, error):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, line = ran(monkeypatch, capsys, error)
    (kept,) = tmp_path.iterdir()
    assert code == 70
    assert line.startswith(f"snnc: internal error, please report it with {kept}: {type(error).__name__}")
    assert line.count("\n") == 1
    assert "snnc show model.keras" in kept.read_text() and "in raising" in kept.read_text()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "could not be kept" in ran(monkeypatch, capsys, error)[1]


def test_names_are_shown_as_they_are():
    console = new_console()
    console.file = io.StringIO()
    console.print("[/x] [bold]name[/bold] :smile: \x1b]0;title\x07é", style="bold")
    assert console.file.getvalue() == "[/x] [bold]name[/bold] :smile: \\x1b]0;title\\x07é\n"
    assert printable("a\tb\u202ec\n") == "a\\tb\\u202ec\n"


@pytest.fixture(scope="module")
def model():
    return Path(__file__).parents[1] / "examples" / "mnist" / "mnist_cnn.keras"


def shown(model, shell, **environment):
    """Return what becomes of ``snnc show`` in a shell that redirects something."""
    command = f'"{sys.executable}" -m snnc show "{model}" {shell}'
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_standard_output_may_be_closed_full_or_without_letters(model, tmp_path):
    closed = shown(model, ">&-")
    assert (closed.returncode, closed.stderr) == (0, f"next: snnc compile {model} -o out\n")
    nowhere = shown("no-such-file", "2>&-")
    assert nowhere.returncode == 2
    ascii_only = subprocess.run(
        [sys.executable, "-m", "snnc", "show", str(tmp_path / "größe.h5")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert ascii_only.returncode == 2
    assert "gr\\xf6\\xdfe.h5: no such file" in ascii_only.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_standard_output_is_one_line(model, buffered):
    full = shown(model, ">/dev/full", PYTHONUNBUFFERED="" if buffered else "1")
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1 and "No space left" in full.stderr


def test_the_reader_of_a_pipe_may_leave(model):
    left = shown(model, "| true")
    assert (left.returncode, left.stderr) == (0, "")
    read, write = os.pipe()
    os.close(read)
    for command in (["show", str(model)], ["plan"]):
        ended = subprocess.run([*SHOW[:3], *command], stdout=write, stderr=subprocess.PIPE, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
    os.close(write)


def test_garbled_metadata_of_any_distribution_is_one_line_that_names_it(tmp_path):
    folder = tmp_path / "garbled-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: garbled\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[snnc]\nno equals sign\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ended = subprocess.run(
        [*SHOW[:3], "plugins"], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("snnc: the entry points of the installed distribution 'garbled' are garbled")
