"""The memory that a network takes: what its ops hold, and what its neurons and filters remember of one sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.engine.simulate import initial_state
from snnc.ir.graph import Graph
from snnc.ops.stateful import Stateful


@dataclass(frozen=True)
class Memory:
    """Bytes of float32 numbers, as snnc's own engine holds them; a chip has its own widths."""

    parameters: int
    """Of weights, biases and scales."""
    states: int
    """Of voltages, filters and whatever else is remembered from step to step, of one sample."""


def memory(graph: Graph) -> Memory:
    """Return the memory of a graph with or without neurons."""
    parameters = states = 0
    for node in graph:
        parameters += 4 * sum(array.size for _, array in node.op.arrays())
        if isinstance(node.op, Stateful) and node.op.stateful:
            state = initial_state(node, tuple(graph[source].type for source in graph.sources(node.name)), seed=0)
            states += sum(4 * np.asarray(values).size for values in state.values() if isinstance(values, np.ndarray))
    return Memory(parameters, states)
