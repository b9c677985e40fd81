"""Normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.layout import axis_without_batch
from snnc.ir import ops
from snnc.ir.types import Array, Shape


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


@importer("keras", "BatchNormalization", _statistics, masking=True)
def batch_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
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


def _over_one_axis(layer: Layer, source: str, builder: Builder, axis: int) -> str:
    rank = len(builder.type(source).shape)
    op = _norm(layer, (builder.type(source).shape[axis],))
    if axis == rank - 1:
        return builder.add(op, source)
    order = (*(a for a in range(rank) if a != axis), axis)
    last = builder.add(ops.Permute(order=order), source, step="channels-last")
    norm = builder.add(op, last, step=op.kind)
    return builder.add(ops.Permute(order=tuple(order.index(a) for a in range(rank))), norm)


def _norm(layer: Layer, shape: Shape) -> ops.BatchNorm:
    return ops.BatchNorm(
        gamma=gain(layer, shape),
        beta=shift(layer, shape),
        mean=layer.weight("moving_mean", shape),
        variance=layer.weight("moving_variance", shape),
        epsilon=float(layer.config.get("epsilon", 1e-3)),
    )


def inference_only(layer: Layer) -> None:
    """Raise FrontendError if the model asks for the training behaviour of a layer even at inference."""
    if layer.call.get("training") or True in layer.args:
        raise layer_error(layer, "the model calls it with training=True; call it without and save the model again")
