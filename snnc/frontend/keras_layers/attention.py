"""Attention of several heads (Vaswani et al. 2017): projections, scores, a softmax and what it weighs, as single ops.

The projections are dense ops, so that spikes drive them; scores and weighed values are products of two signals.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, Slot, importer, layer_error
from snnc.frontend.keras_layers.attention_masks import (
    Mask,
    below_diagonal,
    clear,
    join,
    mask_scores,
    near_diagonal,
    spread,
    with_axes,
)
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.einsum_dense import Terms, weigh
from snnc.frontend.keras_layers.layout import add_run
from snnc.frontend.keras_layers.operands import argument, tensor
from snnc.ir.types import Array, Shape
from snnc.ops.combine import Einsum, Multiply
from snnc.ops.functions import NotEqual
from snnc.ops.resample import Repeat

_ARGUMENTS = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
"""In the order of Keras 3; Keras 2 names all but the first."""
_SOFTMAX_CLEARS = (3, 14)
"""The first Keras whose softmax makes a row zero of which nothing counts."""
_TAKES_MASKS = (3, 8)
"""The first Keras in which MultiHeadAttention takes the masks off its inputs, and reads no other mask of the query."""


def _roles(config: Mapping[str, Any]) -> Sequence[Role]:
    parts = ["query", "key", *(["gate"] if config.get("use_gate") else []), "value", "output"]
    names = ("kernel", "bias") if config.get("use_bias", True) else ("kernel",)
    return tuple(Role(f"{part}/{name}", group=f"{part}_dense") for part in parts for name in names)


@importer("keras", "MultiHeadAttention", _roles)
def multi_head_attention(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Attend with several heads, over any axes, to the same sequence or another one, with any masks."""
    heads, depth = count(layer, "num_heads"), count(layer, "key_dim")
    width = int(layer.config.get("value_dim") or depth)
    attention = _Attention(layer, inputs, builder, heads, heads, depth, width)
    if layer.keras >= _TAKES_MASKS:
        return attention.add_and_take_masks()
    return attention.add()


