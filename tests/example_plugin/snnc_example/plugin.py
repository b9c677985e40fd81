"""The hooks: this module is the entry point, so it imports nothing heavy."""

from snnc.api import Importer, NeuronModel, Op, Pass, hookimpl
from snnc_example.importers import distance, snake
from snnc_example.neurons import BoundedIf
from snnc_example.ops import Distance, Snake
from snnc_example.passes import SplitDistance


@hookimpl
def snnc_register_ops() -> list[type[Op]]:
    """Return our ops."""
    return [Distance, Snake]


@hookimpl
def snnc_register_importers() -> list[Importer]:
    """Return our importers."""
    return [distance, snake]


@hookimpl
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return our neuron model."""
    return [BoundedIf]


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return our pass; it runs only where the user names it."""
    return [SplitDistance]
