"""Whatever happens, a command ends with one line and an exit code that says whose fault it is."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snnc import cli
from snnc.errors import UsageError
from snnc.terminal import WIDE, Listing, new_console, printable, prose

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


def printed(monkeypatch, width, *things, **environment):
    """Return the lines of a terminal of a width; of a pipe where it is None."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    stream.isatty = lambda: width is not None
    monkeypatch.setattr("sys.stdout", stream)
    console = new_console()
    if width is not None:
        console.width = width
    for thing in things:
        prose(console, thing) if isinstance(thing, str) else console.print(thing)
    return stream.getvalue().splitlines()


def layers():
    names = [
        "conv",
        "encoder/block_1/a_layer_with_many_words_conv2d_bn_relu",
        "größe_слой",
        "  " + "n" * 200,
        "<b>[x]</b>",
    ]
    table = Listing(
        "which layer: rates, and errors", "layer", "Hz", "saturated", "quantisation", "interval", "error so far"
    )
    for i, name in enumerate(names):
        table.add_row(name, f"{i}1,234", "100.00%", "0.00486 uJ", "98.1% to 99.9%", "1 2 3 " * 20 + "4")
    return table


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_of_a_table_is_wider_than_the_terminal_and_no_number_is_broken(monkeypatch, width):
    lines = printed(monkeypatch, width, layers(), NO_COLOR="1")
    assert max(map(len, lines)) <= width
    for i in range(5):
        assert sum(f"{i}1,234" in line for line in lines) == 1
    for value in ("100.00%", "0.00486 uJ", "98.1% to 99.9%"):
        assert sum(value in line for line in lines) == 5
    for word in ("saturated", "quantisation", "interval", "error", "conv2d_bn_relu"):
        assert any(word in line for line in lines), word
    assert "".join(lines).count("n" * 10) < 30


def test_without_a_width_every_row_is_one_line(monkeypatch):
    table = Listing("title", "layer", *(f"column {i}" for i in range(12)))
    for name in ("a", "b" * 60):
        table.add_row(name, *["123"] * 12)
    assert len(printed(monkeypatch, None, table)) == 2 + 2
    assert max(map(len, printed(monkeypatch, None, table))) <= WIDE
    assert max(map(len, printed(monkeypatch, None, table, COLUMNS="40"))) <= 40


def test_sentences_are_wrapped_at_words_on_a_terminal_only(monkeypatch):
    note = "note: " + "many words of a note " * 5
    lines = printed(monkeypatch, 40, note)
    assert len(lines) > 2 and max(map(len, lines)) <= 40
    assert all(line.startswith("  ") for line in lines[1:])
    assert [" ".join(" ".join(lines).split())] == printed(monkeypatch, None, note.strip())


@pytest.mark.parametrize(
    ("width", "environment", "styled"),
    [
        (80, {}, True),
        (80, {"NO_COLOR": "1"}, False),
        (80, {"TERM": "dumb"}, False),
        (None, {}, False),
        (None, {"FORCE_COLOR": "1"}, True),
        (None, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_escapes_are_where_they_are_wanted(monkeypatch, width, environment, styled):
    assert ("\x1b[" in "".join(printed(monkeypatch, width, layers(), **environment))) is styled


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
