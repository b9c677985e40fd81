"""Neurons whose curve only approximates a ReLU become exact rectified-linear ones: the target of calibration."""

from __future__ import annotations

from dataclasses import replace

from snnc.ir.graph import Graph
from snnc.neurons import Neurons, ReluLike, ReluRate


def with_ideal_rates(graph: Graph) -> Graph:
    """Return the graph with a plain ReLU for neurons whose rate curve only approximates one.

    Calibration aims at the model, and must not take the curve of a neuron for it.
    """
    other = graph.copy()
    for node in graph:
        if (
            isinstance(node.op, Neurons)
            and isinstance(node.op.model, ReluLike)
            and not node.op.model.matches_activation
        ):
            other.replace(node.name, replace(node.op, model=ReluRate()))
    return other
