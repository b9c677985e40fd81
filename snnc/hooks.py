"""The hooks by which a plugin adds to snnc. Each takes nothing and returns a list; see docs/hooks.md."""

from __future__ import annotations

from typing import Any, TypeVar

import pluggy

from snnc.backend import Backend
from snnc.engine.read_out import ReadOut
from snnc.export import Exporter
from snnc.frontend.base import Frontend, Importer
from snnc.ir.op import Op
from snnc.lowering import Lowering
from snnc.neurons import NeuronModel, SynapseModel
from snnc.passes.base import Pass

PROJECT = "snnc"
F = TypeVar("F", bound=Any)

_hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of its name."""


@_hookspec
def snnc_register_frontends() -> list[type[Frontend]]:
    """Return readers that turn a model into a graph."""


@_hookspec
def snnc_register_importers() -> list[Importer]:
    """Return importers, each of one source layer class for a named frontend."""


@_hookspec
def snnc_register_ops() -> list[type[Op]]:
    """Return op classes that a graph may hold."""


@_hookspec
def snnc_register_neurons() -> list[type[NeuronModel]]:
    """Return neuron models for swap-activations."""


@_hookspec
def snnc_register_synapses() -> list[type[SynapseModel]]:
    """Return synapse models for insert-synapses."""


@_hookspec
def snnc_register_read_outs() -> list[type[ReadOut]]:
    """Return read-outs."""


@_hookspec
def snnc_register_passes() -> list[type[Pass]]:
    """Return passes, each naming its stage."""


@_hookspec
def snnc_register_lowerings() -> list[Lowering]:
    """Return lowerings, each saying how one backend builds one op."""


@_hookspec
def snnc_register_backends() -> list[type[Backend]]:
    """Return targets of compile."""


@_hookspec
def snnc_register_exporters() -> list[type[Exporter]]:
    """Return file formats in which a compiled network leaves for other tools."""
