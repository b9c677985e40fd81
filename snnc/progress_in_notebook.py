"""A progress bar in a notebook: one output that is updated in place, with or without widgets, and a line at the end."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, Task, TaskID

from snnc.html import render
from snnc.terminal import printable

PERIOD = 0.2
"""Seconds between two updates at least: each is a message to the browser."""


def in_notebook() -> bool:
    """Return whether this runs in a notebook's kernel, whose outputs can be updated."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)  # who has not loaded it is in no notebook
    shell = None if ask is None else ask()
    return getattr(shell, "kernel", None) is not None


class NotebookProgress(Progress):
    """Rich's progress, shown by IPython: rich's own needs ipywidgets, and leaves an empty output in saved notebooks."""

    def __init__(self) -> None:
        """Begin without tasks, and show nothing yet."""
        super().__init__(console=Console(force_jupyter=False, quiet=True), auto_refresh=False)
        self._handle: Any = None
        self._shown_at = -PERIOD
        self._began: dict[TaskID, str] = {}  # as what each task began: a compilation has the names of its passes

    def start(self) -> None:
        """Begin; the output appears with the first task."""

    def stop(self) -> None:
        """Leave a line that says how far it came, and how long it took."""
        if self._handle is not None:
            self._show(ended=True)
            self._handle = None

    def refresh(self) -> None:
        """Show how far it is, unless that was shown just now."""
        if self.tasks and time.monotonic() - self._shown_at >= PERIOD:
            self._show(ended=False)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, and show it."""
        super().update(task_id, **changes)
        self.refresh()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Advance a task, and show it."""
        super().advance(task_id, advance)
        self.refresh()

    def _show(self, *, ended: bool) -> None:
        from IPython.display import display

        for task in self.tasks:
            self._began.setdefault(task.id, task.description)
        texts = [printable(self._words(task, ended=ended)) for task in self.tasks]
        page = render("progress.html", rows=list(zip(self.tasks, texts, strict=True)), ended=ended)
        bundle = {"text/plain": "\n".join(texts), "text/html": page}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self._shown_at = time.monotonic()

    def _words(self, task: Task, *, ended: bool) -> str:
        """Return how far a task is, and how long it will take yet, or has taken."""
        far = "" if task.total is None else f" {task.percentage:.0f} %"
        if ended:
            return f"{self._began[task.id]}{far}, {task.elapsed or 0:.1f} s"
        left = task.time_remaining
        return task.description + far + ("" if left is None else f", {left:.0f} s to go")
