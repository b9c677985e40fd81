"""Move synapses past sums, and past linear layers with fewer outputs, so that a step filters less.

Linear maps commute, so only rounding changes; biases stay outside of the filter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import frozen_array
from snnc.neurons import Synapse


def move_filters(graph: Graph, keep: Collection[str]) -> None:
    """Filter a sum instead of its summands, and behind linear ops that give fewer values; none but rounding changes.

    A filter and a linear map may change places; the layer's bias must not be filtered. ``keep`` are nodes whose
    values are wanted. Nengo's connections put filters where they are short as well.
    """
    for node in graph:
        if isinstance(node.op, ops.Add) and node.name not in keep:
            _join(graph, node, keep)
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


def _join(graph: Graph, add: Node, keep: Collection[str]) -> None:
    """Put one filter behind a sum whose summands, or those before they are scaled, are all filtered alike."""
    filters: list[Node] = []
    for source in graph.sources(add.name):
        reader, name = add.name, source
        while _scales(graph[name]) and graph.sole_reader(name) == reader and name not in keep:
            reader, name = name, graph.sources(name)[0]
        alone = graph.sole_reader(name) == reader and name not in keep
        if not alone or not isinstance(graph[name].op, Synapse) or (filters and graph[name].op != filters[0].op):
            return
        filters.append(graph[name])
    for synapse in filters:
        graph.remove(synapse.name)
    weighted = graph.fresh_name(f"{add.name}.weighted")
    graph.add(weighted, add.op, graph.sources(add.name))
    graph.rebuild(add.name, filters[0].op, [weighted])


def _scales(node: Node) -> bool:
    return isinstance(node.op, ops.Affine) and not node.op.shift.any()


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
    graph.rebuild(layer, ops.Affine(scale=frozen_array(1.0), shift=op.bias), [filtered])
    return filtered
