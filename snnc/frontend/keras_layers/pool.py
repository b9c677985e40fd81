"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, stream_error
from snnc.frontend.keras_layers.conv import padding
from snnc.frontend.keras_layers.layout import add_last, add_spatial, channels_first, sizes, spatial_rank, to_last
from snnc.ir.op import Op
from snnc.ops.causal import Running
from snnc.ops.reduce import MaskedMean


def _pooling(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pool windows of any size and stride, valid or same, in both layouts; padding does not count."""
    kind = ops.AvgPool if layer.class_name.startswith("Average") else ops.MaxPool
    rank = spatial_rank(layer)
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


def _pooling_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pool all steps at once: the average or maximum so far."""
    size, length = sizes(layer, "pool_size", 1, 2), builder.sequences.length
    if size != (length,) or padding(layer, size, (1,)) != "valid" or channels_first(layer):
        raise stream_error(layer, f"it pools windows of {size} steps, not the whole sequence")
    return _so_far(layer, inputs, builder, keepdims=True)


def _global_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pool over time: the average or maximum so far; an average leaves masked steps out."""
    if channels_first(layer):
        raise stream_error(layer, "it takes axis 1 for the channels")
    return _so_far(layer, inputs, builder, keepdims=bool(layer.config.get("keepdims")))


def _so_far(layer: Layer, inputs: Sequence[str], builder: Builder, *, keepdims: bool) -> str:
    function = "mean" if "Average" in layer.class_name else "max"
    masked = layer.class_name == "GlobalAveragePooling1D" and inputs[0] in builder.masks
    masks = [builder.masks[inputs[0]]] if masked else []
    return add_last(builder, Running(function=function), inputs[0], *masks, keepdims=keepdims)


ALIKE = [
    importer("keras", f"{kind}Pooling{rank}D", temporal=stepwise if rank == 1 else None)(function)
    for function, stepwise, kinds in (
        (_pooling, _pooling_in_time, ("Average", "Max")),
        (_global, _global_in_time, ("GlobalAverage", "GlobalMax")),
    )
    for kind in kinds
    for rank in (1, 2, 3)
]
"""Average and maximum over windows or over all, in both layouts."""
