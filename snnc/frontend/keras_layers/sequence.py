"""Layers at the beginning of sequences: embeddings and masks."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer
from snnc.frontend.keras_layers.dense import count
from snnc.ops.combine import Multiply
from snnc.ops.functions import NotEqual
from snnc.ops.reduce import Max
from snnc.ops.resample import Embedding


@importer("keras", "Embedding", ("embeddings",), slicewise=True)
def embedding(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Look up the row of a table for each index; index 0 is masked if asked."""
    op = Embedding(table=layer.weight("embeddings", (count(layer, "input_dim"), count(layer, "output_dim"))))
    output = builder.add(op, *inputs)
    if layer.config.get("mask_zero"):
        builder.masks[output] = builder.add(NotEqual(value=0.0), *inputs, step="mask")
    return output


@importer("keras", "Masking", slicewise=True)
def masking(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Mask the steps whose features all have one value: they become zero and later layers leave them out."""
    shape = builder.type(inputs[0]).shape
    differs = builder.add(NotEqual(value=float(layer.config.get("mask_value", 0.0))), *inputs, step="differs")
    keep = builder.add(Max(axes=(len(shape) - 1,), keepdims=True), differs, step="keep")
    output = builder.add(Multiply(), inputs[0], keep)
    builder.masks[output] = builder.add(ops.Reshape(shape=shape[:-1]), keep, step="mask")
    return output
