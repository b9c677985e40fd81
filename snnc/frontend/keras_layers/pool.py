"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.frontend.base import Builder, Layer, importer
from snnc.frontend.keras_layers.conv import padding
from snnc.frontend.keras_layers.layout import add_spatial, channels_first, sizes, to_last
from snnc.ir import ops
from snnc.ir.op import Op
from snnc.ir.reduce import MaskedMean


def _pooling(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pool windows of any size and stride, valid or same, in both layouts; padding does not count."""
    kind = ops.AvgPool if layer.class_name.startswith("Average") else ops.MaxPool
    rank = int(layer.class_name[-2])
    size = sizes(layer, "pool_size", rank, 2)
    strides = sizes(layer, "strides", rank) if layer.config.get("strides") is not None else size
    op = kind(size=size, strides=strides, padding=padding(layer, size, (1,) * rank))
    return add_spatial(layer, inputs[0], builder, op)


def _global(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pool all of space, in both layouts; an average over time leaves masked steps out."""
    op: Op = ops.GlobalAvgPool() if "Average" in layer.class_name else ops.GlobalMaxPool()
    x = to_last(layer, inputs[0], builder)
    sources = [x]
    if layer.class_name == "GlobalAveragePooling1D" and inputs[0] in builder.masks:
        op, sources = MaskedMean(), [x, builder.masks[inputs[0]]]
    if not layer.config.get("keepdims"):
        return builder.add(op, *sources)
    shape, pooled = builder.type(x).shape, builder.add(op, *sources, step=op.kind)
    ones = (1,) * (len(shape) - 1)
    return builder.add(ops.Reshape(shape=(shape[-1], *ones) if channels_first(layer) else (*ones, shape[-1])), pooled)


ALIKE = [
    importer("keras", f"{kind}Pooling{rank}D")(function)
    for function, kinds in ((_pooling, ("Average", "Max")), (_global, ("GlobalAverage", "GlobalMax")))
    for kind in kinds
    for rank in (1, 2, 3)
]
"""Average and maximum over windows or over all, in both layouts."""
