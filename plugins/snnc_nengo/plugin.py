"""The hooks of the reference Nengo backend. Nengo itself is imported when a graph is lowered."""

from __future__ import annotations

from snnc.api import Backend, Lowering, hookimpl
from snnc_nengo.backend import NengoBackend
from snnc_nengo.lowering import LOWERINGS


@hookimpl
def snnc_register_backends() -> list[type[Backend]]:
    """Return the backend."""
    return [NengoBackend]


@hookimpl
def snnc_register_lowerings() -> list[Lowering]:
    """Return how Nengo builds each built-in op."""
    return LOWERINGS
