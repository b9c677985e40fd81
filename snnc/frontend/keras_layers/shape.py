"""Layers that move, drop or repeat elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.layout import add_spatial, channels_first, sizes, spatial_rank, to_last
from snnc.frontend.keras_layers.preprocess import OTHER, interpolation
from snnc.ir.op import Op
from snnc.ir.types import Shape
from snnc.ops.kernels.convolve import Pads
from snnc.ops.resample import Repeat, Resize, crop


def _flatten_over_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Refused: it joins the steps."""
    raise stream_error(layer, "it joins the steps of a sequence")


@importer("keras", "Flatten", temporal=_flatten_over_time)
def flatten(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Put all elements into one row, channels last."""
    return builder.add(ops.Reshape(shape=(-1,)), to_last(layer, inputs[0], builder))


def _reshape_slices(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give slices another shape, if the first axis stays as it is."""
    first, *rest = layer.config["target_shape"]
    size, length = builder.type(inputs[0]).size, builder.sequences.length
    known = math.prod(n for n in rest if n != -1)
    kept = first == length and length is not None and size % max(known, 1) == 0
    if not kept and not (first == -1 and known == size and -1 not in rest):
        raise stream_error(layer, f"its target_shape {(first, *rest)} moves elements between steps")
    return builder.add(ops.Reshape(shape=tuple(rest)), *inputs)


@importer("keras", "Reshape", temporal=_reshape_slices)
def reshape(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give any shape of the same size; one entry may be -1."""
    return builder.add(ops.Reshape(shape=tuple(layer.config["target_shape"])), *inputs)


def _permute_slices(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Reorder the axes behind the first."""
    first, *rest = (int(n) for n in layer.config["dims"])
    if first != 1:
        raise stream_error(layer, f"its dims {tuple(layer.config['dims'])} move the axis of time")
    return builder.add(ops.Permute(order=tuple(n - 2 for n in rest)), *inputs)


@importer("keras", "Permute", temporal=_permute_slices)
def permute(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Reorder the axes but the batch."""
    return builder.add(ops.Permute(order=tuple(int(n) - 1 for n in layer.config["dims"])), *inputs)


@importer("keras", "RepeatVector")
def repeat_vector(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Repeat a vector for each of n steps."""
    (features,) = builder.type(inputs[0]).shape
    row = builder.add(ops.Reshape(shape=(1, features)), *inputs, step="reshape")
    return builder.add(Repeat(times=(count(layer, "n"), 1)), row)


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
    """Put zeros around the spatial axes, in both layouts."""
    return add_spatial(layer, inputs[0], builder, ops.ZeroPad(padding=pairs(layer, "padding", spatial_rank(layer))))


def _cropping(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Cut the borders of the spatial axes off, in both layouts."""
    shape = _last_shape(layer, builder.type(inputs[0]).shape)
    return add_spatial(layer, inputs[0], builder, crop(shape, (*pairs(layer, "cropping", spatial_rank(layer)), (0, 0))))


def _up_sampling(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Enlarge the spatial axes: nearest, and bilinear or bicubic in 2-D, in both layouts."""
    times = sizes(layer, "size", spatial_rank(layer), 2)
    shape = _last_shape(layer, builder.type(inputs[0]).shape)
    op: Op = Repeat(times=(*times, 1))
    if layer.config.get("interpolation", "nearest") != "nearest":
        size = tuple(n * k for n, k in zip(shape, times, strict=False))
        op = Resize(size=size, interpolation=interpolation(layer))
    return add_spatial(layer, inputs[0], builder, op)


def _last_shape(layer: Layer, shape: Shape) -> Shape:
    """Return the shape with its channels last; raise FrontendError if it has not as many axes as the class says."""
    if len(shape) != spatial_rank(layer) + 1:
        raise layer_error(layer, f"it takes {spatial_rank(layer)} spatial axes and channels, got shape {shape}")
    return (*shape[1:], shape[0]) if channels_first(layer) else shape


ALIKE = [
    importer("keras", f"{name}{rank}D", limits=OTHER if (name, rank) == ("UpSampling", 2) else "")(function)
    for name, function in (("ZeroPadding", _zero_padding), ("Cropping", _cropping), ("UpSampling", _up_sampling))
    for rank in (1, 2, 3)
]
"""Zeros around the spatial axes, parts of them, and enlarging, in both layouts."""
