"""What attention leaves out: the masks of its inputs, a mask of its own, and the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, layer_error
from snnc.frontend.keras_layers.operands import enlarge, number
from snnc.ir.types import Array, Shape
from snnc.ops.combine import Minimum, Multiply
from snnc.ops.functions import NotEqual

FAR_BELOW = 1e9
"""What Keras takes from scores that do not count."""


@dataclass(frozen=True)
class Mask:
    """1 where a score counts, else 0; it broadcasts to the scores from the right."""

    node: str | None = None
    """What depends on the inputs, None where nothing does."""
    known: Array | None = None
    """What is known beforehand: the mask is the product of both."""

    def __bool__(self) -> bool:
        return self.node is not None or self.known is not None


def join(builder: Builder, nodes: Sequence[str], known: Array | None) -> Mask:
    """Return a mask that keeps what all of them keep.

    Args:
        builder: of the layer.
        nodes: masks of 0 and 1 that broadcast against each other.
        known: a mask that is known beforehand, if any.

    """
    different = list(dict.fromkeys(nodes))
    if not different:
        return Mask(known=known)
    node = builder.add(Minimum(), *different, step="mask") if len(different) > 1 else different[0]
    if known is not None:
        shape = tuple(np.broadcast_shapes(builder.type(node).shape, known.shape))
        node, known = enlarge(builder.part("mask"), node, shape), np.broadcast_to(known, shape)
    return Mask(node, known)


def below_diagonal(rows: int, columns: int) -> Array:
    """Return the causal mask: a query counts what is not behind it."""
    return np.tri(rows, columns, dtype=np.float32)


def near_diagonal(rows: int, columns: int, width: int) -> Array:
    """Return the mask of a sliding window: a query counts what is less than ``width`` places away."""
    away = np.abs(np.arange(rows)[:, None] - np.arange(columns))
    return (away < width).astype(np.float32)


def inserted(shape: Shape, axis: int, count: int = 1) -> Shape:
    """Return a shape with axes of size one in front of an axis, which may be counted from the end."""
    axis = axis if axis >= 0 else len(shape) + axis
    return (*shape[:axis], *(1,) * count, *shape[axis:])


def with_axes(builder: Builder, node: str, axis: int, step: str, count: int = 1) -> str:
    """Put axes of size one in front of an axis."""
    if not count:
        return node
    return builder.add(ops.Reshape(shape=inserted(builder.type(node).shape, axis, count)), node, step=step)


def spread(layer: Layer, builder: Builder, mask: Mask, rank: int, axes: int) -> Mask:
    """Give a mask the axes of the scores that it lacks, in front of those of queries and keys.

    Args:
        layer: named in errors.
        builder: of the layer.
        mask: whose last axes are those of queries and keys.
        rank: of the scores.
        axes: how many axes queries and keys have together.

    """
    node, known = mask.node, mask.known
    for shape in (*([builder.type(node).shape] if node else []), *([known.shape] if known is not None else [])):
        if not axes <= len(shape) <= rank:
            raise layer_error(layer, f"a mask of {len(shape)} axes does not fit scores of {rank}, the batch left out")
    if node is not None:
        own = len(builder.type(node).shape)
        node = with_axes(builder, node, own - axes, "mask.spread", rank - own)
    if known is not None:
        known = known.reshape(inserted(known.shape, known.ndim - axes, rank - known.ndim))
    return Mask(node, known)


def mask_scores(builder: Builder, scores: str, mask: Mask) -> str:
    """Put scores that do not count far below all others, as Keras does."""
    if mask.node is None:
        if mask.known is None:
            return scores
        below = (mask.known - 1) * FAR_BELOW
        return builder.add(ops.Affine(scale=number(1), shift=below), scores, step="scores.masked")
    counts = mask.node
    if mask.known is not None:
        counts = builder.add(ops.Affine(scale=mask.known, shift=number(0)), counts, step="mask.known")
    # not 1e9 * mask - 1e9, which a backend may add to the scores number by number, so that these are lost in rounding
    hidden = builder.add(NotEqual(value=1.0), counts, step="mask.hidden")
    added = builder.add(ops.Affine(scale=number(-FAR_BELOW), shift=number(0)), hidden, step="mask.below")
    return builder.add(ops.Add(), scores, added, step="scores.masked")


def clear(builder: Builder, weights: str, mask: Mask) -> str:
    """Make weights that do not count zero, even where none of a row counts."""
    if mask.known is not None:
        weights = builder.add(ops.Affine(scale=mask.known, shift=number(0)), weights, step="weights.known")
    return weights if mask.node is None else builder.add(Multiply(), weights, mask.node, step="weights.cleared")
