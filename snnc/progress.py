"""A progress bar on a terminal, and none in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar(*, shown: bool) -> Progress:
    """Return a bar on stderr, which is silent where it is not wanted or stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), disable=not (shown and sys.stderr.isatty()))
