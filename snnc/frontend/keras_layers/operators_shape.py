"""Operators on tensors that move, pick, join or repeat elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.layout import add_last, axis_without_batch
from snnc.frontend.keras_layers.operands import argument, axes, enlarge, index_keys, tensors, whole, wholes
from snnc.ir.types import Shape
from snnc.ops.resample import INTERPOLATIONS, Repeat, Resize, Slice, crop


def _rank(builder: Builder, source: str) -> int:
    return len(builder.type(source).shape)


def _reshape(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give another shape; the first entry stands for the batch."""
    value = argument(layer, -1, "shape newshape")
    first, *rest = wholes(layer, layer.args[1] if value is None and len(layer.args) > 1 else value, "shape")
    known = math.prod(n for n in rest if n != -1)
    size = builder.type(inputs[0]).size
    if first != -1 or rest.count(-1) > 1 or not known or (size % known if -1 in rest else size != known):
        raise layer_error(
            layer, f"its shape {[first, *rest]} must begin with -1 for the batch and keep each sample whole"
        )
    return builder.add(ops.Reshape(shape=tuple(rest)), inputs[0])


def _flatten(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Put all elements of a sample into one row."""
    return builder.add(ops.Reshape(shape=(-1,)), inputs[0])


def _transpose(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Reorder the axes but the batch."""
    value = argument(layer, 1, "perm axes")
    order = () if value is None else wholes(layer, value, "order of axes")
    if order[:1] != (0,):
        raise layer_error(layer, "it moves the batch axis; give an order of axes that begins with 0")
    return builder.add(ops.Permute(order=tuple(n - 1 for n in order[1:])), inputs[0])


def _swap(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Exchange two axes."""
    rank = _rank(builder, inputs[0])
    a, b = (axis_without_batch(layer, whole(layer, argument(layer, -1, key), key), rank) for key in ("axis1", "axis2"))
    order = list(range(rank))
    order[a], order[b] = b, a
    return builder.add(ops.Permute(order=tuple(order)), inputs[0])


def _move(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Move axes but the batch to other places."""
    rank = _rank(builder, inputs[0])
    ends = []
    for key in ("source", "destination"):
        value = argument(layer, -1, key)
        listed = value if isinstance(value, Sequence) else [value]
        ends.append([axis_without_batch(layer, whole(layer, v, key), rank) for v in listed])
    order = [axis for axis in range(rank) if axis not in ends[0]]
    for place, axis in sorted(zip(ends[1], ends[0], strict=True)):
        order.insert(place, axis)
    return builder.add(ops.Permute(order=tuple(order)), inputs[0])


def _broadcast(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Repeat along axes of size one up to a shape."""
    first, *rest = wholes(layer, argument(layer, 1, "shape"), "shape")
    own = builder.type(inputs[0]).shape
    if first != -1 or len(rest) < len(own):
        raise layer_error(layer, f"its shape {[first, *rest]} must begin with the batch")
    if len(rest) > len(own):
        raise layer_error(layer, "it adds axes in front of the batch; add them behind it first")
    wanted = tuple(n if m == -1 else m for n, m in zip(own, rest, strict=True))
    return builder.add(ops.Identity(), enlarge(builder, inputs[0], wanted))


def _squeeze(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Drop axes of size one."""
    shape = builder.type(inputs[0]).shape
    gone = axes(layer, argument(layer, 1, "axis"), len(shape))
    if any(shape[axis] != 1 for axis in gone):
        raise layer_error(layer, f"it drops axes of {builder.type(inputs[0])} that are larger than one")
    return builder.add(ops.Reshape(shape=tuple(n for k, n in enumerate(shape) if k not in gone)), inputs[0])


def _expand(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Add an axis of size one."""
    shape = builder.type(inputs[0]).shape
    axis = axis_without_batch(layer, whole(layer, argument(layer, 1, "axis"), "axis"), len(shape) + 1)
    return builder.add(ops.Reshape(shape=(*shape[:axis], 1, *shape[axis:])), inputs[0])


def _concatenate(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join tensors along an axis."""
    sources = tensors(layer, argument(layer, 0, "values arrays xs"), inputs, builder)
    fixed = {"ops.Hstack": 1, "ops.Dstack": 2}.get(layer.class_name)
    axis = whole(layer, argument(layer, 1, "axis", -1) if fixed is None else fixed, "axis")
    return builder.add(ops.Concatenate(axis=axis_without_batch(layer, axis, _rank(builder, sources[0]))), *sources)


def _append(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join two tensors along an axis."""
    both = tensors(layer, list(layer.args[:2]), inputs, builder)
    axis = argument(layer, -1, "axis")
    if axis is None:
        raise layer_error(layer, "it joins everything in one row, the batch too; name the axis")
    return builder.add(ops.Concatenate(axis=axis_without_batch(layer, axis, _rank(builder, both[0]))), *both)


def _stack(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join tensors along a new axis."""
    sources = tensors(layer, argument(layer, 0, "values arrays x"), inputs, builder)
    shape = builder.type(sources[0]).shape
    axis = axis_without_batch(layer, whole(layer, argument(layer, 1, "axis", 0), "axis"), len(shape) + 1)
    slot = ops.Reshape(shape=(*shape[:axis], 1, *shape[axis:]))
    return builder.add(ops.Concatenate(axis=axis), *(builder.add(slot, name, step="slot") for name in sources))


def _split(layer: Layer, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Cut into parts of equal or given sizes; keras.ops gives the places of the cuts instead."""
    shape = builder.type(inputs[0]).shape
    fixed = {"ops.Hsplit": 1, "ops.Dsplit": 2}.get(layer.class_name)
    named = argument(layer, 2, "axis", 0) if fixed is None else fixed
    axis = axis_without_batch(layer, whole(layer, named, "axis"), len(shape))
    parts = argument(layer, 1, "num_or_size_splits indices_or_sections")
    n = shape[axis]
    if isinstance(parts, int) and layer.class_name == "ops.ArraySplit":
        edges = [k * (n // parts) + min(k, n % parts) for k in range(parts + 1)]
    elif isinstance(parts, int):
        if parts < 1 or n % parts:
            raise layer_error(layer, f"{n} elements do not split into {parts} equal parts")
        edges = list(range(0, n + 1, n // parts))
    elif layer.class_name.startswith("ops."):
        edges = [0, *wholes(layer, parts, "cuts"), n]
    else:
        edges, given = [0], wholes(layer, parts, "sizes")
        for size in (size if size >= 0 else n - sum(given) - 1 for size in given):
            edges.append(edges[-1] + size)
    return [
        builder.add(_part(shape, axis, a, b), inputs[0], step=f"part{k}" if k else "")
        for k, (a, b) in enumerate(pairwise(edges))
    ]


def _part(shape: Shape, axis: int, first: int, end: int) -> Slice:
    return crop(shape, tuple((first, n - end) if k == axis else (0, 0) for k, n in enumerate(shape)))


def _unstack(layer: Layer, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Cut into the slices along an axis."""
    shape = builder.type(inputs[0]).shape
    axis = axis_without_batch(layer, whole(layer, argument(layer, -1, "axis", 0), "axis"), len(shape))
    flat = ops.Reshape(shape=(*shape[:axis], *shape[axis + 1 :]))
    outputs = []
    for k in range(shape[axis]):
        part = builder.add(_part(shape, axis, k, k + 1), inputs[0], step=f"part{k}")
        outputs.append(builder.add(flat, part, step=f"row{k}" if k else ""))
    return outputs


def _tile(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Repeat the whole tensor along its axes."""
    times = wholes(layer, argument(layer, 1, "multiples repeats"), "repetitions")
    rank = _rank(builder, inputs[0])
    if len(times) != rank + 1 or times[0] != 1:
        raise layer_error(layer, f"its repetitions {times} need a 1 for the batch and {rank} numbers behind it")
    x = inputs[0]
    for axis, k in enumerate(times[1:]):
        x = x if k == 1 else builder.add(ops.Concatenate(axis=axis), *[x] * k, step="tile")
    return builder.add(ops.Identity(), x)


def _repeat(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Repeat every element along an axis."""
    rank = _rank(builder, inputs[0])
    (axis,) = axes(layer, argument(layer, 2, "axis"), rank)
    k = whole(layer, argument(layer, 1, "repeats"), "repetitions")
    return builder.add(Repeat(times=tuple(k if a == axis else 1 for a in range(rank))), inputs[0])


def _resize(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Resize images: nearest, bilinear or bicubic."""
    size = wholes(layer, argument(layer, 1, "size"), "size")
    method = str(argument(layer, 2, "method interpolation", "bilinear")).lower()
    plain = not any(argument(layer, -1, key) for key in ("antialias", "preserve_aspect_ratio"))
    if method not in INTERPOLATIONS or not plain or layer.config.get("data_format") == "channels_first":
        raise layer_error(layer, f"resizing by {method!r} with these options cannot be imported")
    return builder.add(Resize(size=size, interpolation=method), inputs[0])


def _get_item(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pick by slices, numbers, None and an ellipsis; the batch must be taken whole."""
    value = argument(layer, 1, "slice_spec key")
    keys = index_keys(value)
    shape = builder.type(inputs[0]).shape
    keys = _without_ellipsis(layer, keys, len(shape) + 1)
    if keys[0] != slice(None):
        raise layer_error(layer, "it takes a part of the batch; slice the other axes only")
    start, size, step, result, axis = [], [], [], [], 0
    for key in keys[1:]:
        if key is None:
            result.append(1)
            continue
        n = shape[axis]
        axis += 1
        if isinstance(key, slice):
            found = range(*key.indices(n))
            result.append(len(found))
        else:
            place = whole(layer, key, "index")
            found = range(n)[place : place + 1 or None]
        start.append(found.start)
        size.append(len(found))
        step.append(found.step)
    op = Slice(start=tuple(start), size=tuple(size), step=tuple(step))
    if tuple(result) == op.size:
        return builder.add(op, inputs[0])
    picked = builder.add(op, inputs[0], step="slice")
    return builder.add(ops.Reshape(shape=tuple(result)), picked)


def _slice(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pick so many elements along each axis from a place on; the batch must be taken whole."""
    begin = wholes(layer, argument(layer, 1, "begin start_indices"), "places")
    size = wholes(layer, argument(layer, 2, "size shape"), "sizes")
    shape = builder.type(inputs[0]).shape
    if begin[0] != 0 or size[0] != -1 or not len(begin) == len(size) == len(shape) + 1:
        raise layer_error(layer, "it takes a part of the batch; slice the other axes only")
    count = tuple(n - a if k == -1 else k for n, a, k in zip(shape, begin[1:], size[1:], strict=True))
    return builder.add(Slice(start=begin[1:], size=count, step=(1,) * len(shape)), inputs[0])


def _get_item_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pick from every slice, or the last slice."""
    value = argument(layer, 1, "slice_spec key")
    keys = index_keys(value)
    keys = _without_ellipsis(layer, keys, len(builder.type(inputs[0]).shape) + 2)
    batch, time, *rest = keys
    x, slicing = inputs[0], replace(layer, args=(), call={}, config={"key": [batch, *rest]}, temporal=False)
    if time == slice(None):
        return _get_item(slicing, inputs, builder)
    if time not in (-1, slice(-1, None)):
        raise stream_error(layer, "it picks other slices than the last")
    if any(key != slice(None) for key in rest):
        x = _get_item(slicing, inputs, builder.part("picked"))
    return add_last(builder, ops.Identity(), x, keepdims=time != -1)


def _without_ellipsis(layer: Layer, keys: list[Any], rank: int) -> list[Any]:
    """Write out what an ellipsis, or nothing at the end, stands for."""
    places = [k for k, key in enumerate(keys) if key is Ellipsis]
    named = sum(key is not None and key is not Ellipsis for key in keys)
    if len(places) > 1 or named > rank:
        raise layer_error(layer, f"its index does not fit a tensor of {rank} axes")
    at = places[0] if places else len(keys)
    return [*keys[:at], *[slice(None)] * (rank - named), *keys[at + 1 :]]


_NAMES = (
    (_reshape, ("tf.reshape", "ops.Reshape")),
    (_flatten, ("tf.keras.backend.batch_flatten",)),
    (_transpose, ("tf.transpose", "ops.Transpose")),
    (_swap, ("ops.Swapaxes",)),
    (_move, ("ops.Moveaxis",)),
    (_broadcast, ("tf.broadcast_to", "ops.BroadcastTo")),
    (_squeeze, ("tf.squeeze", "ops.Squeeze")),
    (_expand, ("tf.expand_dims", "ops.ExpandDims")),
    (_concatenate, ("tf.concat", "ops.Concatenate", "ops.Hstack", "ops.Dstack")),
    (_append, ("ops.Append",)),
    (_stack, ("tf.stack", "ops.Stack")),
    (_split, ("tf.split", "ops.Split", "ops.ArraySplit", "ops.Hsplit", "ops.Dsplit")),
    (_unstack, ("tf.unstack", "ops.Unstack")),
    (_tile, ("tf.tile", "ops.Tile")),
    (_repeat, ("tf.repeat", "ops.Repeat")),
    (_resize, ("tf.image.resize", "ops.Resize")),
    (_slice, ("tf.slice", "ops.Slice")),
    (_get_item, ("tf.__operators__.getitem", "ops.GetItem")),
)
_SLICEWISE = (_swap, _move, _squeeze, _expand, _concatenate, _append, _stack, _split, _unstack, _repeat)
"""Those that leave the axis of time alone, or say that they do not."""
ALIKE = [
    importer(
        "keras",
        name,
        slicewise=function in _SLICEWISE,
        temporal=_get_item_in_time if function is _get_item else None,
    )(function)
    for function, names in _NAMES
    for name in names
]
"""Operators of both Keras generations."""
