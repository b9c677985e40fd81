"""The input layer and the fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.ir.types import Array


def kernel_and_bias(config: Mapping[str, Any]) -> Sequence[Role]:
    """Return the weights of a layer with a kernel and perhaps a bias."""
    return (Role("kernel"), *bias_role(config))


def bias_role(config: Mapping[str, Any]) -> Sequence[Role]:
    """Return the bias, if the layer uses one."""
    return (Role("bias"),) if config.get("use_bias", True) else ()


def bias(layer: Layer, units: int) -> Array:
    """Return the bias of a layer, zeros if it has none."""
    return layer.weight("bias", (units,)) if layer.config.get("use_bias", True) else layer.zeros(units)


def count(layer: Layer, key: str) -> int:
    """Return a positive whole number of a layer's config."""
    value = layer.config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise layer_error(layer, f"its {key} {value!r} is not a positive whole number")
    return value


@importer("keras", "Dense", kernel_and_bias, masking=True, slicewise=True)
def dense(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Connect everything over the last axis, for inputs of any rank."""
    shape, units = builder.type(inputs[0]).shape, count(layer, "units")
    if not shape:
        raise layer_error(
            layer, "its input has no features" + (" besides time; compile without --temporal" * layer.temporal)
        )
    op = ops.Dense(
        weight=layer.weight("kernel", (shape[-1], units)),
        bias=bias(layer, units),
        activation=config_activation(layer),
    )
    return builder.add(op, *inputs)
