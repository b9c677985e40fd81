"""The hooks of NIR: a format to export, and to import."""

from __future__ import annotations

from snnc.api import Exporter, Frontend, Pass, hookimpl
from snnc_nir.exporter import NirExporter
from snnc_nir.spread_voltage import SpreadVoltage


@hookimpl
def snnc_register_frontends() -> list[type[Frontend]]:
    """Return the reader of NIR files."""
    return []


@hookimpl
def snnc_register_exporters() -> list[type[Exporter]]:
    """Return the writer of NIR files."""
    return [NirExporter]


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return the pass of what is portable."""
    return [SpreadVoltage]
