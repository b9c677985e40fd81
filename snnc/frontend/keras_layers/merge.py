"""Layers that join several tensors."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.layout import add_scaled, axis_without_batch
from snnc.ir.op import Op
from snnc.ops.combine import Einsum, Maximum, Minimum, Multiply
from snnc.ops.reduce import UnitNorm


def join_masks(layer: Layer, inputs: Sequence[str], builder: Builder, output: str) -> None:
    """Give the output the mask that Keras makes of those of the inputs.

    Keras 2 keeps the steps that every mask keeps. Keras 3 keeps those that any mask keeps, and all of them where an
    input has no mask.
    """
    masks = [builder.masks[name] for name in inputs if name in builder.masks]
    if not masks or (layer.keras >= (3,) and len(masks) < len(inputs)):
        return
    different = list(dict.fromkeys(masks))
    if len(different) > 1:
        op: Op = Minimum() if layer.keras < (3,) else Maximum()
        different = [builder.add(op, *different, step="mask")]
    builder.masks[output] = different[0]


def same_rank(layer: Layer, inputs: Sequence[str], builder: Builder) -> None:
    """Raise FrontendError for sequences with different numbers of axes: their axes of time would not meet."""
    if layer.temporal and len({len(builder.type(name).shape) for name in inputs}) > 1:
        raise stream_error(layer, "it joins sequences with different numbers of axes")


def _elementwise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join any number of inputs element by element, with broadcasting."""
    same_rank(layer, inputs, builder)
    output = builder.add(_OPS[layer.class_name](), *inputs)
    join_masks(layer, inputs, builder, output)
    return output


_OPS: dict[str, type[Op]] = {"Add": ops.Add, "Multiply": Multiply, "Maximum": Maximum, "Minimum": Minimum}
ALIKE = [importer("keras", name, slicewise=True)(_elementwise) for name in _OPS]
"""Element by element, any number of inputs, with broadcasting."""


@importer("keras", "Subtract", slicewise=True)
def subtract(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Subtract the second input from the first."""
    first, second = inputs
    same_rank(layer, inputs, builder)
    output = builder.add(ops.Add(), first, add_scaled(layer, second, builder, -1, "negative"))
    join_masks(layer, inputs, builder, output)
    return output


@importer("keras", "Average", slicewise=True)
def average(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Average any number of inputs, with broadcasting."""
    same_rank(layer, inputs, builder)
    total = builder.add(ops.Add(), *inputs, step="add")
    output = add_scaled(layer, total, builder, 1 / len(inputs))
    join_masks(layer, inputs, builder, output)
    return output


@importer("keras", "Concatenate", slicewise=True, limits="the batch axis")
def concatenate(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join inputs along any axis but the batch."""
    rank = len(builder.type(inputs[0]).shape)
    axis = axis_without_batch(layer, int(layer.config.get("axis", -1)), rank)
    masks = [builder.masks.get(name) for name in inputs]
    output = builder.add(ops.Concatenate(axis=axis), *inputs)
    if axis > 0 or layer.temporal:
        join_masks(layer, inputs, builder, output)
    elif any(masks):
        if None in masks:
            raise layer_error(layer, "it joins sequences with and without a mask; give all of them one, or none")
        builder.masks[output] = builder.add(ops.Concatenate(axis=0), *(m for m in masks if m), step="mask")
    return output


@importer("keras", "Dot")
def dot(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum products along one axis of each input, normalised if asked."""
    value = layer.config.get("axes")
    both = [value, value] if isinstance(value, int) else list(value or ())
    if len(both) != 2 or len(inputs) != 2:
        raise layer_error(layer, f"its axes {value!r} are not one axis of each of two inputs")
    ranks = [len(builder.type(name).shape) for name in inputs]
    over = [axis_without_batch(layer, axis, rank) for axis, rank in zip(both, ranks, strict=True)]
    sources = list(inputs)
    if layer.config.get("normalize"):
        sources = [
            builder.add(UnitNorm(axes=(axis,)), name, step="unit-norm") for axis, name in zip(over, inputs, strict=True)
        ]
    left, right = (_letters(rank, axis, first) for rank, axis, first in zip(ranks, over, "am", strict=True))
    rest = (left + right).replace("z", "")
    equation = f"{left},{right}->{rest}"
    if rest:
        return builder.add(Einsum(equation=equation), *sources)
    number = builder.add(Einsum(equation=equation), *sources, step="einsum")
    return builder.add(ops.Reshape(shape=(1,)), number)


def _letters(rank: int, axis: int, first: str) -> str:
    """Return one letter an axis, ``z`` for the one that is summed over."""
    return "".join("z" if k == axis else chr(ord(first) + k) for k in range(rank))
