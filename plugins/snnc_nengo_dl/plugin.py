"""The hooks of the NengoDL backend. NengoDL and TensorFlow are imported when a graph is lowered."""

from __future__ import annotations

from snnc.api import Backend, Lowering, hookimpl
from snnc_nengo_dl.backend import NengoDlBackend
from snnc_nengo_dl.lowering import LOWERINGS


@hookimpl
def snnc_register_backends() -> list[type[Backend]]:
    """Return the backend."""
    return [NengoDlBackend]


@hookimpl
def snnc_register_lowerings() -> list[Lowering]:
    """Return lowerings for ops that NengoDL builds otherwise than Nengo."""
    return LOWERINGS
