"""Layers that make categories of numbers, by a vocabulary or by bins, and encode them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, Slot, importer, layer_error
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.operands import node, number
from snnc.frontend.keras_layers.operators_pick import each_with
from snnc.ir.types import AnyArray
from snnc.ops.combine import Multiply
from snnc.ops.functions import Pairwise
from snnc.ops.reduce import Max, Sum

LARGEST = 1 << 24
"""Whole numbers up to which float32 tells all apart."""


@importer("keras", "CategoryEncoding")
def category_encoding(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Encode indices: one-hot, several-hot, or counted, with weights if asked."""
    depth = count(layer, "num_tokens" if "num_tokens" in layer.config else "max_tokens")
    given = layer.call.get("count_weights")
    weights = inputs[given.index] if isinstance(given, Slot) else None
    return _encoded(layer, inputs[0], builder, str(layer.config.get("output_mode", "multi_hot")), depth, weights)


@importer("keras", "IntegerLookup", limits="a vocabulary that is not in the config")
def integer_lookup(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the place of numbers in a vocabulary, with masks and unknown ones, or the reverse; in any output mode."""
    mode, mask = (
        str(layer.config.get("output_mode", "int")),
        layer.config.get("mask_token", layer.config.get("mask_value")),
    )
    others = layer.config.get("num_oov_indices", 1)
    first = int(mask is not None and mode == "int")
    oov = layer.config.get("oov_token", layer.config.get("oov_value", -1))
    tokens = _tokens(layer, [mask] * first + [oov] * others)
    places = np.arange(len(tokens)) + first + others
    none: list[int] = [] if mask is None else [mask]
    if layer.config.get("invert"):
        known, found, default = [*places, *[0] * first], [*tokens, *none[:first]], oov
    else:
        # what is masked is index 0, and in an encoding nothing
        known, found = [*tokens, *none], [*places, *[first - 1] * len(none)]
        default = first if others == 1 else -1
    encode = mode != "int"
    step = "index" if encode else ""
    index = _looked_up(layer, inputs[0], builder, known, found, default, others, first, step)
    if not encode:
        return index
    used = len(tokens) + others
    depth = int(layer.config["max_tokens"]) if layer.config.get("pad_to_max_tokens") else used
    return _encoded(layer, index, builder, mode, depth, tokens=used)


def _tokens(layer: Layer, special: list[Any]) -> AnyArray:
    """Return the vocabulary without the special tokens that it may begin with."""
    given = layer.config.get("vocabulary")
    if not isinstance(given, list) or not all(isinstance(v, (int, float)) for v in given):
        raise layer_error(
            layer,
            "its config has no vocabulary of numbers; do the lookup before the model and give it the indices, or make "
            "the layer with vocabulary=layer.get_vocabulary() and save the model again",
        )
    tokens = given[len(special) :] if given[: len(special)] == special else given
    if not tokens or max(abs(v) for v in tokens) > LARGEST:
        raise layer_error(
            layer, f"its vocabulary is empty or has numbers above {LARGEST}; do the lookup before the model"
        )
    return np.array(tokens)


def _looked_up(
    layer: Layer,
    source: str,
    builder: Builder,
    known: Sequence[float],
    found: Sequence[float],
    default: float,
    others: int,
    first: int,
    step: str,
) -> str:
    """Return the value of each number: that of its key, or the default; of several the remainder of a division."""
    shape = builder.type(source).shape
    equal = each_with(builder.part("keys"), source, "equal", np.array(known, dtype=np.float32))
    several = others > 1 and not layer.config.get("invert")
    base = 0.0 if several else default
    weight = layer.once("places", lambda: np.array(found)[:, None] - base)
    dense = ops.Dense(weight=weight, bias=layer.once("default", lambda: np.array([base])))
    column = builder.add(dense, equal, step="places")
    if not several:
        return builder.add(ops.Reshape(shape=shape), column, step=step)
    index = builder.add(ops.Reshape(shape=shape), column, step="known")
    hits = builder.add(Sum(axes=(len(shape),)), equal, step="hits")
    missed = builder.add(ops.Affine(scale=number(-1), shift=number(1)), hits, step="missed")
    bucket = builder.add(Pairwise(name="remainder"), source, node(builder, source, np.array(others)), step="bucket")
    rest = builder.add(ops.Affine(scale=number(1), shift=number(first)), bucket, step="rest")
    return builder.add(ops.Add(), index, builder.add(Multiply(), missed, rest, step="other"), step=step)


def _summary(config: Mapping[str, Any]) -> Sequence[Role]:
    return () if config.get("bin_boundaries") is not None else (Role("summary", False),)


@importer("keras", "Discretization", _summary)
def discretization(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the number of the bin of each element, of boundaries that are given or learned; in any output mode."""
    given = layer.config.get("bin_boundaries")
    edges = np.array(given, dtype=np.float64) if given is not None else _boundaries(layer)
    mode = str(layer.config.get("output_mode", "int"))
    rank = len(builder.type(inputs[0]).shape)
    reached = each_with(builder.part("edges"), inputs[0], "greater_equal", edges.astype(np.float32))
    index = builder.add(Sum(axes=(rank,)), reached, step="" if mode == "int" else "index")
    return index if mode == "int" else _encoded(layer, index, builder, mode, len(edges) + 1)


def _boundaries(layer: Layer) -> AnyArray:
    """Return the boundaries that Keras 2 finds in its summary of the data, (values, weights), where they are needed."""
    values, weights = layer.weights["summary"].astype(np.float64)
    share = 1 / count(layer, "num_bins")
    if len(values) * share < 1:
        return values[:-1]
    total = weights.cumsum()
    return np.asarray(np.interp(share + np.arange(0.0, 1.0, share), total / total[-1], values))[:-1]


def _encoded(
    layer: Layer, index: str, builder: Builder, mode: str, depth: int, weights: str | None = None, tokens: int = 0
) -> str:
    """Return the encoding of indices over their last axis, (..., depth).

    Args:
        layer: named in errors.
        index: the node of the indices; one that is negative or too large counts for nothing.
        builder: of the graph.
        mode: one of Keras's.
        depth: how many indices there are.
        weights: the node of what each index counts, if it is not 1.
        tokens: how many indices stand for something, where not all do.

    """
    shape = builder.type(index).shape
    rank = len(shape)
    hot = each_with(builder.part("indices"), index, "equal", np.arange(depth, dtype=np.float32))
    if mode == "one_hot":
        return builder.add(ops.Reshape(shape=(*(shape[:-1] if shape[-1:] == (1,) else shape), depth)), hot)
    if rank != 1:
        raise layer_error(
            layer, f"its output mode {mode!r} takes one row of indices a sample, got {builder.type(index)}"
        )
    if mode in ("multi_hot", "binary"):
        return builder.add(Max(axes=(0,)), hot)
    if weights is not None:
        column = builder.add(ops.Reshape(shape=(*shape, 1)), weights, step="weights")
        hot = builder.add(Multiply(), hot, column, step="weighted")
    if mode == "count":
        return builder.add(Sum(axes=(0,)), hot)
    if mode != "tf_idf":
        raise layer_error(layer, f"its output mode {mode!r} is unknown")
    scale = _inverse_frequencies(layer, depth, tokens or depth)
    return builder.add(ops.Affine(scale=scale, shift=number(0)), builder.add(Sum(axes=(0,)), hot, step="counts"))


def _inverse_frequencies(layer: Layer, depth: int, tokens: int) -> AnyArray:
    """Return the weight of each index: unknown ones have the average, those without a token none."""
    given = layer.config.get("idf_weights")
    if not isinstance(given, list) or len(given) > depth:
        raise layer_error(layer, "its config has no idf_weights; give them to the layer and save the model again")
    front = max(tokens - len(given), 0)
    found = np.concatenate([np.full(front, np.mean(given)), given])
    return layer.once("idf", lambda: np.concatenate([found, np.zeros(depth - len(found))]))
