"""Normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.layout import add_run, axis_without_batch
from snnc.ir.types import Array, Shape
from snnc.ops.reduce import Standardize, UnitNorm

TRAINING = "a call with training=True"


def gamma_and_beta(config: Mapping[str, Any]) -> Sequence[Role]:
    """Return the gain and the shift, as far as the layer uses them."""
    return tuple(Role(name) for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True))


def _statistics(config: Mapping[str, Any]) -> Sequence[Role]:
    return (*gamma_and_beta(config), Role("moving_mean", False), Role("moving_variance", False))


def gain(layer: Layer, shape: Shape) -> Array:
    """Return gamma, ones if the layer has none."""
    return layer.weight("gamma", shape) if layer.config.get("scale", True) else layer.ones(*shape)


def shift(layer: Layer, shape: Shape) -> Array:
    """Return beta, zeros if the layer has none."""
    return layer.weight("beta", shape) if layer.config.get("center", True) else layer.zeros(*shape)


def axes(layer: Layer, rank: int, default: int = -1) -> tuple[int, ...]:
    """Return the axes in a layer's config, without the batch, sorted."""
    value = layer.config.get("axis", default)
    values = value if isinstance(value, Sequence) else [value]
    return tuple(sorted({axis_without_batch(layer, axis, rank) for axis in values}))


def _batch_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Batch normalisation with its moving statistics, over any axis or axes."""
    inference_only(layer)
    shape = builder.type(inputs[0]).shape
    over = axes(layer, len(shape))
    if len(over) == 1:
        return _over_one_axis(layer, inputs[0], builder, over[0])
    kept = (1, *(n if axis in over else 1 for axis, n in enumerate(shape)))
    scale, offset = _norm(layer, kept).affine()
    op = ops.Affine(scale=layer.once("scale", lambda: scale[0]), shift=layer.once("shift", lambda: offset[0]))
    return builder.add(op, inputs[0])


ALIKE = [
    importer("keras", name, _statistics, masking=True, slicewise=True, limits=TRAINING)(_batch_norm)
    for name in ("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization")
]


def _over_one_axis(layer: Layer, source: str, builder: Builder, axis: int) -> str:
    rank = len(builder.type(source).shape)
    op = _norm(layer, (builder.type(source).shape[axis],))
    if axis == rank - 1:
        return builder.add(op, source)
    order = axis_last(axis, rank)
    last = builder.add(ops.Permute(order=order), source, step="channels-last")
    norm = builder.add(op, last, step=op.kind)
    return builder.add(ops.Permute(order=inverse(order)), norm)


def _norm(layer: Layer, shape: Shape) -> ops.BatchNorm:
    return ops.BatchNorm(
        gamma=gain(layer, shape),
        beta=shift(layer, shape),
        mean=layer.weight("moving_mean", shape),
        variance=layer.weight("moving_variance", shape),
        epsilon=float(layer.config.get("epsilon", 1e-3)),
    )


def axis_last(axis: int, rank: int) -> Shape:
    """Return the order of axes that puts one of them last."""
    return (*(a for a in range(rank) if a != axis), axis)


def inverse(order: Shape) -> Shape:
    """Return the order that undoes another."""
    return tuple(order.index(axis) for axis in range(len(order)))


def gain_and_shift(layer: Layer, shape: Shape, place: Shape) -> ops.Affine | None:
    """Return gamma and beta as an op, None if the layer has neither.

    Args:
        layer: with weights of ``shape``.
        shape: of gamma and beta.
        place: the shape that broadcasts against the tensor they apply to.

    """
    if not layer.config.get("scale", True) and not layer.config.get("center", True):
        return None
    return ops.Affine(
        scale=layer.once("gain", lambda: gain(layer, shape).reshape(place)),
        shift=layer.once("shift", lambda: shift(layer, shape).reshape(place)),
    )


def _layer_norm_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return (Role("gamma"),) if config.get("rms_scaling") else gamma_and_beta(config)


@importer("keras", "LayerNormalization", _layer_norm_roles, masking=True, slicewise=True)
def layer_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Normalise each sample over any axes."""
    shape = builder.type(inputs[0]).shape
    over = axes(layer, len(shape))
    place = tuple(n if axis in over else 1 for axis, n in enumerate(shape))
    by_deviation = bool(layer.config.get("rms_scaling"))  # by the deviation alone, whatever Keras calls it
    norm = Standardize(axes=over, epsilon=float(layer.config.get("epsilon", 1e-3)), keep_mean=by_deviation)
    if by_deviation:
        layer = replace(layer, config={**layer.config, "scale": True, "center": False})
    return add_run(inputs[0], builder, norm, gain_and_shift(layer, tuple(shape[a] for a in over), place))


@importer("keras", "RMSNormalization", ("scale",), masking=True, slicewise=True)
def rms_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Divide by the root of the mean square over any axes."""
    shape = builder.type(inputs[0]).shape
    over = axes(layer, len(shape))
    place = tuple(n if axis in over else 1 for axis, n in enumerate(shape))
    scale = layer.weight("scale", tuple(shape[a] for a in over))
    norm = Standardize(axes=over, epsilon=float(layer.config.get("epsilon", 1e-6)), center=False)
    gains = ops.Affine(scale=layer.once("gain", lambda: scale.reshape(place)), shift=layer.zeros(1))
    return add_run(inputs[0], builder, norm, gains)


@importer("keras", "GroupNormalization", gamma_and_beta, masking=True)
def group_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Normalise each sample over groups of channels and all other axes."""
    shape = builder.type(inputs[0]).shape
    (axis,) = axes(layer, len(shape))
    depth, order = shape[axis], axis_last(axis, len(shape))
    groups = int(layer.config.get("groups", 32))
    groups = depth if groups == -1 else groups
    if groups < 1 or depth % groups:
        raise layer_error(layer, f"{depth} channels do not split into {groups} groups")
    last = tuple(shape[a] for a in order)
    rank = len(shape)
    split = ops.Reshape(shape=(*last[:-1], groups, depth // groups))
    norm = Standardize(axes=(*range(rank - 1), rank), epsilon=float(layer.config.get("epsilon", 1e-3)))
    move = None if axis == rank - 1 else ops.Permute(order=order)
    back = None if move is None else ops.Permute(order=inverse(order))
    scale = gain_and_shift(layer, (depth,), (depth,))
    return add_run(inputs[0], builder, move, split, norm, ops.Reshape(shape=last), scale, back)


@importer("keras", "UnitNormalization", masking=True, slicewise=True)
def unit_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Divide by the length over any axes."""
    return builder.add(UnitNorm(axes=axes(layer, len(builder.type(inputs[0]).shape))), *inputs)


def inference_only(layer: Layer) -> None:
    """Raise FrontendError if the model asks for the training behaviour of a layer even at inference."""
    if layer.call.get("training") or True in layer.args:
        raise layer_error(layer, "the model calls it with training=True; call it without and save the model again")
