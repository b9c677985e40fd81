"""A progress bar on a terminal, and none in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from snnc.terminal import new_console

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar(*, shown: bool) -> Progress:
    """Return a bar on stderr, which is silent where it is not wanted or stderr is no terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=new_console(stderr=True),
        disable=not (shown and sys.stderr.isatty()),
    )
