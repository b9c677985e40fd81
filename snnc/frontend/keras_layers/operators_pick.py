"""Operators on tensors that pick elements by index, and what is written as that: borders, turns, masks, codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.layout import axis_without_batch
from snnc.frontend.keras_layers.operands import argument, axes, node, number, operand, tensor, whole
from snnc.ir.op import Op
from snnc.ir.types import Array, Shape
from snnc.ops.functions import Pairwise, Where
from snnc.ops.order import TakeAlong
from snnc.ops.reduce import Max, Sum
from snnc.ops.resample import Embedding, Slice, Take, reverse


def _shape(builder: Builder, source: str) -> Shape:
    return builder.type(source).shape


def picking(shape: Shape, axis: int, places: Sequence[int]) -> Op:
    """Return the op that takes places along an axis: a slice where they are evenly spaced."""
    first, step = places[0], places[1] - places[0] if len(places) > 1 else 1
    if step == 0 or list(places) != [first + k * step for k in range(len(places))]:
        return Take(axis=axis, indices=tuple(places))
    return Slice(
        start=tuple(first if k == axis else 0 for k in range(len(shape))),
        size=tuple(len(places) if k == axis else n for k, n in enumerate(shape)),
        step=tuple(step if k == axis else 1 for k in range(len(shape))),
    )


def _along(builder: Builder, source: str, places: dict[int, Sequence[int]]) -> str:
    """Add what takes places along several axes; the last step has the layer's name."""
    steps = [(axis, p) for axis, p in places.items() if list(p) != list(range(_shape(builder, source)[axis]))]
    for k, (axis, listed) in enumerate(steps):
        step = "" if k == len(steps) - 1 else f"axis{axis}"
        source = builder.add(picking(_shape(builder, source), axis, listed), source, step=step)
    return source if steps else builder.add(ops.Identity(), source)


