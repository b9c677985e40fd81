"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.frontend.keras_layers.dense import bias, count, kernel_and_bias
from snnc.frontend.keras_layers.layout import add_spatial, channels, sizes
from snnc.ir import ops
from snnc.ir.convolve import span
from snnc.ir.types import Shape


def padding(layer: Layer, size: Shape, dilation: Shape) -> ops.Padding:
    """Return the padding of a layer; causal padding is all in front."""
    value = str(layer.config.get("padding", "valid")).lower()
    if value == "causal" and len(size) == 1:
        return ((span(size[0], dilation[0]) - 1, 0),)
    if value not in ("valid", "same"):
        raise layer_error(layer, f"its padding {value!r} is unknown; it must be 'valid', 'same' or, in 1-D, 'causal'")
    return value


def _convolution(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    rank = RANKS[layer.class_name]
    size, dilation = sizes(layer, "kernel_size", rank), sizes(layer, "dilation_rate", rank, 1)
    groups, filters = layer.config.get("groups") or 1, count(layer, "filters")
    depth = channels(layer, inputs[0], builder)
    op = ops.Conv(
        kernel=layer.weight("kernel", (*size, depth // groups, filters)),
        bias=bias(layer, filters),
        strides=sizes(layer, "strides", rank, 1),
        padding=padding(layer, size, dilation),
        dilation=dilation,
        groups=groups,
        activation=config_activation(layer),
    )
    return add_spatial(layer, inputs[0], builder, op)


RANKS = {"Conv1D": 1, "Conv2D": 2, "Conv3D": 3}
ALIKE = [importer("keras", name, kernel_and_bias)(_convolution) for name in RANKS]
"""Convolutions with any stride, padding, dilation and groups, in both layouts."""
