"""The frontend of Keras files: ``.keras`` and HDF5 of Keras 2.0 to 3.x, read without Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from snnc.errors import FrontendError
from snnc.frontend.base import Frontend, Importer, ImportOptions
from snnc.ir.graph import Graph

if TYPE_CHECKING:
    from snnc.frontend.keras_config import ModelSpec


class KerasFileFrontend(Frontend):
    """Reads any path that no other frontend claims, so that a missing or foreign file gets its clear error here."""

    name: ClassVar[str] = "keras-file"

    def accepts(self, source: object) -> bool:
        return isinstance(source, (str, os.PathLike))

    def load(self, source: Any, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        from snnc.frontend.keras_archive import opened
        from snnc.frontend.keras_config import parse_model
        from snnc.frontend.keras_graph import build_graph

        path = Path(os.fspath(source))
        config = None if options.config is None else Path(options.config)
        with opened(path, config) as archive:
            model = parse_model(archive.config)
            if archive.version >= (3,):
                _require_names(model)
            return build_graph(model, archive.weights, importers, archive.version, options, self.kinds.op)


def _require_names(model: ModelSpec) -> None:
    """Raise FrontendError for a name that Keras 3 gives no layer; we join those of nested models with ``/``."""
    for layer in model.layers:
        if "/" in layer.name:
            raise FrontendError(
                f"layer {layer.name!r} ({layer.class_name}): its name has a '/', with which Keras 3 neither makes nor "
                "loads a layer; is the file damaged? Otherwise rename the layer and save the model again"
            )
        if layer.model is not None:
            _require_names(layer.model)
