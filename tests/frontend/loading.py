"""Import models as snnc does, by the frontends alone."""

from __future__ import annotations

import numpy as np

from snnc.errors import UsageError
from snnc.frontend import frontends, importers
from snnc.frontend.base import ImportOptions
from snnc.ir.store import Kinds


def import_model(source, input_shape=None, config=None, more=(), *, temporal=False):
    """Return the graph of a source; ``more`` importers stand beside those of Keras's own layers."""
    table = {importer.class_name: importer for importer in (*importers(), *more)}
    for cls in frontends():
        frontend = cls(Kinds({}, {}, {}))
        if frontend.accepts(source):
            return frontend.load(source, table, ImportOptions(input_shape, config, temporal))
    raise UsageError(f"{source!r} is not a model")


def relative_error(got, want):
    """Return the largest difference, relative to the largest wanted value."""
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))
