"""Build the network that NengoDL simulates, and tell NengoDL how."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl.graph_optimizer import (
    default_simplifications,
    noop_order_signals,
    noop_planner,
    remove_identity_muls,
)
from snnc_nengo.build import Built, NetworkBuilder, build
from snnc_nengo.connections import ConnectionPath
from snnc_nengo.site import Site

from snnc.api import Array, Graph, LoweringContext, Neurons, Node, TensorType, is_temporal
from snnc_nengo_dl.fuse import Fuse
from snnc_nengo_dl.host import TensorSite
from snnc_nengo_dl.tensor_transform import TensorMap, padded
from snnc_nengo_dl.training import WEIGHTED, Trainable, channels, tied, trainable


class TensorBuilder(NetworkBuilder):
    """Makes the objects of a network for NengoDL."""

    def site(self, node: Node, inputs: tuple[TensorType, ...], constants: tuple[Array, ...]) -> Site:
        rules = self.target.others["tensorflow"]
        return TensorSite(node, inputs, constants, self.target.seed, self.target.dt, rules)

    def connect(self, source: Any, target: Any, link: ConnectionPath, label: str) -> None:
        whole = link.size == target.size_in
        wide = None if whole else padded(link.transform, link.size, link.at, target.size_in)
        if wide is not None:
            link = ConnectionPath(target.size_in, wide, link.synapse)
        super().connect(source, target, link, label)

    def add_bias(self, name: str, bias: Array, target: Any) -> None:
        one = nengo.Node(np.ones(1), label=f"{name}.bias")
        shared = channels(self.graph[name])

        def apply(x: Any, weights: Any) -> Any:
            return x * tied(weights, shared)

        weights = TensorMap(apply, 1, bias.size, bias[None], node=name, bias=True)
        nengo.Connection(one, target, transform=weights.nengo(), synapse=None, label=f"{one.label} -> {name}")


class TrainedBuilder(TensorBuilder):
    """Makes a network to train: gradients of weights need the whole value that they read, with its constant part."""

    def takes_constant(self, node: Node, constant: Array) -> bool:
        name, trained = node.name, type(node.op) in WEIGHTED
        read = any(type(self.graph[reader].op) in WEIGHTED for reader, _ in self.graph.readers(name))
        return (read or self.graph.is_output(name)) and (trained or bool(np.any(constant)))


class HeldBuilder(TensorBuilder):
    """Makes a network whose inputs are variables, so that they need no copy for every step."""

    def __init__(self, graph: Graph, target: LoweringContext, network: Any, held: Mapping[str, Any]) -> None:
        """Take the variable of each input, ``(batch, size)``."""
        super().__init__(graph, target, network)
        self.held = held

    def input(self, node: Node) -> Any:
        variable, dt = self.held[node.name], self.target.dt

        def slice_at(t: Any) -> Any:
            return tf.gather(variable, tf.cast(tf.round(t / dt), tf.int32) - 1, axis=1)

        shown = slice_at if is_temporal(self.graph) else lambda t: variable.read_value()
        return nengo_dl.TensorNode(shown, shape_out=(node.type.size,), pass_time=True, label=node.name)


def built(graph: Graph, target: LoweringContext) -> tuple[Built, Trainable]:
    """Return the network of a graph and what of it can be trained, with settings under which NengoDL is fast."""
    result = build(graph, target, TrainedBuilder)
    parameters = trainable(graph, result)
    configure(result)
    config = result.network.config
    for connection in parameters.weights.values():
        config[connection].trainable = True
    for bias in parameters.biases:
        config[getattr(bias.obj, "neurons", bias.obj)].trainable = True
    return result, parameters


def built_on(graph: Graph, target: LoweringContext, held: Mapping[str, Any]) -> Built:
    """Return the network of a graph whose inputs are variables; it cannot be trained."""
    return build(graph, target, functools.partial(HeldBuilder, held=held))


SIMPLIFICATIONS = tuple(rule for rule in default_simplifications if rule is not remove_identity_muls)
"""Without the one that takes factors within 1e-5 of 1 for 1, such as those of an untrained batch normalisation."""


def configure(built: Built, inference_only: bool = False, more: Sequence[Callable[[Any], Any]] = ()) -> None:
    """Set NengoDL's settings of a network.

    - noop planner: merging signals into large arrays is what the default one does; on a CPU every write to a part of
      one copies it all;
    - our simplification first, that makes one operator of each population;
    - no state between calls: every sample starts afresh.
    """
    populations = [node for node in built.graph if isinstance(node.op, Neurons)]
    fuse: Callable[[Any], Any] = Fuse({f"{built.objects[n.name].ensemble}.bias": n for n in populations})
    with built.network:
        nengo_dl.configure_settings(
            planner=noop_planner,
            sorter=noop_order_signals,
            simplifications=[*more, fuse, *SIMPLIFICATIONS],
            stateful=False,
            inference_only=inference_only,
            trainable=False,
            keep_history=True,
        )
