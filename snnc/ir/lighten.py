"""Do less in every step: filters where vectors are short."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from snnc.ir import ops
from snnc.ir.graph import Graph
from snnc.ir.neurons import Synapse
from snnc.ir.node import Node


def lighten(graph: Graph, keep: Collection[str]) -> None:
    """Move each filter behind the linear ops that read it, where those give fewer values; none but rounding changes.

    A filter and a linear map may change places; the layer's bias must not be filtered. ``keep`` are nodes whose
    values are wanted. Nengo's connections put filters where they are short as well.
    """
    waiting = [node.name for node in graph if isinstance(node.op, Synapse) and node.name not in keep]
    while waiting:
        node = graph[waiting.pop()]
        first = graph.sole_reader(node.name)
        layer = first
        while layer is not None and isinstance(graph[layer].op, ops.Reshape) and layer not in keep:
            layer = graph.sole_reader(layer)
        if first is None or layer is None or not _shortens(graph[layer], node.type.size):
            continue
        moved = _move(graph, node, first, layer)
        if moved not in keep:
            waiting.append(moved)
    graph.prune()


def _shortens(layer: Node, size: int) -> bool:
    linear = isinstance(layer.op, (ops.Dense, ops.Conv, ops.AvgPool, ops.GlobalAvgPool)) and layer.op.is_linear
    return linear and layer.type.size < size


def _move(graph: Graph, synapse: Node, first: str, layer: str) -> str:
    """Return the name of the filter behind the layer."""
    op = graph[layer].op
    if first == layer:
        sources = graph.sources(synapse.name)
    else:
        graph.rebuild(first, graph[first].op, graph.sources(synapse.name))
        sources = graph.sources(layer)
    weighted = graph.fresh_name(f"{layer}.weighted")
    if not (isinstance(op, (ops.Dense, ops.Conv)) and op.bias.any()):
        graph.add(weighted, op, sources)
        graph.rebuild(layer, synapse.op, [weighted])
        return layer
    filtered = graph.fresh_name(f"{layer}.filtered")
    graph.add(weighted, replace(op, bias=np.zeros_like(op.bias)), sources)
    graph.add(filtered, synapse.op, [weighted])
    graph.rebuild(layer, ops.Affine(scale=np.ones(1, dtype=np.float32), shift=op.bias), [filtered])
    return filtered
