"""One importer for each layer class of Keras, by theme: every module of this package is looked through."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from snnc.frontend.base import Importer


def importers() -> list[Importer]:
    """Return every importer of this package."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return [importer for module in modules for importer in _defined(module)]


def _defined(module: ModuleType) -> list[Importer]:
    found = [value for value in vars(module).values() if isinstance(value, Importer)]
    return found + list(getattr(module, "ALIKE", ()))
