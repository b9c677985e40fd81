"""The hooks of the Loihi backend. nengo-loihi, which imports TensorFlow where it can, is imported in lowering."""

from __future__ import annotations

from snnc.api import Backend, Lowering, NeuronModel, Op, Pass, hookimpl
from snnc_loihi.backend import LoihiBackend
from snnc_loihi.lowering import LOWERINGS
from snnc_loihi.models import MODELS
from snnc_loihi.ops import ChipOutput
from snnc_loihi.passes import PASSES


@hookimpl
def snnc_register_backends() -> list[type[Backend]]:
    """Return the backend."""
    return [LoihiBackend]


@hookimpl
def snnc_register_lowerings() -> list[Lowering]:
    """Return lowerings for the ops that Nengo does not have."""
    return list(LOWERINGS)


@hookimpl
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return the neurons of the chip and the encoder."""
    return list(MODELS)


@hookimpl
def snnc_register_ops() -> list[type[Op]]:
    """Return the op that only graphs for the chip hold."""
    return [ChipOutput]


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return the passes that fit a graph to the chip."""
    return list(PASSES)
