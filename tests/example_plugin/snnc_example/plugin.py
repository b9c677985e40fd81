"""The hooks: this module is the entry point, so it imports nothing heavy."""

from snnc.api import Importer, Lowering, Op, Pass, hookimpl
from snnc_example.importers import distance as distance_importer
from snnc_example.lowerings import distance as distance_lowering
from snnc_example.ops import Distance
from snnc_example.passes import SplitDistance


@hookimpl
def snnc_register_ops() -> list[type[Op]]:
    """Return our op."""
    return [Distance]


@hookimpl
def snnc_register_importers() -> list[Importer]:
    """Return our importer."""
    return [distance_importer]


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return our pass; it runs only where the user names it."""
    return [SplitDistance]


@hookimpl
def snnc_register_lowerings() -> list[Lowering]:
    """Return our lowering."""
    return [distance_lowering]
