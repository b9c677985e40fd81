"""The command line: flags to arguments, errors to one line and an exit code."""

from __future__ import annotations

import atexit
import importlib.metadata
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import suppress
from typing import NoReturn

import typer

from snnc._version import __version__
from snnc.cli import compiling, exporting, graphs, pages, running, showing  # noqa: F401 - each adds its commands
from snnc.cli.app import app
from snnc.cli.completing import VARIABLE
from snnc.errors import SnncError
from snnc.terminal import printable, tolerant

FAILED, BAD_INPUT, INTERNAL, INTERRUPTED = 1, 2, 70, 130
"""Exit codes: a failed verification, bad input or usage, an error of snnc or of a plugin, and Ctrl-C."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with 0, or with 1 for a failed verification, or with another of the codes above."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow would tell about itself on stderr
    tolerant()
    stderr = logging.StreamHandler()
    stderr.setFormatter(_OneLine("%(name)s: %(message)s"))
    logging.getLogger("snnc").addHandler(stderr)
    ended = _tidily()
    code = _run(arguments)
    if code == INTERRUPTED:
        _end(ended[0] if ended else code)
    try:
        sys.stdout.flush()
    except OSError as error:
        if not code and not isinstance(error, BrokenPipeError):  # else it is said
            code = _fail(f"standard output: {error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
    sys.exit(code)


def _tidily() -> list[int]:
    """Let what ends processes do as Ctrl-C does, so that nothing is left behind; return its exit code when it came."""
    warnings.filterwarnings("ignore", message=".*still being processed by the workers")  # joblib's, of the rest
    came: list[int] = []

    def interrupt(*_: object) -> None:
        threading.excepthook = lambda _: None  # joblib's threads, whose processes end under them
        raise KeyboardInterrupt

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        came.append(128 + number)
        interrupt()

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # and not one that is ignored, as nohup has it
            signal.signal(number, end)
    return came


def _end(code: int) -> NoReturn:
    """End with a code after an interruption; Python's own end has another one where that hit an ``exec``."""
    threading._shutdown()  # type: ignore[attr-defined]  # as at Python's own end: joblib kills its processes there
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _line(super().format(record))


def _run(arguments: list[str] | None) -> int:
    """Run a command and return its exit code; the one place where errors become one."""
    try:
        code = app(args=arguments, prog_name="snnc", standalone_mode=False)
        if code == INTERRUPTED:  # typer's own answer to Ctrl-C, in some versions
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except SnncError as error:
        return _fail(error)
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _fail(f"{error.filename or _deleted() or 'input or output'}: {error.strerror or error}")
    except MemoryError as error:
        return _fail(f"out of memory ({error}): give fewer samples (--limit), fewer steps, or a smaller model")
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and _completing(arguments):
            return error.code if isinstance(error.code, int) else 0
        # typer brings its own copy of click in some versions, so its usage errors are known by what they can do
        if hasattr(error, "format_message"):
            return _fail(error.format_message() or "missing arguments; see snnc --help")
        if isinstance(error.__context__, BrokenPipeError):  # which click and rich turn into an exit with 1
            return 0
        if deleted := _deleted():
            return _fail(deleted)
        if (garbled := _garbled()) is not None:
            return _fail(garbled)
        return _fail(f"internal error, please report it {_kept(error, arguments)}: {_name(error)}", INTERNAL)


def _completing(arguments: list[str] | None) -> bool:
    """Return whether a shell asks what a word may become, or a user for what makes it ask: typer exits then."""
    given = sys.argv[1:] if arguments is None else arguments
    return VARIABLE in os.environ or not {"--install-completion", "--show-completion"}.isdisjoint(given)


def _deleted() -> str:
    """Return what to say where libraries cannot be loaded because we are in no folder."""
    try:
        return os.getcwd() and ""
    except OSError:
        return "the folder that you are in was deleted, go to another"


def _garbled() -> str | None:
    """Return what to do about a distribution whose entry points Python cannot read: nothing with plugins works then."""
    for distribution in importlib.metadata.distributions():
        try:
            distribution.entry_points  # noqa: B018 - it is read here
        except Exception as error:
            name = distribution.metadata["Name"]
            return f"the entry points of the installed distribution {name!r} are garbled ({error}): install it again"
    return None


def _name(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _kept(error: BaseException, arguments: list[str] | None) -> str:
    """Keep the traceback in a file, and return where."""
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    lines = [f"snnc {__version__}, Python {sys.version}\nsnnc {words}\n", *traceback.format_exception(error)]
    try:
        with tempfile.NamedTemporaryFile("w", prefix="snnc-error-", suffix=".txt", delete=False, errors="replace") as f:
            f.writelines(lines)
    except OSError as problem:
        return f"(its traceback could not be kept: {problem.strerror})"
    return f"with {f.name}"


def _fail(error: object, code: int = BAD_INPUT) -> int:
    with suppress(OSError):  # with nowhere to say it, the code has to do
        print(f"snnc: {_line(error)}", file=sys.stderr)  # noqa: T201
    return code


def _line(text: object) -> str:
    return printable(" ".join(str(text).split()))


__all__ = ["app", "main"]
