"""Where the channels are: the IR has them last, a Keras layer may have them first."""

from __future__ import annotations

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, layer_error, stream_error
from snnc.ir.op import Op
from snnc.ir.types import Shape
from snnc.ops.causal import LastStep
from snnc.ops.kernels.convolve import spatial


def channels_first(layer: Layer) -> bool:
    """Return whether the layer's channels come before its spatial axes; files of early Keras do not always say."""
    data_format = layer.config.get("data_format") or "channels_last"
    if data_format not in ("channels_first", "channels_last"):
        raise layer_error(layer, f"its data_format {data_format!r} is unknown")
    return bool(data_format == "channels_first")


def to_last(layer: Layer, source: str, builder: Builder) -> str:
    """Return the tensor with its channels last, permuted if the layer has them first."""
    rank = len(builder.type(source).shape)
    if not channels_first(layer) or rank < 2:
        return source
    return builder.add(ops.Permute(order=(*range(1, rank), 0)), source, step="channels-last")


def channels(layer: Layer, source: str, builder: Builder) -> int:
    """Return the number of channels of a tensor that the layer reads."""
    shape = builder.type(source).shape
    if not shape:
        raise layer_error(layer, "its input has no channels")
    return shape[0] if channels_first(layer) else shape[-1]


def add_spatial(layer: Layer, source: str, builder: Builder, *run: Op) -> str:
    """Add channels-last ops one behind the other, permuted before and back again if the layer has channels first.

    The last of them gets the layer's name, the others the name of their kind behind it.
    """
    rank = len(builder.type(source).shape)
    back = ops.Permute(order=(rank - 1, *range(rank - 1))) if channels_first(layer) else None
    return add_run(to_last(layer, source, builder), builder, *run, back)


def add_run(source: str, builder: Builder, *run: Op | None) -> str:
    """Add ops one behind the other, the last under the layer's name; None is left out."""
    *before, last = [op for op in run if op is not None]
    for op in before:
        source = builder.add(op, source, step=op.kind)
    return builder.add(last, source)


def over_joined_axes(builder: Builder, source: str, over: Shape, op: Op) -> str:
    """Add an op over the last axis that keeps the shape, over several axes taken as one."""
    shape = builder.type(source).shape
    kept = tuple(axis for axis in range(len(shape)) if axis not in over)
    order = (*kept, *over)
    moved = builder.add(ops.Permute(order=order), source, step="permute")
    joined = builder.add(ops.Reshape(shape=(*(shape[axis] for axis in kept), -1)), moved, step="reshape")
    made = builder.add(op, joined, step=op.kind)
    parted = builder.add(ops.Reshape(shape=tuple(shape[axis] for axis in order)), made, step="parted")
    return builder.add(ops.Permute(order=tuple(order.index(axis) for axis in range(len(shape)))), parted)


def add_scaled(layer: Layer, source: str, builder: Builder, factor: float, step: str = "") -> str:
    """Add the product of a tensor and a number."""
    scale = layer.once(f"times {factor}", lambda: np.array(factor, dtype=np.float32))
    return builder.add(ops.Affine(scale=scale, shift=layer.zeros()), source, step=step)


def add_last(builder: Builder, op: Op, *sources: str, keepdims: bool = False, step: str = "") -> str:
    """Add an op on a stream whose output in the last step is what the layer gives; return that.

    Args:
        builder: of the layer.
        op: what runs every step.
        sources: its inputs.
        keepdims: whether an axis of size one takes the place of time.
        step: name of the node behind the layer's.

    """
    running = builder.add(op, *sources, step=f"{step}.{op.kind}" if step else op.kind)
    if not keepdims:
        return builder.add(LastStep(), running, step=step)
    last = builder.add(LastStep(), running, step=f"{step}.last" if step else "last")
    return builder.add(ops.Reshape(shape=(1, *builder.type(last).shape)), last, step=step)


def spatial_rank(layer: Layer) -> int:
    """Return the number of spatial axes, which the class is named after."""
    return int(layer.class_name.removesuffix("Transpose")[-2])


def sizes(layer: Layer, key: str, rank: int, default: int | None = None, *, allow_zero: bool = False) -> Shape:
    """Return one positive number an axis from the layer's config."""
    value = default if layer.config.get(key) is None else layer.config[key]
    try:
        numbers = spatial(value, rank)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != rank or any(n < (0 if allow_zero else 1) for n in numbers):
        raise layer_error(layer, f"its {key} {value!r} is not {rank} positive number(s)")
    return numbers


def axis_without_batch(layer: Layer, axis: int, rank: int) -> int:
    """Return a Keras axis, which counts the batch (and time), as one of ``rank`` axes without it.

    Args:
        layer: named in the error.
        axis: as Keras writes it; negative from the end.
        rank: number of axes without the batch, and without time in a temporal model.

    """
    if layer.temporal:
        if axis == 1 or axis + rank == -1:
            raise stream_error(layer, f"its axis {axis} is time")
        axis = axis - 1 if axis > 1 else axis
    place = axis - 1 if axis >= 0 else axis + rank
    if axis == 0 or not 0 <= place < rank:
        raise layer_error(layer, f"its axis {axis} is the batch axis or outside an input of {rank} axes")
    return place
