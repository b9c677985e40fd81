"""The parameters of a network that NengoDL trains, and the way of the trained values back into the graph.

Weights are trained as the op keeps them (a kernel, a matrix), biases where Nengo has them: on the neurons, or on the
connection from a constant. A bias belongs to the op in front of the neurons, if it goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from snnc_nengo.build import Built

from snnc.api import AnyArray, Array, Graph, LoweringError, Neurons, Node, Op, Synapse, ops
from snnc_nengo_dl.apply_map import TensorTransform
from snnc_nengo_dl.tensor_transform import TensorMap

WEIGHTED: Mapping[type[Op], str] = {ops.Dense: "weight", ops.Conv: "kernel", ops.ConvTranspose: "kernel"}
"""Ops whose weights and biases can be trained, and the name of their weights."""
UNIFORM = 1e-6
"""How far biases of one channel may differ and be one number, relative to the largest: the rounding of float32."""


@dataclass(frozen=True)
class Bias:
    """Where the bias of an op is."""

    op: str
    """The node of the graph whose bias it is."""
    reader: str
    """The population whose constant it makes, or the node that takes it."""
    obj: Any
    """The ensemble, or the connection from a constant."""


@dataclass(frozen=True)
class Trainable:
    """The parameters of a network."""

    weights: Mapping[str, Any]
    """The connection that applies the weights of a node."""
    biases: tuple[Bias, ...]


def trainable(graph: Graph, built: Built) -> Trainable:
    """Return the parameters of a network that can be trained and taken back."""
    weights, held = {}, {}
    for connection in built.network.all_connections:
        found = _map(connection)
        if found is not None and found.bias:
            held[found.node] = connection
        elif found is not None and found.weights is not None:
            weights[found.node] = connection
    biases = []
    for node in graph:
        if node.name in held and (holder := bias_holder(graph, node.name)):
            biases.append(Bias(holder, node.name, held[node.name]))
        elif isinstance(node.op, Neurons):
            (source,) = graph.sources(node.name)
            holder = bias_holder(graph, source) if graph.sole_reader(source) == node.name else None
            if holder is not None:
                biases.append(Bias(holder, node.name, built.objects[node.name].ensemble))
    return Trainable(weights, tuple(biases))


def bias_holder(graph: Graph, name: str) -> str | None:
    """Return the node whose bias is the constant part of a value, and of no other one, or None."""
    while isinstance(graph[name].op, (ops.Identity, Synapse)):
        (source,) = graph.sources(name)
        if graph.sole_reader(source) != name:
            return None
        name = source
    op = graph[name].op
    return name if type(op) in WEIGHTED and op.is_linear else None


def tied(bias: Any, channels: int | None) -> Any:
    """Return biases, a tensor; their gradients are those of ``channels`` parameters, or of as many as there are.

    Each position of a channel gets the sum of the channel's gradients, so that biases that are equal stay equal.
    """
    if channels is None:
        return bias

    @tf.custom_gradient
    def shared(values: Any) -> tuple[Any, Any]:
        def gradient(upstream: Any) -> Any:
            by_channel = tf.reshape(upstream, (-1, channels))
            return tf.reshape(tf.broadcast_to(tf.reduce_sum(by_channel, 0), tf.shape(by_channel)), tf.shape(upstream))

        return tf.identity(values), gradient

    return shared(bias)


def channels(node: Node) -> int | None:
    """Return how many biases the constant of a node stands for, if positions share them."""
    return node.type.shape[-1] if len(node.type.shape) > 1 else None


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
    for bias in parameters.biases:
        _absorb_bias(trained, bias, read)
    return trained


def _absorb_bias(graph: Graph, bias: Bias, read: Callable[[Any, str], Array]) -> None:
    """Set the bias of an op to what was trained."""
    reader = graph[bias.reader]
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
    if np.array_equal(after, before):
        return
    rows = values.reshape(-1, reader.type.shape[-1])
    if np.abs(rows - rows[0]).max() > UNIFORM * max(np.abs(values).max(), 1e-30):
        raise LoweringError(
            f"node {bias.op!r}: its trained bias differs from place to place, and a layer has one a channel; positions "
            f"share it with neurons of snnc's own, which {bias.reader!r} are not"
        )
    _set(graph, bias.op, "bias", rows[0].astype(np.float32))


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
    found = transform.map if isinstance(transform, TensorTransform) else None
    return found if isinstance(found, TensorMap) else None
