"""snnc's own plugin: what comes with the core goes through the same door as everybody's."""

from __future__ import annotations

import inspect

from snnc import passes
from snnc.frontend import frontends, importers
from snnc.frontend.base import Frontend, Importer
from snnc.hooks import hookimpl
from snnc.ir import (
    activations,
    causal,
    combine,
    deferred,
    functions,
    neurons,
    ops,
    recurrent,
    reduce,
    resample,
    slices,
    spiking_pool,
    transposed,
)
from snnc.ir.neurons import NeuronModel
from snnc.ir.op import Op
from snnc.passes.base import Pass
from snnc.verify import Verify

OP_MODULES = (
    ops,
    activations,
    neurons,
    causal,
    combine,
    deferred,
    functions,
    recurrent,
    reduce,
    resample,
    slices,
    spiking_pool,
    transposed,
)


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
    return [cls for module in OP_MODULES for cls in _defined(module, Op)]


@hookimpl
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return the built-in neuron models."""
    return list(neurons.MODELS)


@hookimpl
def snnc_register_passes() -> list[type[Pass]]:
    """Return the first-party passes."""
    return [*passes.BUILTIN, Verify]


def _defined(module: object, base: type) -> list[type]:
    """Return the concrete subclasses of ``base`` that a module defines: those with a kind of their own."""
    return [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type)
        and cls.__module__ == module.__name__  # type: ignore[attr-defined]
        and issubclass(cls, base)  # after the module: in Python 3.10 an alias such as list[int] passes for a type
        and "kind" in vars(cls)
        and not inspect.isabstract(cls)
    ]
