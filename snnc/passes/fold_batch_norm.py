"""Fold batch normalisation into the weights beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias, TypeVar

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.rewrite import rewrite
from snnc.ir.types import Array
from snnc.passes.base import Context, Pass, Stage

Linear: TypeAlias = ops.Dense | ops.Conv
L = TypeVar("L", ops.Dense, ops.Conv)


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold an affine map into the Dense or Conv before it, else into the one after it, else leave it an affine.

    W' = W * scale, b' = b * scale + shift (Rueckauer et al. 2017), per output channel; into the layer after,
    W' = scale * W per input channel and b' = b + shift W, where no padding would see the shift.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %bn = batch-norm(%conv) {...} : rate[6,6,4]

    After::

        %bn = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]  ; fold-batch-norm
    """

    name: ClassVar[str] = "fold-batch-norm"
    stage: ClassVar[Stage] = Stage.FUSE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        rewrite(graph, ops.BatchNorm, lambda op: ops.Affine(scale=op.affine()[0], shift=op.affine()[1]))
        _fold_into(graph, ops.Dense)
        _fold_into(graph, ops.Conv)

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph.nodes(ops.BatchNorm):
            yield f"node {node.name!r} is a batch normalisation"


def _fold_into(graph: Graph, linear: type[L]) -> None:
    for before, affine in graph.chains(linear, ops.Affine):
        folded = fold_back(before, affine)
        if folded is not None:
            graph.fuse((before, affine), folded)
    for affine, after in graph.chains(ops.Affine, linear):
        folded = fold_forward(affine, after)
        if folded is not None:
            graph.fuse((affine, after), folded)


def _per_channel(array: Array, channels: int) -> Array | None:
    """Return a scale or shift as one number a channel, or None where it differs within a channel."""
    if array.ndim and array.size != array.shape[-1]:
        return None
    return np.broadcast_to(array.reshape(-1), (channels,)).astype(np.float64)


def fold_back(node: Node[Linear], affine: Node[ops.Affine]) -> Linear | None:
    """Return the Dense or Conv that computes itself and then the affine map."""
    op, a = node.op, affine.op
    channels = op.bias.shape[0]
    scale, shift = _per_channel(a.scale, channels), _per_channel(a.shift, channels)
    if op.activation is not None or scale is None or shift is None:
        return None
    bias = (op.bias * scale + shift).astype(np.float32)
    if isinstance(op, ops.Dense):
        return replace(op, weight=(op.weight * scale).astype(np.float32), bias=bias)
    return replace(op, kernel=(op.kernel * scale).astype(np.float32), bias=bias)


def fold_forward(affine: Node[ops.Affine], node: Node[Linear]) -> Linear | None:
    """Return the Dense or Conv that computes the affine map of its input first."""
    op, a = node.op, affine.op
    channels = affine.type.shape[-1]
    scale, shift = _per_channel(a.scale, channels), _per_channel(a.shift, channels)
    if scale is None or shift is None:
        return None
    if isinstance(op, ops.Dense):
        bias = op.bias + shift @ op.weight
        return replace(op, weight=(op.weight * scale[:, None]).astype(np.float32), bias=bias.astype(np.float32))
    padded = any(a or b for a, b in op.pads(affine.type.shape[:-1]))
    if op.groups != 1 or (padded and shift.any()):
        return None
    moved = np.tensordot(op.kernel.astype(np.float64), shift, axes=([-2], [0]))
    bias = op.bias + moved.sum(axis=tuple(range(moved.ndim - 1)))
    return replace(op, kernel=(op.kernel * scale[:, None]).astype(np.float32), bias=bias.astype(np.float32))
