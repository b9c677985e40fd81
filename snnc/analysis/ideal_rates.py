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
    for node in graph.nodes(Neurons):
        if (op := ideal(node.op)) is not node.op:
            other.replace(node.name, op)
    return other


def ideal(op: Neurons) -> Neurons:
    """Return a population with a plain ReLU for a curve that only approximates one, or itself."""
    bent = isinstance(op.model, ReluLike) and not op.model.matches_activation
    return replace(op, model=ReluRate()) if bent else op
