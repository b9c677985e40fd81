"""The command line: flags to arguments, errors to one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import typer

from snnc.cli import compiling, running, showing  # noqa: F401 - each adds its commands to the app
from snnc.cli.app import app
from snnc.errors import SnncError


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 verification failed, 2 bad input or usage, 130 interrupted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow would tell about itself on stderr
    stderr = logging.StreamHandler()
    stderr.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.getLogger("snnc").addHandler(stderr)
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SnncError as error:
        return _fail(error)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except Exception as error:
        # typer brings its own copy of click in some versions, so its usage errors are known by what they can do
        if hasattr(error, "format_message"):
            return _fail(error.format_message() or "missing arguments; see snnc --help")
        raise


def _fail(error: object, code: int = 2) -> int:
    line = " ".join(str(error).split())
    print(f"snnc: {line}", file=sys.stderr)  # noqa: T201
    return code


__all__ = ["app", "main"]
