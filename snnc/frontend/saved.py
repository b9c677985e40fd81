"""The frontend of graphs that snnc saved: a folder with ``graph.json``, such as an artifact."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from snnc.errors import UsageError
from snnc.frontend.base import Frontend, Importer, ImportOptions
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, SOURCE_FILE, load


class SavedFrontend(Frontend):
    """Reads a saved graph; it compiles like a model."""

    name: ClassVar[str] = "saved"

    def accepts(self, source: object) -> bool:
        return isinstance(source, (str, os.PathLike)) and (Path(os.fspath(source)) / GRAPH_FILE).is_file()

    def load(self, source: Any, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        folder = Path(os.fspath(source))
        if options.replace:
            raise UsageError(
                f"replace: {folder} is a saved graph, whose layers have their meaning; read the model itself"
            )
        # an artifact holds the model as imported beside the compiled graph: compiling it again starts from the model
        return load(folder, self.kinds, SOURCE_FILE if (folder / SOURCE_FILE).is_file() else GRAPH_FILE)
