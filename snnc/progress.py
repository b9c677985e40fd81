"""A progress bar on a terminal and in a notebook, and none in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from snnc.terminal import new_console

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar(*, shown: bool) -> Progress:
    """Return a bar on stderr, or in the output of a notebook's cell; a silent one where it is not wanted or neither."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from snnc.progress_in_notebook import NotebookProgress, in_notebook

    if shown and in_notebook():
        return NotebookProgress()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=new_console(stderr=True),
        disable=not (shown and sys.stderr.isatty()),
    )
