"""What of a network NengoDL trains, and how the trained values go back into the graph.

Weights are trained as the op keeps them (a kernel, a matrix), biases where Nengo has them: on the neurons, or on the
connection from a constant to an output. A bias belongs to the op in front of the neurons, if it goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from snnc_nengo.build import Built

from snnc.api import AnyArray, Array, Graph, LoweringError, Neurons, Op, Synapse, ops, transposed
from snnc_nengo_dl.linear import TensorTransform
from snnc_nengo_dl.maps import TensorMap

WEIGHTED: Mapping[type[Op], str] = {ops.Dense: "weight", ops.Conv: "kernel", transposed.ConvTranspose: "kernel"}
"""Ops whose weights and biases can be trained, and the name of their weights."""
UNIFORM = 1e-6
"""How far biases of one channel may differ and be one number, relative to the largest: the rounding of float32."""


@dataclass(frozen=True)
class Bias:
    """Where the bias of an op is."""

    op: str
    """The node of the graph whose bias it is."""
    reader: str
    """The population or output whose constant it makes."""
    obj: Any
    """The ensemble, or the connection from a constant."""


@dataclass(frozen=True)
class Trainable:
    """The parameters of a network."""

    weights: Mapping[str, Any]
    """The connection that applies the weights of a node."""
    biases: tuple[Bias, ...]


def trainable(graph: Graph, built: Built) -> Trainable:
    """Return what of a network can be trained and taken back."""
    weights, outputs = {}, {}
    for connection in built.network.all_connections:
        found = _map(connection)
        if found is not None and found.bias:
            outputs[found.node] = connection
        elif found is not None and found.weights is not None:
            weights[found.node] = connection
    biases = []
    for node in graph:
        if isinstance(node.op, Neurons) and (holder := bias_holder(graph, graph.sources(node.name)[0], node.name)):
            biases.append(Bias(holder, node.name, built.objects[node.name].ensemble))
        elif node.name in outputs and (holder := bias_holder(graph, node.name, None)):
            biases.append(Bias(holder, node.name, outputs[node.name]))
    return Trainable(weights, tuple(biases))


def bias_holder(graph: Graph, name: str, reader: str | None) -> str | None:
    """Return the node whose bias is the constant part of a value that only ``reader`` reads, or None."""
    while graph.sole_reader(name) == reader if reader else not graph.readers(name):
        if reader and graph.is_output(name):
            return None
        op = graph[name].op
        if type(op) in WEIGHTED:
            return name if op.is_linear else None
        if not isinstance(op, (ops.Identity, Synapse)):
            return None
        name, reader = graph.sources(name)[0], name
    return None


def absorbed(graph: Graph, parameters: Trainable, read: Callable[[Any, str], Array]) -> Graph:
    """Return the graph with trained parameters.

    Args:
        graph: what the network was built of.
        parameters: what was trained.
        read: gives the trained value of an object's ``weights`` or ``bias``.

    Raises:
        LoweringError: the graph has no place for what was trained; names the layer.

    """
    trained = graph.copy()
    for name, connection in parameters.weights.items():
        before = _map(connection)
        assert before is not None and before.weights is not None
        after = read(connection, "weights").reshape(before.weights.shape)
        if not np.array_equal(after, before.weights):
            op = graph[name].op
            _set(trained, name, WEIGHTED[type(op)], _unscaled(name, after, before))
    biases = {bias.op: bias for bias in parameters.biases}
    constants: dict[str, Array] = {}
    for node in graph:
        sources = [constants[s] for s in trained.sources(node.name)]
        if node.name in biases:
            _absorb_bias(trained, biases[node.name], sources[0], graph, read)
        op = trained[node.name].op
        # an output's signal is its whole value
        if op.is_linear and sources and not graph.is_output(node.name):
            constants[node.name] = op.evaluate(*(c[None] for c in sources))[0]
        else:
            constants[node.name] = np.zeros(node.type.shape, dtype=np.float32)
    return trained


def _absorb_bias(trained: Graph, bias: Bias, constant: Array, graph: Graph, read: Callable[[Any, str], Array]) -> None:
    """Set the bias of an op so that the network of the trained graph has the trained constant."""
    reader, op = graph[bias.reader], trained[bias.op].op
    if isinstance(reader.op, Neurons):
        after, before = read(bias.obj, "bias"), np.asarray(bias.obj.bias, dtype=np.float32)
        scale = np.broadcast_to(np.asarray(reader.op.scale, dtype=np.float64), reader.type.shape).ravel()
        model = reader.op.model
        values = (after.astype(np.float64) - model.offset) * scale / model.gain
    else:
        found = _map(bias.obj)
        assert found is not None and found.weights is not None
        after, before = read(bias.obj, "weights").ravel(), found.weights.ravel()
        values = after.astype(np.float64)
    if np.array_equal(after, before) and not constant.any():
        return
    zero = type(op)(**{**op.attrs(), "bias": np.zeros(trained[bias.op].type.shape[-1])})
    flowing = zero.evaluate(constant[None])[0]
    rows = (values.reshape(reader.type.shape) - flowing).reshape(-1, reader.type.shape[-1])
    mean = rows[0] if not flowing.any() else rows.mean(axis=0)
    if np.abs(rows - mean).max() > UNIFORM * max(np.abs(values).max(), 1e-30) * 10:
        raise LoweringError(
            f"node {bias.op!r}: its trained bias differs from place to place, because its input has a constant part; "
            "compile at level 1, which merges linear layers, and train again"
        )
    _set(trained, bias.op, "bias", mean.astype(np.float32))


def _unscaled(name: str, weights: Array, found: TensorMap) -> Array:
    """Return weights without the factors that became part of them."""
    if found.factor is None:
        return weights
    if not np.all(found.factor):
        raise LoweringError(f"node {name!r}: what it reads is multiplied by 0, so that its trained weights are unknown")
    return np.asarray(weights.astype(np.float64) / found.factor, dtype=np.float32)


def _set(graph: Graph, name: str, field: str, value: AnyArray) -> None:
    op = graph[name].op
    graph.replace(name, type(op)(**{**op.attrs(), field: value}))


def _map(connection: Any) -> TensorMap | None:
    transform = connection.transform
    return transform.map if isinstance(transform, TensorTransform) else None
