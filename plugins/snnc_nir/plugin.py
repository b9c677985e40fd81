"""The hooks of NIR: a format to export, and to import."""

from __future__ import annotations

from snnc.api import Exporter, Frontend, NeuronModel, Pass, hookimpl
from snnc_nir.as_activations import AsActivations
from snnc_nir.exporter import NirExporter
from snnc_nir.frontend import NirFrontend
from snnc_nir.neurons import MODELS
from snnc_nir.spread_voltage import SpreadVoltage


@hookimpl
def snnc_register_frontends() -> list[type[Frontend]]:
    """Return the reader of NIR files."""
    return [NirFrontend]


@hookimpl
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return the neurons of the specification that snnc has none for."""
    return list(MODELS)


@hookimpl
def snnc_register_exporters() -> list[type[Exporter]]:
    """Return the writer of NIR files."""
    return [NirExporter]


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return the pass of what is portable, and that for hardware with neurons of its own."""
    return [AsActivations, SpreadVoltage]
