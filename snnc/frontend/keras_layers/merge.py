"""Layers that join several tensors."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.frontend.base import Builder, Layer, importer
from snnc.frontend.keras_layers.layout import axis_without_batch
from snnc.ir import ops


@importer("keras", "Add", masking=True)
def add(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum of any number of inputs, with broadcasting."""
    return builder.add(ops.Add(), *inputs)


@importer("keras", "Concatenate", masking=True)
def concatenate(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join along any axis but the batch."""
    axis = axis_without_batch(layer, int(layer.config.get("axis", -1)), len(builder.type(inputs[0]).shape))
    return builder.add(ops.Concatenate(axis=axis), *inputs)