@importer("keras", "GroupedQueryAttention", _roles)
def grouped_query_attention(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Attend with several heads, of which groups share keys and values (Ainslie et al. 2023)."""
    heads, shared, depth = (count(layer, key) for key in ("num_query_heads", "num_key_value_heads", "head_dim"))
    return _Attention(layer, inputs, builder, heads, shared, depth, depth).add()


class _Attention:
    """One call of a layer of attention with several heads."""

    def __init__(
        self, layer: Layer, inputs: Sequence[str], builder: Builder, heads: int, shared: int, depth: int, width: int
    ) -> None:
        """Note the tensors of the call, and the numbers of heads of queries and of keys, and their sizes."""
        self.layer, self.builder, self.inputs = layer, builder, inputs
        self.heads, self.shared, self.depth, self.width = heads, shared, depth, width
        self.query, self.value = (tensor(layer, self.given(name), inputs) for name in ("query", "value"))
        key = self.given("key")
        self.has_key = key is not None
        self.key = self.value if key is None else tensor(layer, key, inputs)
        rank = len(builder.type(self.query).shape)
        self.axes = self._axes(rank)
        self.target = string.ascii_lowercase[: rank + 1]
        """A letter for each axis of the projected query: those of the query but the last, heads and their sizes."""
        moved = {self.target[axis]: letter for axis, letter in zip(self.axes, string.ascii_uppercase, strict=False)}
        self.source = "".join(moved.get(letter, letter) for letter in self.target)
        """The same of keys and values."""
        over = [self.target[axis] for axis in self.axes]
        rest = [letter for letter in self.target[:-1] if letter not in over]
        self.product = "".join((*rest, *over, *(moved[letter] for letter in over)))
        """Those of the scores: of heads and of what is not attended over, then of queries, then of keys."""
        if argument(layer, 8, "training") and layer.config.get("dropout"):
            raise layer_error(layer, "the model calls it with training=True; call it without and save the model again")

    def given(self, name: str) -> Any:
        """Return an argument of the call; what stands first is in a list of its own in Keras 2."""
        value = argument(self.layer, _ARGUMENTS.index(name), name)
        return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Slot) else value

    def _axes(self, rank: int) -> tuple[int, ...]:
        """Return the axes that are attended over, without the batch."""
        given = self.layer.config.get("attention_axes")
        listed = [given] if isinstance(given, int) else list(given or range(1, rank))
        axes = tuple(axis - 1 if axis >= 0 else axis + rank for axis in listed)
        if not axes or len(set(axes)) < len(axes) or not all(0 <= axis < rank - 1 for axis in axes):
            raise layer_error(
                self.layer, f"its attention_axes {given!r} are not axes between the batch and the features"
            )
        return axes

    def add(self) -> str | Sequence[str]:
        """Add all of it; return the output, and the weights if the model asks for them."""
        builder, layer = self.builder, self.layer
        wants = bool(argument(layer, 7, "return_attention_scores"))
        query = self.project("query", self.query, self.heads, self.depth, 1 / math.sqrt(self.depth))
        key = self.repeated("key", self.project("key", self.key, self.shared, self.depth))
        value = self.repeated("value", self.project("value", self.value, self.shared, self.width))
        equation = f"{self.target},{self.source}->{self.product}"
        scores = builder.add(Einsum(equation=equation), query, key, step="scores")
        mask = self.mask(builder.type(scores).shape)
        weights = self.softmax(mask_scores(builder, scores, mask))
        explicit = wants or bool(layer.config.get("dropout")) or len(self.target) != 3
        if mask and explicit and layer.keras >= _SOFTMAX_CLEARS:
            weights = clear(builder, weights, mask)
        weighed = builder.add(
            Einsum(equation=f"{self.product},{self.source}->{self.target}"), weights, value, step="weighed"
        )
        if layer.config.get("use_gate"):
            gate = self.project("gate", self.query, self.heads, self.width)
            gate = builder.add(ops.Sigmoid(), gate, step="gate.sigmoid")
            weighed = builder.add(Multiply(), weighed, gate, step="gated")
        output = self.output(weighed)
        if self.query in builder.masks:
            builder.masks[output] = builder.masks[self.query]
        return [output, weights] if wants else output

    def add_and_take_masks(self) -> str | Sequence[str]:
        """Add all of it; whatever else reads the inputs finds them without masks."""
        added = self.add()
        for source in (self.query, self.value, self.key):
            self.builder.masks.pop(source, None)
        return added

    def project(self, name: str, source: str, heads: int, size: int, scale: float = 1.0) -> str:
        """Add the dense op that makes heads of a tensor, times a number."""
        shape = self.builder.type(source).shape
        free, features = self.target[: len(shape) - 1], shape[-1]
        sizes = {**dict(zip(free, shape, strict=False)), "X": features, "Y": heads, "Z": size}
        kernel = self.layer.weight(f"{name}/kernel", (features, heads, size))
        return self.weigh(name, source, Terms(f"{free}X", "XYZ", f"{free}YZ", sizes), kernel, (heads, size), scale)

    def weigh(self, name: str, source: str, terms: Terms, kernel: Array, units: Shape, scale: float = 1.0) -> str:
        """Add weights of one part of the layer."""
        layer, bias = self.layer, None
        if layer.config.get("use_bias", True):
            bias = layer.weight(f"{name}/bias", units) * np.float32(scale)
        run = weigh(layer, terms, kernel * np.float32(scale), bias, f"{name} ")
        return add_run(source, self.builder if name == "output" else self.builder.part(name), *run)

    def repeated(self, name: str, source: str) -> str:
        """Give each head of the queries the keys or values of its group."""
        if self.shared == self.heads:
            return source
        if self.heads % self.shared:
            raise layer_error(self.layer, f"its {self.heads} heads do not split into {self.shared} equal groups")
        rank = len(self.builder.type(source).shape)
        times = tuple(self.heads // self.shared if axis == rank - 2 else 1 for axis in range(rank))
        return self.builder.add(Repeat(times=times), source, step=f"{name}.repeated")

    def softmax(self, scores: str) -> str:
        """Add the softmax over all places of the keys."""
        shape = self.builder.type(scores).shape
        if len(self.axes) == 1:
            return self.builder.add(ops.Softmax(), scores, step="weights")
        flat = ops.Reshape(shape=(*shape[: -len(self.axes)], -1))
        return add_run(scores, self.builder.part("weights"), flat, ops.Softmax(), ops.Reshape(shape=shape))

    def output(self, source: str) -> str:
        """Add the dense op that joins the heads."""
        given = self.layer.config.get("output_shape") or self.builder.type(self.query).shape[-1]
        units = tuple(given) if isinstance(given, Sequence) else (int(given),)
        free = self.target[:-2]
        letters = string.ascii_uppercase[: len(units)]
        sizes = {
            **dict(zip(self.target, self.builder.type(source).shape, strict=True)),
            **dict(zip(letters, units, strict=True)),
        }
        terms = Terms(self.target, f"{self.target[-2:]}{letters}", f"{free}{letters}", sizes)
        kernel = self.layer.weight("output/kernel", (self.heads, self.width, *units))
        return self.weigh("output", source, terms, kernel, units)

    def mask(self, scores: Shape) -> Mask:
        """Return what counts, as a mask that broadcasts to the scores."""
        layer, builder = self.layer, self.builder
        nodes = []
        for name, source in (("query", self.query), ("value", self.value), ("key", self.key)):
            found = self.mask_of(name, source)
            if found is not None:
                rank = len(builder.type(found).shape)
                place = 1 if name == "query" else 0
                if layer.keras >= (3,):  # from the end, which is the same for sequences
                    place = rank if name == "query" else rank - 1
                nodes.append(with_axes(builder, found, place, f"{name}.mask"))
        rows, columns = builder.type(self.query).shape[0], builder.type(self.value).shape[0]
        known = below_diagonal(rows, columns) if argument(layer, 9, "use_causal_mask") else None
        if window := layer.config.get("sliding_window"):
            near = near_diagonal(rows, columns, int(window))
            known = near if known is None else known * near
        own = self.given("attention_mask")
        if isinstance(own, Slot):
            node = self.inputs[own.index]
            if nodes or known is not None or layer.keras >= (3,):  # anything but 0 counts then
                node = builder.add(NotEqual(value=0.0), node, step="attention_mask")
            nodes.append(node)
        elif own is not None:
            fixed = self.without_batch(np.asarray(own, dtype=np.float32))
            known = fixed if known is None else known * fixed
        return spread(layer, builder, join(builder, nodes, known), len(scores), 2 * len(self.axes))

    def mask_of(self, name: str, source: str) -> str | None:
        """Return the mask of an input: the one that the model names, or else the one that it carries."""
        given = self.given(f"{name}_mask")
        deaf = name == "query" and self.layer.class_name == "MultiHeadAttention" and self.layer.keras >= _TAKES_MASKS
        if isinstance(given, Slot) and not deaf:
            return self.inputs[given.index]
        if name == "key" and not self.has_key:
            return None
        return self.builder.masks.get(source)

    def without_batch(self, mask: Array) -> Array:
        """Return a mask that is the same for all samples without their axis."""
        if mask.ndim <= 2 * len(self.axes):
            return mask
        if mask.shape[0] != 1:
            raise layer_error(self.layer, f"its attention_mask of shape {mask.shape} depends on the place in the batch")
        return np.asarray(mask[0])
