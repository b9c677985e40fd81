"""A graph, lowered node by node, and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snnc.api import AnyArray, Graph, LoweringContext, LoweringError, is_temporal
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Lowered, Site, StatefulFunction, Tensor, Tensors


class LoweredGraph:
    """A graph with the lowered form of every node, shared by all functions that run it."""

    def __init__(self, graph: Graph, target: LoweringContext) -> None:
        """Lower every node; raise UnsupportedOpError naming those that have no lowering."""
        target.lowerings.require(graph)
        self.graph = graph
        self.weights: list[Any] = []
        """The variables."""
        self.lowered: dict[str, Lowered] = {n.name: self._lower(n.name, target) for n in graph if n.op.arity != 0}
        self.steps = {name: lowered for name, lowered in self.lowered.items() if isinstance(lowered, StatefulFunction)}
        """The nodes that have a state."""

    def _lower(self, name: str, target: LoweringContext) -> Lowered:
        node = self.graph[name]
        types = tuple(self.graph[s].type for s in self.graph.sources(name))
        site = Site(node, types, target.dt, target.seed, target.lowerings, self.weights)
        lowered = target.lowerings.lower(node.op, site)
        if not isinstance(lowered, (Function, StatefulFunction)) and callable(lowered):
            lowered = Function(lowered)
        if isinstance(lowered, (Function, StatefulFunction)):
            return replace(lowered, host=True, fuse=False) if site.inner_on_host else lowered
        raise LoweringError(
            f"node {name!r}: the lowering of {node.op.kind!r} for TensorFlow gave {type(lowered).__name__}, "
            "neither a Function nor a StatefulFunction"
        )

    @property
    def on_host(self) -> list[str]:
        """Return the nodes that call Python."""
        return [name for name, lowered in self.lowered.items() if lowered.host]

    def input_types(self) -> Tensors:
        """Return the types of the inputs, by name, for any batch, and sequences of any length."""
        free = (None, None) if is_temporal(self.graph) else (None,)
        return {n: tf.TensorSpec((*free, *self.graph[n].type.shape), tf.float32) for n in self.graph.inputs}

    def state_types(self) -> dict[str, Tensors]:
        """Return the types of the state, by node and part, for any batch."""

        def spec(lowered: StatefulFunction, part: str, value: AnyArray) -> Any:
            value = np.asarray(value)
            batch: tuple[Any, ...] = () if part in lowered.shared else (None,)
            return tf.TensorSpec((*batch, *value.shape), value.dtype)

        return {n: {k: spec(low, k, v) for k, v in low.start.items()} for n, low in self.steps.items()}

    def start(self, batch: Tensor) -> dict[str, Tensors]:
        """Return the state before the first step, by node and part."""

        def first(lowered: StatefulFunction, part: str, value: AnyArray) -> Tensor:
            one = tf.constant(value)
            return one if part in lowered.shared else tf.repeat(one[None], batch, axis=0)

        return {n: {k: first(low, k, v) for k, v in low.start.items()} for n, low in self.steps.items()}

    def call(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        """Return the value of a node without a state."""
        lowered = self.lowered[name]
        assert isinstance(lowered, Function)
        return lowered.call(*(values[s] for s in self.graph.sources(name)))

    def drive(self, name: str, values: Mapping[str, Tensor]) -> Any:
        """Return all of a stateful node's step that depends on its inputs alone."""
        return self.steps[name].drive(*(values[s] for s in self.graph.sources(name)))

    def finish(self, means: Mapping[str, Tensor], nodes: Sequence[str]) -> dict[str, Tensor]:
        """Return the values of affine nodes from those that they read."""
        values = dict(means)
        for name in nodes:
            values[name] = self.call(name, values)
        return values