def _take(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pick by constant indices, look up rows of a constant table, or pick in each sample by its own indices."""
    source = operand(layer, argument(layer, 0, "params x"), inputs, 99)
    indices = operand(layer, argument(layer, 1, "indices ids"), inputs, 99)
    batched = int(argument(layer, -1, "batch_dims", 0) or 0)
    axis = argument(layer, 3, "axis", None if layer.class_name.startswith("ops.") else batched)
    if not isinstance(source, str):
        return _look_up(layer, builder, source, indices, 0 if axis is None else axis)
    shape = _shape(builder, source)
    if axis is None:
        raise layer_error(layer, "it picks from one row of everything, the batch too; name the axis")
    place = axis_without_batch(layer, whole(layer, axis, "axis"), len(shape))
    if not isinstance(indices, str):
        if batched:
            indices = indices.reshape(indices.shape[1:])
        n = shape[place]
        listed = [int(k) + (n if k < 0 else 0) for k in indices.ravel()]
        if any(not 0 <= k < n for k in listed):
            raise layer_error(layer, f"it picks outside of the {n} elements along its axis")
        picked = builder.add(picking(shape, place, listed), source, step="picked")
        return builder.add(ops.Reshape(shape=(*shape[:place], *indices.shape, *shape[place + 1 :])), picked)
    given = _shape(builder, indices)
    if batched != place + 1 or given[:place] != shape[:place]:
        raise layer_error(
            layer, "it picks in every sample by the indices of all; use tf.gather with batch_dims, or take_along_axis"
        )
    rest = (1,) * (len(shape) - place - 1)
    flat = builder.add(ops.Reshape(shape=(*shape[:place], -1, *rest)), indices, step="indices")
    taken = builder.add(TakeAlong(axis=place), source, flat, step="taken")
    return builder.add(ops.Reshape(shape=(*given, *shape[place + 1 :])), taken)


def _look_up(layer: Layer, builder: Builder, table: Array, indices: Any, axis: int) -> str:
    """Add the rows of a constant table at computed indices."""
    if axis != 0 or not isinstance(indices, str):
        raise layer_error(layer, "it picks from a constant along another axis than the first")
    found = builder.add(Embedding(table=table.reshape(len(table), -1)), indices, step="rows")
    return builder.add(ops.Reshape(shape=(*_shape(builder, indices), *table.shape[1:])), found)


def _take_along(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Pick along an axis, for each place on the other axes by indices of its own."""
    axis = argument(layer, 2, "axis")
    if axis is None:
        raise layer_error(layer, "it picks from one row of everything, the batch too; name the axis")
    rank = max(len(_shape(builder, name)) for name in inputs)
    both = [operand(layer, argument(layer, k, name), inputs, rank) for k, name in enumerate(("x", "indices"))]
    place = axis_without_batch(layer, whole(layer, axis, "axis"), rank)
    return builder.add(TakeAlong(axis=place), *(node(builder, inputs[0], value) for value in both))


def _flip(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Read axes from their end."""
    x = inputs[0]
    rank = len(_shape(builder, x))
    fixed = {"ops.Fliplr": [1], "tf.image.flip_left_right": [-2], "tf.image.flip_up_down": [-3]}
    over = axes(layer, fixed.get(layer.class_name) or argument(layer, 1, "axis"), rank)
    for k, axis in enumerate(over):
        x = builder.add(reverse(_shape(builder, x), axis), x, step="" if k == len(over) - 1 else "reversed")
    return x


def _turn(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Turn by quarters in the plane of two axes."""
    rank, times = len(_shape(builder, inputs[0])), whole(layer, argument(layer, 1, "k", 1), "k") % 4
    first, second = (axis_without_batch(layer, axis, rank) for axis in argument(layer, 2, "axes", [0, 1]))
    x = inputs[0]
    swap = list(range(rank))
    swap[first], swap[second] = second, first
    turned: dict[int, list[Op]] = {
        0: [],
        1: [reverse(_shape(builder, x), second), ops.Permute(order=tuple(swap))],
        2: [reverse(_shape(builder, x), first), reverse(_shape(builder, x), second)],
        3: [reverse(_shape(builder, x), first), ops.Permute(order=tuple(swap))],
    }
    run = turned[times]
    for k, op in enumerate(run):
        x = builder.add(op, x, step="" if k == len(run) - 1 else "turned")
    return x if run else builder.add(ops.Identity(), x)


def _roll(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Shift along axes; what leaves at one end enters at the other."""
    shifts, value = argument(layer, 1, "shift"), argument(layer, 2, "axis")
    if value is None:
        raise layer_error(layer, "it shifts through everything, the batch too; name the axis")
    listed = value if isinstance(value, Sequence) else [value]
    moves = shifts if isinstance(shifts, Sequence) else [shifts] * len(listed)
    shape = _shape(builder, inputs[0])
    places: dict[int, Sequence[int]] = {}
    for axis, shift in zip(listed, moves, strict=True):
        place = axis_without_batch(layer, whole(layer, axis, "axis"), len(shape))
        before = places.get(place, range(shape[place]))
        places[place] = np.roll(before, whole(layer, shift, "shift")).tolist()
    return _along(builder, inputs[0], places)


def _pad(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Put constants around any axes but the batch, or the elements at the border once more."""
    pairs = argument(layer, 1, "paddings pad_width")
    tf = layer.class_name.startswith("tf.")
    mode = str(argument(layer, 2 if tf else -1, "mode", "constant")).lower()
    value = float(argument(layer, 3 if tf else 2 if len(layer.args) > 2 else -1, "constant_values", 0) or 0)
    shape = _shape(builder, inputs[0])
    if not isinstance(pairs, Sequence) or len(pairs) != len(shape) + 1 or list(pairs[0]) != [0, 0]:
        raise layer_error(layer, f"its padding {pairs!r} needs a pair for each axis and none for the batch")
    pads = tuple((int(a), int(b)) for a, b in pairs[1:])
    if mode != "constant":
        if mode not in ("reflect", "symmetric", "edge", "wrap"):
            raise layer_error(layer, f"padding of mode {mode!r} cannot be imported")
        places = {k: np.pad(np.arange(n), pads[k], mode=mode).tolist() for k, n in enumerate(shape)}  # type: ignore[call-overload]
        return _along(builder, inputs[0], places)
    # one axis more behind the others, because a pad leaves the last one alone
    wide = builder.add(ops.Reshape(shape=(*shape, 1)), inputs[0], step="reshape")
    padded = builder.add(ops.ZeroPad(padding=pads), wide, step="pad")
    joint = _shape(builder, padded)[:-1]
    if value == 0:
        return builder.add(ops.Reshape(shape=joint), padded)
    border = np.pad(np.zeros(shape, dtype=np.float32), pads, constant_values=value)
    return builder.add(ops.Shift(shift=border), builder.add(ops.Reshape(shape=joint), padded, step="padded"))


def _triangle(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Keep what is on one side of a diagonal of the last two axes, or near it."""
    shape = _shape(builder, inputs[0])
    if len(shape) < 2:
        raise layer_error(layer, "it takes a triangle of the batch; its tensor needs two axes more")
    ones = np.ones(shape[-2:], dtype=np.float32)
    if layer.class_name == "tf.linalg.band_part":
        below, above = (whole(layer, argument(layer, k, f"num_{n}"), n) for k, n in ((1, "lower"), (2, "upper")))
        ones = ones if below < 0 else np.triu(ones, -below)
        kept = ones if above < 0 else np.tril(ones, above)
    else:
        k = whole(layer, argument(layer, 1, "k", 0), "k")
        kept = np.tril(ones, k) if layer.class_name.endswith("Tril") else np.triu(ones, k)
    return builder.add(ops.Affine(scale=kept, shift=number(0)), inputs[0])


def _diagonal(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Take the diagonal of two axes, or its sum."""
    shape, rank = _shape(builder, inputs[0]), len(_shape(builder, inputs[0]))
    keras = layer.class_name.startswith("ops.")
    named = [argument(layer, -1, f"axis{k + 1}", k if keras else k - 2) for k in range(2)]
    first, second = (axis_without_batch(layer, axis, rank) for axis in named)
    offset = whole(layer, argument(layer, 1, "offset k", 0), "offset")
    kept = tuple(axis for axis in range(rank) if axis not in (first, second))
    n, m = shape[first], shape[second]
    start = offset if offset >= 0 else -offset * m
    places = range(start, start + min(n + min(offset, 0), m - max(offset, 0)) * (m + 1), m + 1)
    moved = builder.add(ops.Permute(order=(*kept, first, second)), inputs[0], step="permute")
    flat = builder.add(ops.Reshape(shape=(*(shape[axis] for axis in kept), n * m)), moved, step="reshape")
    op = picking(_shape(builder, flat), len(kept), list(places))
    if "race" not in layer.class_name:
        return builder.add(op, flat)
    return builder.add(Sum(axes=(len(kept),)), builder.add(op, flat, step="diagonal"))


def _on_diagonal(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Put the last axis on the diagonal of a matrix of zeros."""
    shape = _shape(builder, inputs[0])
    if argument(layer, 1, "k", 0) != 0 or argument(layer, -1, "padding_value", 0) != 0:
        raise layer_error(layer, "only the main diagonal of a matrix of zeros can be imported")
    row = builder.add(ops.Reshape(shape=(*shape, 1)), inputs[0], step="reshape")
    wide = builder.add(ops.Repeat(times=(*(1,) * len(shape), shape[-1])), row, step="repeat")
    return builder.add(ops.Affine(scale=np.eye(shape[-1], dtype=np.float32), shift=number(0)), wide)


def each_with(builder: Builder, source: str, name: str, others: Array) -> str:
    """Add the comparison of every element with each of a row of constants, on a new axis behind."""
    wide = builder.add(ops.Reshape(shape=(*_shape(builder, source), 1)), source, step="reshape")
    return builder.add(Pairwise(name=name), wide, node(builder, source, others), step=name)


def _one_hot(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give one at the index and zero elsewhere; for several indices in one row if asked."""
    several = layer.class_name == "ops.MultiHot"
    count = whole(layer, argument(layer, 1, "depth num_classes num_tokens"), "number of classes")
    axis = whole(layer, argument(layer, -1, "axis", -1), "axis")
    on, off = (float(argument(layer, k, name, v)) for k, name, v in ((2, "on_value", 1), (3, "off_value", 0)))
    rank = len(_shape(builder, inputs[0])) + 1
    equal = each_with(builder, inputs[0], "equal", np.arange(count, dtype=np.float32))
    place = rank - 1 if axis == -1 else axis_without_batch(layer, axis, rank)
    if several:
        return builder.add(Max(axes=(rank - 2,)), equal)
    scaled = builder.add(ops.Affine(scale=number(on - off), shift=number(off)), equal, step="scaled")
    order = (*range(place), rank - 1, *range(place, rank - 1))
    return builder.add(ops.Permute(order=order), scaled)


def _digitize(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the number of constant edges at or below each element."""
    edges = operand(layer, argument(layer, 1, "bins"), inputs, 1)
    if isinstance(edges, str):
        raise layer_error(layer, "its bins are computed from data; they must be constants")
    return builder.add(
        Sum(axes=(len(_shape(builder, inputs[0])),)), each_with(builder, inputs[0], "greater_equal", edges)
    )


def _search(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the number of constant edges below each element, or at it too."""
    edges = operand(layer, argument(layer, 0, "sorted_sequence"), inputs, 1)
    values = operand(layer, argument(layer, 1, "values"), inputs, 99)
    if isinstance(edges, str) or not isinstance(values, str):
        raise layer_error(layer, "only computed values among constant edges can be imported")
    name = "greater_equal" if argument(layer, -1, "side", "left") == "right" else "greater"
    return builder.add(Sum(axes=(len(_shape(builder, values)),)), each_with(builder, values, name, edges))


def _select(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Choose the first of several tensors or constants whose condition holds."""
    conditions, choices = (argument(layer, k, name) for k, name in enumerate(("condlist", "choicelist")))
    x = operand(layer, argument(layer, 2, "default", 0), inputs, 99)
    pairs = [
        (tensor(layer, c, inputs), operand(layer, v, inputs, 99)) for c, v in zip(conditions, choices, strict=True)
    ]
    for k, (condition, chosen) in reversed(list(enumerate(pairs))):
        both = [node(builder, condition, value) for value in (chosen, x)]
        x = builder.add(Where(), condition, *both, step=f"choice{k}" if k else "")
    assert isinstance(x, str)
    return x


def _is_in(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Tell whether each element is one of some constants."""
    others = operand(layer, argument(layer, 1, "x2"), inputs, 99)
    if isinstance(others, str) or argument(layer, -1, "invert", False):
        raise layer_error(layer, "only a search among constants can be imported")
    return builder.add(
        Max(axes=(len(_shape(builder, inputs[0])),)), each_with(builder, inputs[0], "equal", others.ravel())
    )


_NAMES = (
    (_take, ("tf.gather", "ops.Take", "tf.nn.embedding_lookup")),
    (_take_along, ("ops.TakeAlongAxis",)),
    (_flip, ("tf.reverse", "ops.Flip", "ops.Fliplr", "tf.image.flip_left_right", "tf.image.flip_up_down")),
    (_turn, ("ops.Rot90",)),
    (_roll, ("tf.roll", "ops.Roll")),
    (_pad, ("tf.pad", "ops.Pad")),
    (_triangle, ("ops.Tril", "ops.Triu", "tf.linalg.band_part")),
    (_diagonal, ("ops.Diagonal", "ops.Trace", "tf.linalg.diag_part", "tf.linalg.trace")),
    (_on_diagonal, ("tf.linalg.diag",)),
    (_one_hot, ("tf.one_hot", "ops.OneHot", "ops.MultiHot")),
    (_digitize, ("ops.Digitize",)),
    (_search, ("ops.SearchSorted",)),
    (_select, ("ops.Select",)),
    (_is_in, ("ops.IsIn",)),
)
ALIKE = [importer("keras", name, slicewise=function is _flip)(function) for function, names in _NAMES for name in names]
"""Operators of both Keras generations."""
