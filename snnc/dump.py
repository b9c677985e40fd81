"""What each pass made of the graph, as a folder of text files; and if one fails, what makes it fail again."""

from __future__ import annotations

import json
import re
import shlex
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snnc import reproducer
from snnc.errors import SnncError
from snnc.ir.graph import Graph
from snnc.outputs import Kind, require_folder_place, write_folder
from snnc.passes.base import Pass
from snnc.passes.pipeline import Failure, JournalEntry, Observer
from snnc.quantities import number
from snnc.terminal import printable
from snnc.text_form import build, parse, write

KIND = Kind("a dump of snnc's", "dump.json", "snnc-dump")
REPRODUCER = "reproducer"
"""The folder, in that of the dump, of what makes a pass fail again."""


class NoDump(Observer):
    """Keeps nothing, and says so where a pass fails by what is no deliberate error."""

    def failed(self, failure: Failure) -> str:
        """Return how to keep what makes the pass fail again."""
        return "" if isinstance(failure.error, SnncError) else "dump=DIR (--dump DIR) keeps what makes it fail again"


class Dump(Observer):
    """A folder with the graph as imported, then behind each pass that changed it, then as the backend gets it.

    It is written anew behind every such pass, so that it is there whatever happens in the next one.
    """

    def __init__(self, folder: Path, reads: Iterable[Path], passes: Mapping[str, type[Pass]]) -> None:
        """Make sure that nothing gets lost.

        Args:
            folder: an empty one, or a dump there, is replaced.
            reads: files and folders that are read, and so never replaced.
            passes: the registered ones, which ``snnc opt`` knows by name.

        Raises:
            FileError: there is something else.

        """
        self.folder, self._reads, self._passes = folder, tuple(reads), passes
        require_folder_place(folder, KIND, self._reads)
        self._files: dict[str, bytes] = {}
        self._ran = 0

    def begin(self, graph: Graph) -> None:
        """Keep the graph before all passes."""
        self._keep("imported", "the graph as imported", graph)

    def ran(self, entry: JournalEntry, graph: Graph) -> None:
        """Keep what a pass made of the graph, if it changed it."""
        self._ran += 1
        if entry.changed:
            self._keep(entry.name.partition("{")[0], f"{entry.name}\n{_said(entry)}", graph)

    def end(self, graph: Graph) -> None:
        """Keep the graph behind all passes."""
        self._ran += 1
        self._keep("final", "the graph behind all passes, as the backend gets it", graph)

    def failed(self, failure: Failure) -> str:
        """Keep what makes the pass fail again, and return the command."""
        step = failure.step
        spec = write(step.name, step.options())
        folder = self.folder / REPRODUCER
        command = f"snnc opt {shlex.quote(str(folder))} --pass {shlex.quote(spec)}"
        try:
            files = reproducer.files_of(failure)
            files["command.txt"] = f"{command}\n".encode(errors="backslashreplace")
            files["error.txt"] = "".join(traceback.format_exception(failure.error)).encode(errors="backslashreplace")
            self._files |= {f"{REPRODUCER}/{name}": data for name, data in files.items()}
            self._write()
        except Exception as error:  # whatever it is, it must not hide why the pass failed
            return f"what makes it fail again could not be kept: {error}"
        if self._passes.get(step.name) is not type(step):
            return f"once a plugin registers it, it fails again with: {command}"
        if not _says_all(spec, step):
            return f"it may fail again with: {command}, which lacks what has no text form"
        return f"it fails again with: {command}"

    def _keep(self, name: str, title: str, graph: Graph) -> None:
        safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:80]
        self._files[f"{self._ran:02}-{safe}.txt"] = printable(f"{title}\n{graph}\n").encode(errors="backslashreplace")
        self._write()

    def _write(self) -> None:
        about: dict[str, Any] = {"format": KIND.format, "files": [KIND.manifest, *self._files]}
        text = json.dumps(about, indent=1) + "\n"
        write_folder(self.folder, {KIND.manifest: text.encode(), **self._files}, KIND, self._reads)


def _says_all(spec: str, step: Pass) -> bool:
    """Return whether the text form of a pass gives the same pass."""
    try:
        return build(type(step), "pass", parse(spec)[1]) == step
    except SnncError:
        return False


def _said(entry: JournalEntry) -> str:
    """Return the second line of a file: what the journal says of the pass."""
    words = [f"stage {entry.stage}", f"by {entry.provider}" if entry.provider else "", "exact" if entry.exact else ""]
    if entry.error is not None:
        words.append(f"the outputs in rate mode moved by {number(entry.error)} of the largest")
    if entry.loss is not None:
        before, after = (number(loss) if loss is not None else "?" for loss in entry.loss)
        words.append(f"the error on samples held back was {before}, and is {after}")
    if not entry.kept:
        words.append("so it was taken back: the passes below do not see this graph")
    return "; ".join(word for word in words if word)
