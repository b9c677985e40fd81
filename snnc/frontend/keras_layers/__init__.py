"""One importer for each layer class of Keras, by theme."""

from __future__ import annotations

from types import ModuleType

from snnc.frontend.base import Importer
from snnc.frontend.keras_layers import (
    activation,
    applications,
    conv,
    dense,
    inactive,
    merge,
    norm,
    operators,
    operators_shape,
    pool,
    preprocess,
    sequence,
    shape,
    spiking,
)

_MODULES: tuple[ModuleType, ...] = (
    dense,
    conv,
    pool,
    norm,
    activation,
    merge,
    shape,
    preprocess,
    sequence,
    inactive,
    spiking,
    applications,
    operators,
    operators_shape,
)


def importers() -> list[Importer]:
    """Return every importer of this package, in the order of their definition."""
    return [importer for module in _MODULES for importer in _defined(module)]


def _defined(module: ModuleType) -> list[Importer]:
    found = [value for value in vars(module).values() if isinstance(value, Importer)]
    return found + list(getattr(module, "ALIKE", ()))
