"""Attention by products (Luong et al. 2015) and by sums (Bahdanau et al. 2015), without projections."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, Slot, importer, layer_error
from snnc.frontend.keras_layers.attention_masks import below_diagonal, join, mask_scores, with_axes
from snnc.frontend.keras_layers.norm import TRAINING, inference_only
from snnc.ir.types import Array
from snnc.ops.combine import Einsum, Multiply

_HANDS_ON_GIVEN_MASKS = (3, 11)
"""The first Keras 3 that hands on the mask that a call names; before, the one that the query carries."""


def _attention_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    scale = [Role("scale")] if config.get("use_scale", False) else []
    return (*scale, *([Role("concat_score_weight")] if config.get("score_mode") == "concat" else []))


@importer("keras", "Attention", _attention_roles, limits=TRAINING)
def attention(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Attend by products of queries and keys, or by the tanh of their sums, with masks."""
    query, _, key = _tensors(layer, inputs)
    scale = layer.weight("scale", ()) if layer.config.get("use_scale", False) else None
    if layer.config.get("score_mode", "dot") == "concat":
        depth, weight = builder.type(query).shape[-1], layer.weight("concat_score_weight", ())
        scores = _scores_of_sums(layer, builder, query, key, scale, layer.once("row", lambda: np.full(depth, weight)))
        return _attend(layer, inputs, builder, scores)
    letters = string.ascii_lowercase[: len(builder.type(query).shape)]
    source = f"{letters[:-2]}S{letters[-1]}"
    equation = f"{letters},{source}->{letters[:-1]}S"
    scores = builder.add(Einsum(equation=equation), query, key, step="scores")
    if scale is not None:
        scores = builder.add(ops.Affine(scale=scale, shift=layer.zeros()), scores, step="scores.scaled")
    return _attend(layer, inputs, builder, scores)


def _additive_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return (Role("scale"),) if config.get("use_scale", True) else ()


@importer("keras", "AdditiveAttention", _additive_roles, limits=TRAINING)
def additive_attention(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Attend by weighted sums of the tanh of queries and keys, with masks."""
    query, _, key = _tensors(layer, inputs)
    depth = builder.type(query).shape[-1]
    row = layer.weight("scale", (depth,)) if layer.config.get("use_scale", True) else layer.ones(depth)
    return _attend(layer, inputs, builder, _scores_of_sums(layer, builder, query, key, None, row))


def _tensors(layer: Layer, inputs: Sequence[str]) -> tuple[str, str, str]:
    """Return query, value and key; the masks that the model names stand behind them."""
    if layer.config.get("dropout"):
        inference_only(layer)
    first = layer.args[0] if layer.args else None
    given = len(first) if isinstance(first, list) else len(inputs)
    if given not in (2, 3) or len(inputs) < given:
        raise layer_error(layer, f"it takes query, value and perhaps key, got {given} tensor(s)")
    query, value = inputs[:2]
    return query, value, inputs[2] if given == 3 else value


def _scores_of_sums(layer: Layer, builder: Builder, query: str, key: str, scale: Array | None, row: Array) -> str:
    """Add the scores ``sum(row * tanh(scale * (query + key)))`` of every pair."""
    pairs = builder.add(
        ops.Add(), with_axes(builder, query, -1, "queries"), with_axes(builder, key, -2, "keys"), step="pairs"
    )
    if scale is not None:
        pairs = builder.add(ops.Affine(scale=scale, shift=layer.zeros()), pairs, step="pairs.scaled")
    curved = builder.add(ops.Tanh(), pairs, step="tanh")
    column = ops.Dense(weight=layer.once("column", lambda: row[:, None]), bias=layer.zeros(1))
    sums = builder.add(column, curved, step="sums")
    return builder.add(ops.Reshape(shape=builder.type(sums).shape[:-1]), sums, step="scores")


def _attend(layer: Layer, inputs: Sequence[str], builder: Builder, scores: str) -> str | Sequence[str]:
    """Add the softmax of the scores, what it weighs, and the weights themselves if the model asks for them."""
    query, value, _ = _tensors(layer, inputs)
    query_mask, value_mask = _masks(layer, inputs, builder, query, value)
    shape = builder.type(scores).shape
    causal = layer.call.get("use_causal_mask") or layer.config.get("causal")
    nodes = [] if value_mask is None else [with_axes(builder, value_mask, -1, "mask.value")]
    mask = join(builder, nodes, below_diagonal(*shape[-2:]) if causal else None)
    weights = builder.add(ops.Softmax(), mask_scores(builder, scores, mask), step="weights")
    letters = string.ascii_lowercase[: len(shape)]
    equation = f"{letters},{letters[:-2]}{letters[-1]}Z->{letters[:-1]}Z"
    output = builder.add(Einsum(equation=equation), weights, value, step="" if query_mask is None else "weighed")
    if query_mask is not None:
        output = builder.add(Multiply(), output, _column(builder, query_mask))
    handed_on = builder.masks.get(query) if (3,) <= layer.keras < _HANDS_ON_GIVEN_MASKS else query_mask
    if handed_on is not None:
        builder.masks[output] = handed_on
    return [output, weights] if layer.call.get("return_attention_scores") else output


def _column(builder: Builder, mask: str) -> str:
    shape = builder.type(mask).shape
    return builder.add(ops.Reshape(shape=(*shape, 1)), mask, step="mask.query")


def _masks(
    layer: Layer, inputs: Sequence[str], builder: Builder, query: str, value: str
) -> tuple[str | None, str | None]:
    """Return the masks of query and value: those that the model names, or else those that they carry."""
    given = layer.call.get("mask")
    if not isinstance(given, list):
        return builder.masks.get(query), builder.masks.get(value)
    first, second = (inputs[m.index] if isinstance(m, Slot) else None for m in given[:2])
    return first, second
