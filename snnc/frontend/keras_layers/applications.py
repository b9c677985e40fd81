"""The layers that models of keras.applications define for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer
from snnc.frontend.keras_layers.layout import add_scaled


def _layer_scale(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Multiply each channel by a learned factor (ConvNeXt)."""
    channels = builder.type(inputs[0]).shape[-1:]
    return builder.add(ops.Affine(scale=layer.weight("gamma", channels), shift=layer.zeros()), *inputs)


def _scaled_sum(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Add to the first input the second times a number (InceptionResNetV2)."""
    scaled = add_scaled(layer, inputs[1], builder, layer.config.get("scale", 1.0), "scaled")
    return builder.add(ops.Add(), inputs[0], scaled)


def _stochastic_depth(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Drop nothing: only training drops a path (ConvNeXt)."""
    return builder.add(ops.Identity(), inputs[0])


ALIKE = [
    importer("keras", f"{package}{name}", roles, slicewise=True)(function)
    for package in ("", "Custom>")  # Keras registers some of them as a user's own
    for name, roles, function in (
        ("LayerScale", ("gamma",), _layer_scale),
        ("CustomScaleLayer", (), _scaled_sum),
        ("StochasticDepth", (), _stochastic_depth),
    )
]
