"""The hook of PyNN: a format to export."""

from __future__ import annotations

from snnc.api import Exporter, hookimpl
from snnc_pynn.exporter import PynnExporter


@hookimpl
def snnc_register_exporters() -> list[type[Exporter]]:
    """Return the writer of populations and connection lists."""
    return [PynnExporter]
