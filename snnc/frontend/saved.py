"""The frontend of graphs that snnc saved: a folder with ``graph.json``, such as an artifact, or a file in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from snnc.errors import UsageError
from snnc.frontend.base import Frontend, Importer, ImportOptions
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, SOURCE_FILE, WEIGHTS_FILE, load


class SavedFrontend(Frontend):
    """Reads a saved graph; it compiles like a model."""

    name: ClassVar[str] = "saved"

    def accepts(self, source: object) -> bool:
        return isinstance(source, (str, os.PathLike)) and _file(Path(os.fspath(source))) is not None

    def load(self, source: Any, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        file = _file(Path(os.fspath(source)))
        assert file is not None
        if options.replace:
            raise UsageError(
                f"replace: {source} is a saved graph, whose layers have their meaning; read the model itself"
            )
        return load(file.parent, self.kinds, file.name)


def _file(path: Path) -> Path | None:
    """Return the graph file that a path means, or None where it means no saved graph."""
    if path.suffix == ".json" and path.is_file() and (path.parent / WEIGHTS_FILE).is_file():
        return path
    # an artifact holds the model as imported beside the compiled graph: compiling it again starts from the model
    if not (path / GRAPH_FILE).is_file():
        return None
    return path / (SOURCE_FILE if (path / SOURCE_FILE).is_file() else GRAPH_FILE)
