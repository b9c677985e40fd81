"""Layers that move elements about."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.layout import add_spatial, to_last
from snnc.ir import ops
from snnc.ir.convolve import Pads


@importer("keras", "Flatten")
def flatten(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """All elements in one row, channels last."""
    return builder.add(ops.Reshape(shape=(-1,)), to_last(layer, inputs[0], builder))


@importer("keras", "Reshape")
def reshape(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Any shape of the same size; one entry may be -1."""
    return builder.add(ops.Reshape(shape=tuple(layer.config["target_shape"])), *inputs)


@importer("keras", "Permute")
def permute(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Any order of the axes but the batch."""
    return builder.add(ops.Permute(order=tuple(int(n) - 1 for n in layer.config["dims"])), *inputs)


def pairs(layer: Layer, key: str, rank: int) -> Pads:
    """Return one (before, after) pair an axis from a number, a number an axis, or the pairs themselves."""
    value = layer.config.get(key)
    if isinstance(value, int):
        value = [value] * rank
    if rank == 1 and isinstance(value, Sequence) and len(value) == 2 and all(isinstance(n, int) for n in value):
        value = [value]
    if not isinstance(value, Sequence) or len(value) != rank:
        raise layer_error(layer, f"its {key} {value!r} does not fit {rank} axes")
    both = [(n, n) if isinstance(n, int) else tuple(n) for n in value]
    if any(len(pair) != 2 or not all(isinstance(n, int) and n >= 0 for n in pair) for pair in both):
        raise layer_error(layer, f"its {key} {value!r} is not a pair of whole numbers an axis")
    return tuple((int(a), int(b)) for a, b in both)


def _zero_padding(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    op = ops.ZeroPad(padding=pairs(layer, "padding", int(layer.class_name[-2])))
    return add_spatial(layer, inputs[0], builder, op)


ALIKE = [importer("keras", f"ZeroPadding{rank}D")(_zero_padding) for rank in (1, 2, 3)]
"""Zeros around the spatial axes, in both layouts."""
