"""Write scales into the weights, for hardware whose neurons have one threshold and no gains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op, frozen_array
from snnc.ir.types import AnyArray
from snnc.neurons import Neurons, Synapse
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.fuse_linear import fuse_linear

CARRIERS: tuple[type[Op], ...] = (
    ops.AvgPool,
    ops.GlobalAvgPool,
    ops.MaxPool,
    ops.GlobalMaxPool,
    SpikingMaxPool,
    ops.ZeroPad,
    Synapse,
)
"""Ops through which a positive factor a channel passes unchanged."""


@dataclass(frozen=True)
class WriteScales(Pass):
    """Give every population the scale 1 and put its scale into the weights before and behind it.

    scale * rate(x / scale): the weights before are divided by it, those behind multiplied. On the way a factor a
    channel passes pooling, padding, synapses, reshapes and permutations, and goes into each branch; what it cannot
    pass, such as a sum with another branch, keeps an affine in front.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=spiking-relu scale=f32[4]} : spikes[6,6,4]
        %pool = global-avg-pool(%conv) : spikes[4]
        %dense = dense(%pool) {weight=f32[4,2] ...} : spikes[2]

    After::

        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]  ; write-scales
        %conv = neurons(%conv.linear) {model=spiking-relu} : spikes[6,6,4]
        %pool = global-avg-pool(%conv) : spikes[4]
        %dense = dense(%pool) {weight=f32[4,2] ...} : spikes[2]  ; write-scales
    """

    name: ClassVar[str] = "write-scales"
    stage: ClassVar[Stage] = Stage.TARGET
    after: ClassVar[tuple[str, ...]] = ("carry-changes", "carry-means")
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph:
            op = node.op
            if not isinstance(op, Neurons) or not self.concerns(node) or np.all(np.asarray(op.scale) == 1):
                continue
            scale = np.asarray(op.scale, dtype=np.float64)
            _divide(graph, node.name, scale)
            graph.replace(node.name, replace(op, scale=1.0))
            self.multiply(graph, node.name, scale)
        fuse_linear(graph)

    def concerns(self, node: Node) -> bool:
        """Return whether a population is to have the scale 1."""
        return True

    def multiply(self, graph: Graph, name: str, scale: AnyArray) -> None:
        """Multiply the output of a population by a factor, as far behind it as the factor goes."""
        _carry(graph, graph.insert_after(name, graph.fresh_name(f"{name}.times"), factor(scale)))

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph:
            if isinstance(node.op, Neurons) and self.concerns(node) and np.any(np.asarray(node.op.scale) != 1):
                yield f"the scale of {node.name!r} is not in the weights"


def factor(scale: AnyArray) -> ops.Affine:
    """Return the op that multiplies by one number, or by one a channel."""
    return ops.Affine(scale=frozen_array(scale), shift=frozen_array(0.0))


def _divide(graph: Graph, name: str, scale: AnyArray) -> None:
    """Divide the input of a population, in the weights before it where they are its alone."""
    (feed,) = graph.sources(name)
    op = graph[feed].op
    if graph.sole_reader(feed) == name and isinstance(op, ops.Dense) and op.activation is None:
        graph.replace(feed, replace(op, weight=op.weight / scale, bias=op.bias / scale))
    elif graph.sole_reader(feed) == name and isinstance(op, ops.Conv) and op.activation is None:
        graph.replace(feed, replace(op, kernel=op.kernel / scale, bias=op.bias / scale))
    else:
        graph.insert_before(name, 0, graph.fresh_name(f"{name}.divide"), factor(1 / scale))


def _carry(graph: Graph, moving: Node) -> None:
    """Move a factor as far from its population as it goes, into every branch."""
    for name in _branches(graph, moving):
        reader = graph.sole_reader(name)
        while reader is not None:
            moved = _behind(graph[name], graph[reader])
            if moved is None:
                break
            graph.remove(name)
            graph.insert_after(reader, name, moved)
            branches = _branches(graph, graph[name])
            if len(branches) > 1:
                for branch in branches:
                    _carry(graph, graph[branch])
                break
            reader = graph.sole_reader(name)


def _branches(graph: Graph, moving: Node) -> list[str]:
    """Return one factor for each reader, instead of one for all; an output keeps the first."""
    readers = graph.readers(moving.name)
    names = [moving.name]
    for reader, slot in readers[0 if graph.is_output(moving.name) else 1 :]:
        names.append(graph.fresh_name(moving.name))
        graph.add(names[-1], moving.op, graph.sources(moving.name), layers=moving.origin.layers)
        sources = [names[-1] if i == slot else s for i, s in enumerate(graph.sources(reader))]
        graph.rebuild(reader, graph[reader].op, sources)
    return names


def _behind(moving: Node, reader: Node) -> ops.Affine | None:
    """Return the factor that does behind an op what the given one does before it, or None where there is none."""
    op = moving.op
    assert isinstance(op, ops.Affine)
    scale, shape = op.scale, moving.type.shape
    if isinstance(reader.op, CARRIERS):
        return op
    if isinstance(reader.op, ops.Reshape):
        whole = np.broadcast_to(scale, shape).reshape(reader.type.shape)
        return factor(scale.reshape(()) if scale.size == 1 else _shortest(whole))
    if isinstance(reader.op, ops.Permute):
        return op if scale.size == 1 else factor(np.broadcast_to(scale, shape).transpose(reader.op.order))
    return None


def _shortest(whole: AnyArray) -> AnyArray:
    """Return one number a channel where that says the same."""
    last = whole.reshape(math.prod(whole.shape[:-1]), whole.shape[-1])
    return last[0] if bool((last == last[0]).all()) else whole
