"""Readers of trained models: the frontends, and one importer a layer class."""

from __future__ import annotations

from snnc.frontend.base import Frontend, Importer


def frontends() -> list[type[Frontend]]:
    """Return the built-in frontends in the order in which they are tried."""
    from snnc.frontend.keras_file import KerasFileFrontend
    from snnc.frontend.keras_live import KerasLiveFrontend
    from snnc.frontend.saved import SavedFrontend

    return [SavedFrontend, KerasLiveFrontend, KerasFileFrontend]


def importers() -> list[Importer]:
    """Return the importers of Keras's own layer classes."""
    from snnc.frontend.keras_layers import importers as keras_layers

    return keras_layers()
