"""EinsumDense: weights over any axes, written as ops that every backend has."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.frontend.keras_layers.layout import add_run
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, Shape


@dataclass(frozen=True)
class Terms:
    """An equation ``source,kernel->result`` with a letter for each axis but the batch, and the sizes of its axes."""

    source: str
    kernel: str
    result: str
    sizes: Mapping[str, int]

    def shape(self, letters: Sequence[str]) -> Shape:
        """Return the sizes of axes."""
        return tuple(self.sizes[letter] for letter in letters)


def _roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return (Role("kernel"), *((Role("bias"),) if config.get("bias_axes") else ()))


@importer("keras", "EinsumDense", _roles, limits="a letter twice in a term, sums over the batch")
def einsum_dense(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Connect any axes with any others, as an equation says."""
    terms = _terms(layer, builder.type(inputs[0]).shape)
    bias, axes = None, str(layer.config.get("bias_axes") or "")
    if axes:
        spans = terms.result[min(terms.result.find(letter) for letter in axes) :]
        bias = layer.weight("bias", tuple(terms.sizes[k] if k in axes else 1 for k in spans))
    kernel = layer.weight("kernel", terms.shape(terms.kernel))
    return add_run(inputs[0], builder, *weigh(layer, terms, kernel, bias), config_activation(layer))


def _terms(layer: Layer, shape: Shape) -> Terms:
    """Return the equation of a layer, an ellipsis written out and without the batch, which must come first.

    Args:
        layer: has ``equation``, such as ``abc,cd->abd`` or ``...x,xy->...y``, and the ``output_shape`` of the axes
            that it names.
        shape: of the input.

    """
    equation = str(layer.config["equation"]).replace(" ", "")
    left, _, result = equation.partition("->")
    source, _, kernel = left.partition(",")
    unused = [letter for letter in string.ascii_letters if letter not in equation]
    elided = "".join(unused[: max(len(shape) + 1 - len(source.replace("...", "")), 0)])
    source, result = source.replace("...", elided), result.replace("...", elided)
    if any(len(set(term)) < len(term) for term in (source, kernel, result)):
        raise layer_error(layer, f"its equation {equation!r} has a letter twice in a term; use one letter an axis")
    if len(source) != len(shape) + 1 or source[0] in kernel or result[:1] != source[0]:
        raise layer_error(
            layer,
            f"its equation {equation!r} must have the batch first, then {len(shape)} axes, and keep the batch first",
        )
    given = layer.config.get("output_shape")
    named = [k for k in result[1:] if k not in elided]
    known = dict(zip(named, given if isinstance(given, Sequence) else [given], strict=True))
    sizes = {**known, **dict(zip(source[1:], shape, strict=True))}
    if not set(kernel + result[1:]) <= set(sizes) or not set(result) <= set(source + kernel):
        raise layer_error(layer, f"its equation {equation!r} has a letter that only one term knows")
    return Terms(source[1:], kernel, result[1:], sizes)


def weigh(layer: Layer, terms: Terms, kernel: Array, bias: Array | None = None, key: str = "") -> list[Op]:
    """Return ops, one behind the other, that multiply a tensor by a kernel and add a bias.

    The weights become a dense op, or a grouped convolution of size one where an axis has weights of its own at every
    place. What has to be summed, moved or joined for that are linear ops around it.

    Args:
        layer: that owns the weights.
        terms: what is multiplied and summed.
        kernel: an axis for each letter of ``terms.kernel``.
        bias: broadcasts to the result from the right, or None.
        key: tells the weights of one layer apart.

    """
    left = [k for k in terms.source if k in terms.kernel or k in terms.result]
    free = [k for k in left if k not in terms.kernel]
    groups = [k for k in left if k in terms.kernel and k in terms.result]
    inner = [k for k in left if k not in terms.result]
    units = [*groups, *(k for k in terms.result if k not in terms.source)]
    order = [terms.kernel.index(k) for k in (*inner, *units)]
    depth, rows, parts = (math.prod(terms.shape(letters)) for letters in (inner, free, groups))
    matrix = layer.once(f"{key}matrix", lambda: kernel.transpose(order).reshape(depth, -1))
    inside, behind = _split_bias(terms, units, bias)
    offset = layer.once(f"{key}offset", lambda: inside)
    first: Shape = (*terms.shape(free), depth)
    weights: Op = ops.Dense(weight=matrix, bias=offset)
    if groups:
        first = (rows, parts * depth)
        weights = ops.Conv(kernel=matrix[None], bias=offset, strides=(1,), dilation=(1,), groups=parts)
    run = [
        ops.Sum(axes=tuple(axis for axis, k in enumerate(terms.source) if k not in left))
        if left != list(terms.source)
        else None,
        _permute(left, [*free, *groups, *inner]),
        _reshape(terms.shape([*free, *groups, *inner]), first),
        weights,
        _reshape((*first[:-1], matrix.shape[1]), terms.shape([*free, *units])),
        _permute([*free, *units], terms.result),
        None if behind is None else ops.Affine(scale=layer.ones(), shift=layer.once(f"{key}shift", lambda: behind)),
    ]
    return [op for op in run if op is not None]


def _split_bias(terms: Terms, units: Sequence[str], bias: Array | None) -> tuple[AnyArray, Array | None]:
    """Return the bias of the weight op, a number a unit, and what has to be added behind it instead, if anything."""
    shape = terms.shape(units)
    if bias is None:
        return np.zeros(math.prod(shape), dtype=np.float32), None
    full = bias.reshape((1,) * (len(terms.result) - bias.ndim) + bias.shape)
    other = tuple(axis for axis, k in enumerate(terms.result) if k not in units)
    if any(full.shape[axis] > 1 for axis in other):
        return np.zeros(math.prod(shape), dtype=np.float32), bias
    left = [k for k in terms.result if k in units]
    moved = full.squeeze(other).transpose([left.index(k) for k in units])
    return np.broadcast_to(moved, shape).reshape(-1), None


def _permute(before: Sequence[str], after: Sequence[str]) -> ops.Permute | None:
    """Return what brings axes into another order, None where they are in it."""
    order = tuple(list(before).index(k) for k in after)
    return None if order == tuple(range(len(order))) else ops.Permute(order=order)


def _reshape(before: Shape, after: Shape) -> ops.Reshape | None:
    return None if before == after else ops.Reshape(shape=after)
