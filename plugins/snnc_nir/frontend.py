"""The frontend of NIR files: those that snnc wrote come back as they were, others as the specification has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from snnc.api import Frontend, Graph, Importer, ImportOptions, UsageError
from snnc_nir.file import looks_like


class NirFrontend(Frontend):
    """Reads NIR graphs, by their name or by what is in them."""

    name: ClassVar[str] = "nir"
    family: ClassVar[str] = "nir"

    def accepts(self, source: object) -> bool:
        """Return whether a path ends with ``.nir``, or is an HDF5 file with a NIR graph in it, whatever its name."""
        if not isinstance(source, (str, os.PathLike)):
            return False
        path = Path(os.fspath(source))
        return (path.suffix == ".nir" and not path.is_dir()) or looks_like(path)

    def load(self, source: Any, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        from snnc_nir.file import read
        from snnc_nir.read import graph_of

        path = Path(os.fspath(source))
        given = {"config": options.config, "input_shape": options.input_shape}
        for name, value in given.items():
            if value:
                raise UsageError(f"{name}: {path} is a NIR file, which says all by itself; leave it out")
        return graph_of(read(path), path, self.kinds, temporal=options.temporal, dt=options.dt, resets=options.replace)
