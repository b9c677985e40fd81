"""What is printed for people: text from models and plugins is shown as it is, whatever it holds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 240
"""Columns of what is not a terminal: a pipe has no width, let no line of a table be folded there."""


def printable(text: str, *, keep: str = "\n") -> str:
    """Return a text with its control characters written out, so that no name reaches a terminal as a command."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def new_console(*, stderr: bool = False) -> Console:
    """Return a console on which brackets are brackets and control characters are written out."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **options: object) -> Text:
            options = {**options, "markup": False, "emoji": False, "highlight": False}
            return super().render_str(printable(text), **options)  # type: ignore[arg-type]

    stream = sys.stderr if stderr else sys.stdout
    shown = stream is not None and stream.isatty()
    return PlainConsole(stderr=stderr, soft_wrap=True, width=None if shown else WIDE)


def tolerant() -> None:
    """Let standard output and error replace what their encoding lacks; let there be one where the shell closed it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
