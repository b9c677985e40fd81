"""Merge linear ops in a row into one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op, frozen_array
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.drop_identities import is_identity
from snnc.passes.fold_batch_norm import fold_back, fold_forward


@dataclass(frozen=True)
class FuseLinear(Pass):
    """Merge neighbours that are one linear op: nothing that runs every step is computed in two.

    Before::

        %x = input() {shape=(8)} : rate[8]
        %a = dense(%x) {weight=f32[8,8] ...} : rate[8]
        %b = dense(%a) {weight=f32[8,4] ...} : rate[4]

    After::

        %b = dense(%x) {weight=f32[8,4] ...} : rate[4]
    """

    name: ClassVar[str] = "fuse-linear"
    stage: ClassVar[Stage] = Stage.FUSE
    after: ClassVar[tuple[str, ...]] = ("fold-batch-norm",)
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        fuse_linear(graph)

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph:
            found = _mergeable(graph, node.name)
            if found is not None:
                yield f"nodes {node.name!r} and {found[0].name!r} are one linear op"


def fuse_linear(graph: Graph) -> None:
    """Merge all neighbours that are one linear op."""
    while any([_merge(graph, node.name) for node in graph if node.name in graph]):
        pass  # a merge may allow one with the node before; each takes a node away, so this ends


def _merge(graph: Graph, name: str) -> bool:
    found = _mergeable(graph, name)
    if found is None:
        return False
    reader, merged = found
    node = graph.fuse((graph[name], reader), merged)
    if is_identity(graph, node):
        graph.remove(node.name)
    return True


def _mergeable(graph: Graph, name: str) -> tuple[Node, Op] | None:
    """Return the node's only reader and the op that does both, or None."""
    node, reader = graph[name], graph.sole_reader(name)
    if reader is None or len(graph.sources(reader)) != 1:
        return None
    rule = RULES.get((type(node.op), type(graph[reader].op)))
    merged = None if rule is None else rule(node, graph[reader])
    return None if merged is None else (graph[reader], merged)


def _dense_dense(first: Node[ops.Dense], second: Node[ops.Dense]) -> Op | None:
    a, b = first.op, second.op
    inputs, hidden = a.weight.shape
    units = b.weight.shape[1]
    if a.activation is not None or inputs * units > hidden * (inputs + units):
        return None  # a bottleneck is cheaper left as two
    weight = a.weight.astype(np.float64) @ b.weight
    bias = a.bias.astype(np.float64) @ b.weight + b.bias
    return replace(b, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _affine_affine(first: Node[ops.Affine], second: Node[ops.Affine]) -> Op | None:
    a, b = first.op, second.op
    # numbers times numbers are no arrays in numpy
    return ops.Affine(scale=frozen_array(a.scale * b.scale), shift=frozen_array(a.shift * b.scale + b.shift))


def _reshape_reshape(first: Node, second: Node) -> Op | None:
    return second.op


def _permute_permute(first: Node[ops.Permute], second: Node[ops.Permute]) -> Op | None:
    return ops.Permute(order=tuple(first.op.order[axis] for axis in second.op.order))


def _pad_pad(first: Node[ops.ZeroPad], second: Node[ops.ZeroPad]) -> Op | None:
    a, b = first.op, second.op
    return ops.ZeroPad(padding=tuple((p + r, q + s) for (p, q), (r, s) in zip(a.padding, b.padding, strict=True)))


def _pad_conv(first: Node[ops.ZeroPad], second: Node[ops.Conv]) -> Op | None:
    pad, conv = first.op, second.op
    inside = conv.pads(first.type.shape[:-1])
    joined = tuple((p + r, q + s) for (p, q), (r, s) in zip(pad.padding, inside, strict=True))
    return replace(conv, padding=joined)


RULES: dict[tuple[type[Op], type[Op]], Callable[[Node[Any], Node[Any]], Op | None]] = {
    (ops.Dense, ops.Dense): _dense_dense,
    (ops.Dense, ops.Affine): fold_back,
    (ops.Conv, ops.Affine): fold_back,
    (ops.Affine, ops.Dense): fold_forward,
    (ops.Affine, ops.Conv): fold_forward,
    (ops.Affine, ops.Affine): _affine_affine,
    (ops.Reshape, ops.Reshape): _reshape_reshape,
    (ops.Permute, ops.Permute): _permute_permute,
    (ops.ZeroPad, ops.ZeroPad): _pad_pad,
    (ops.ZeroPad, ops.Conv): _pad_conv,
}
