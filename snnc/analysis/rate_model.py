"""Undo conversion: neurons become the activations that they replaced, and synapses go."""

from __future__ import annotations

from snnc.errors import GraphError
from snnc.ir.graph import Graph
from snnc.neurons import Neurons, Synapse
from snnc.ops.layers import MaxPool
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.ops.spiking_max_pool import SpikingMaxPool


def to_rate_model(graph: Graph) -> Graph:
    """Return the graph with activations in place of neurons, and nothing that acts over time.

    ``relu = neurons{spiking-relu scale=0.01}`` becomes ``relu = relu``; synapses go. Raise GraphError for neurons that
    stand for no known activation.
    """
    model = graph.copy()
    for node in graph:
        op = node.op
        if isinstance(op, Neurons):
            activation = op.model.activation
            if activation is None:
                raise GraphError(
                    f"node {node.name!r}: neurons {op.model.kind!r} stand for no known activation; choose others"
                )
            model.replace(node.name, activation)
        elif isinstance(op, Synapse):
            model.remove(node.name)
        elif isinstance(op, ReadOutActivation):
            model.replace(node.name, op.activation)
        elif isinstance(op, SpikingMaxPool):
            model.replace(node.name, MaxPool(size=op.size, strides=op.strides, padding=op.padding))
    return model
