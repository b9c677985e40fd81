"""snnc's own plugin: the hooks that register the built-in frontends, importers, ops, neurons and passes."""

from __future__ import annotations

from snnc import neurons, ops, passes
from snnc.engine.read_out import READ_OUTS, ReadOut
from snnc.evaluation.verify import Verify
from snnc.frontend import frontends, importers
from snnc.frontend.base import Frontend, Importer
from snnc.hooks import hookimpl
from snnc.ir.op import Op, concrete
from snnc.neurons import NeuronModel, SynapseModel
from snnc.passes.base import Pass


@hookimpl
def snnc_register_frontends() -> list[type[Frontend]]:
    """Return the readers of saved graphs, Keras files and live Keras models."""
    return list(frontends())


@hookimpl
def snnc_register_importers() -> list[Importer]:
    """Return one importer for each Keras layer class."""
    return list(importers())


@hookimpl
def snnc_register_ops() -> list[type[Op]]:
    """Return the built-in ops."""
    return [*concrete(Op, ops, neurons)]


@hookimpl
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return the built-in neuron models."""
    return list(neurons.MODELS)


@hookimpl
def snnc_register_synapses() -> list[type[SynapseModel]]:
    """Return the built-in synapse models."""
    return list(neurons.SYNAPSES)


@hookimpl
def snnc_register_read_outs() -> list[type[ReadOut]]:
    """Return the built-in read-outs."""
    return list(READ_OUTS)


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return the first-party passes."""
    return [*passes.BUILTIN, Verify]
