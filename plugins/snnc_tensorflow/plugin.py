"""The hooks of the TensorFlow backend. TensorFlow itself is imported when a graph is lowered."""

from __future__ import annotations

from snnc.api import Backend, Lowering, hookimpl
from snnc_tensorflow import elementwise, host, layers, neurons, sequences, shapes
from snnc_tensorflow.backend import TensorflowBackend


@hookimpl
def snnc_register_backends() -> list[type[Backend]]:
    """Return the backend."""
    return [TensorflowBackend]


@hookimpl
def snnc_register_lowerings() -> list[Lowering]:
    """Return how TensorFlow computes each built-in op."""
    return [
        *elementwise.LOWERINGS,
        *layers.LOWERINGS,
        *shapes.LOWERINGS,
        *sequences.LOWERINGS,
        *neurons.LOWERINGS,
        *host.LOWERINGS,
    ]
