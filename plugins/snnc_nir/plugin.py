"""The hooks of NIR: a format to export, and to import."""

from __future__ import annotations

from snnc.api import Frontend, hookimpl


@hookimpl
def snnc_register_frontends() -> list[type[Frontend]]:
    """Return the reader of NIR files."""
    return []
