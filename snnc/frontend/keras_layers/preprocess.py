"""Layers that prepare inputs: scaling by numbers, cropping and resizing of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.layout import add_spatial, channels, channels_first
from snnc.frontend.keras_layers.norm import axes
from snnc.ir.op import Op
from snnc.ir.types import Array, Shape
from snnc.ops.resample import INTERPOLATIONS, Resize, crop

_EPSILON = 1e-7
OTHER = f"interpolation other than {', '.join(INTERPOLATIONS)}"


@importer("keras", "Rescaling", masking=True, slicewise=True)
def rescaling(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Compute x * scale + offset; numbers, or lists for the last axis."""
    scale, offset = (numbers(layer, key, default) for key, default in (("scale", 1.0), ("offset", 0.0)))
    return builder.add(ops.Affine(scale=scale, shift=offset), *inputs)


def numbers(layer: Layer, key: str, default: float) -> Array:
    """Return a number or a list of numbers of a layer's config."""
    value = layer.config.get(key, default)
    try:
        array = np.asarray(default if value is None else value, dtype=np.float32)
    except (TypeError, ValueError):
        raise layer_error(layer, f"its {key} {value!r} is not a number or a list of numbers") from None
    return layer.once(key, lambda: array)


def _adapted(config: Mapping[str, Any]) -> Sequence[Role]:
    """Return the statistics, unless the config gives them."""
    given = config.get("mean") is not None
    return () if given else (Role("mean", False), Role("variance", False), Role("count", False))


@importer("keras", "Normalization", _adapted, slicewise=True)
def normalization(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Compute (x - mean) / sqrt(variance), learned from data or given, or the inverse of it."""
    shape = builder.type(inputs[0]).shape
    kept = () if layer.config.get("axis", -1) in (None, []) else axes(layer, len(shape))
    own = tuple(shape[axis] for axis in kept)
    place = tuple(n if axis in kept else 1 for axis, n in enumerate(shape))
    mean, variance = (_statistic(layer, key, own).astype(np.float64).reshape(place) for key in ("mean", "variance"))
    deviation = np.maximum(np.sqrt(variance), _EPSILON)
    scale, shift = (deviation, mean) if layer.config.get("invert") else (1 / deviation, -mean / deviation)
    op = ops.Affine(scale=layer.once("gain", lambda: scale), shift=layer.once("shift", lambda: shift))
    return builder.add(op, *inputs)


def _statistic(layer: Layer, key: str, shape: Shape) -> Array:
    if layer.config.get("mean") is None:
        return layer.weight(key, shape)
    given = numbers(layer, key, 1.0)
    if given.size not in (1, int(np.prod(shape))):
        raise layer_error(layer, f"its {key} has {given.size} numbers, the input needs {shape}")
    return np.broadcast_to(given.reshape(shape if given.size > 1 else ()), shape)


def _space(layer: Layer, source: str, builder: Builder) -> tuple[int, int]:
    shape = builder.type(source).shape
    if len(shape) != 3:
        raise layer_error(layer, f"it takes images of three axes, got {builder.type(source)}")
    height, width = shape[1:] if channels_first(layer) else shape[:2]
    return height, width


@importer("keras", "Resizing", limits=f"antialias, pad_to_aspect_ratio, {OTHER}")
def resizing(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Resize images: nearest, bilinear or bicubic, cut to the aspect ratio first if asked."""
    if layer.config.get("antialias") or layer.config.get("pad_to_aspect_ratio"):
        raise layer_error(layer, "antialias and pad_to_aspect_ratio cannot be imported; resize before the model")
    old, new = _space(layer, inputs[0], builder), (count(layer, "height"), count(layer, "width"))
    cut = _to_aspect(old, new) if layer.config.get("crop_to_aspect_ratio") else old
    return _cut_and_resize(layer, inputs[0], builder, cut, new)


@importer("keras", "CenterCrop")
def center_crop(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Take the middle of images; smaller ones are enlarged to the size, keeping their aspect ratio."""
    old, new = _space(layer, inputs[0], builder), (count(layer, "height"), count(layer, "width"))
    fits = all(a >= b for a, b in zip(old, new, strict=True))
    return _cut_and_resize(layer, inputs[0], builder, new if fits else _to_aspect(old, new), new)


def _to_aspect(old: tuple[int, int], new: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size inside ``old`` that has the aspect ratio of ``new``."""
    height, width = min(old[0], old[1] * new[0] // new[1]), min(old[1], old[0] * new[1] // new[0])
    return height, width


def _cut_and_resize(layer: Layer, source: str, builder: Builder, cut: tuple[int, int], new: tuple[int, int]) -> str:
    """Take the middle part of size ``cut`` and resize it to ``new``."""
    old = _space(layer, source, builder)
    rest = [n - m for n, m in zip(old, cut, strict=True)]
    run: list[Op] = []
    if any(rest):
        pairs = ((rest[0] // 2, rest[0] - rest[0] // 2), (rest[1] // 2, rest[1] - rest[1] // 2), (0, 0))
        run.append(crop((*old, channels(layer, source, builder)), pairs))
    if cut != new:
        run.append(Resize(size=new, interpolation=interpolation(layer)))
    return add_spatial(layer, source, builder, *(run or [ops.Identity()]))


def interpolation(layer: Layer) -> str:
    """Return how a layer interpolates."""
    value = str(layer.config.get("interpolation") or "bilinear").lower()
    if value not in INTERPOLATIONS:
        raise layer_error(layer, f"its interpolation {value!r} cannot be imported; known: {', '.join(INTERPOLATIONS)}")
    return value
