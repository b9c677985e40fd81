"""Products of tensors and constants, summed over indices: einsum, and what is written as one."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.errors import ShapeError
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.einsum_dense import Terms, weigh
from snnc.frontend.keras_layers.layout import add_run, axis_without_batch
from snnc.frontend.keras_layers.operands import Operand, argument, node, number, operand, tensor, whole
from snnc.ir.types import Array, Shape
from snnc.ops.combine import Einsum, Multiply
from snnc.ops.reduce import Sum
from snnc.ops.resample import Take

_ANY_RANK = 99


def _einsum(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum products of any number of tensors and constants over indices; the batch comes first."""
    given, equation = list(layer.args), layer.config.get("subscripts")
    if equation is None:
        equation, *given = given or [layer.call.get("equation")]
    given += layer.call.get("inputs") or []
    if not isinstance(equation, str):
        raise layer_error(layer, "its equation cannot be read")
    operands = [operand(layer, value, inputs, _ANY_RANK) for value in given]
    if not operands:
        raise layer_error(
            layer,
            "Keras 2 does not write down which tensors it reads; compile the model from memory, or write a Dot layer "
            "or tf.matmul",
        )
    return contract(layer, builder, equation, operands)


def _shape(builder: Builder, value: Operand) -> Shape:
    """Return the shape of an operand, -1 for the batch of a tensor."""
    return (-1, *builder.type(value).shape) if isinstance(value, str) else value.shape


def _terms(layer: Layer, builder: Builder, equation: str, operands: Sequence[Operand]) -> tuple[list[str], str]:
    """Return the indices of each operand and of the result, an ellipsis and a missing result written out."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise layer_error(layer, f"the equation {equation!r} does not fit {len(operands)} tensor(s)")
    if not arrow:
        named = [k for k in left if k not in ",."]
        result = ("..." if "..." in left else "") + "".join(sorted(k for k in set(named) if named.count(k) == 1))
    free = [k for k in string.ascii_letters if k not in equation]
    ranks = [
        len(_shape(builder, value)) - len(term.replace("...", "")) for value, term in zip(operands, terms, strict=True)
    ]
    widest = max((rank for rank, term in zip(ranks, terms, strict=True) if "..." in term), default=0)
    more = "".join(free[:widest])
    whole_terms = [term.replace("...", more[len(more) - rank :]) for rank, term in zip(ranks, terms, strict=True)]
    return whole_terms, result.replace("...", more)


def contract(layer: Layer, builder: Builder, equation: str, operands: Sequence[Operand]) -> str:
    """Add the sum of products that an equation says, as one linear op where one operand alone is a tensor.

    Args:
        layer: named in errors.
        builder: of the layer.
        equation: as ``numpy.einsum`` takes it; tensors have their batch among the indices, constants do not.
        operands: the nodes and constants.

    """
    terms, result = _terms(layer, builder, equation, operands)
    batches = {term[:1] for term, value in zip(terms, operands, strict=True) if isinstance(value, str)}
    batch = next(iter(batches))
    own = [term.count(batch) - isinstance(value, str) for term, value in zip(terms, operands, strict=True)]
    if len(batches) != 1 or result[:1] != batch or result.count(batch) != 1 or any(own):
        raise layer_error(
            layer, f"the equation {equation!r} must have the batch first in every tensor and in the result"
        )
    parts = [
        _without_ones(builder, value, term.replace(batch, ""), terms, operands)
        for term, value in zip(terms, operands, strict=True)
    ]
    result = result[1:]
    sizes = {k: n for value, term in parts for k, n in zip(term, _own_shape(builder, value), strict=True)}
    if any(sizes[k] != n for value, term in parts for k, n in zip(term, _own_shape(builder, value), strict=True)):
        raise layer_error(layer, f"the equation {equation!r} does not fit its tensors")
    tensors = [(value, term) for value, term in parts if isinstance(value, str)]
    constants = [(value, term) for value, term in parts if not isinstance(value, str)]
    if len(tensors) > 1:
        nodes = [node(builder, tensors[0][0], value) for value, _ in parts]
        return builder.add(Einsum(equation=f"{','.join(term for _, term in parts)}->{result}"), *nodes)
    ((source, term),) = tensors
    if len(set(term)) != len(term):
        single = "".join(dict.fromkeys(term))
        source = builder.add(Einsum(equation=f"{term}->{single}"), source, step="diagonal")
        term = single
    if not constants:
        return _arrange(builder, source, term, result)
    read = "".join(k for k in dict.fromkeys("".join(t for _, t in constants)) if k in term or k in result)
    weight = np.einsum(f"{','.join(t for _, t in constants)}->{read}", *(value for value, _ in constants))
    return _weigh(layer, builder, source, term, weight.astype(np.float32), read, result)


def _own_shape(builder: Builder, value: Operand) -> Shape:
    return builder.type(value).shape if isinstance(value, str) else value.shape


def _without_ones(
    builder: Builder, value: Operand, term: str, terms: Sequence[str], operands: Sequence[Operand]
) -> tuple[Operand, str]:
    """Drop the axes of size one of an operand that is repeated along them for the sake of others."""
    if len(term) != len(_own_shape(builder, value)):
        raise ShapeError(f"the indices {term!r} do not fit {_own_shape(builder, value)}")
    largest = {k: 1 for t in terms for k in t}
    for other, t in zip(operands, terms, strict=True):
        for k, n in zip(t, _shape(builder, other), strict=True):
            largest[k] = max(largest[k], n)
    pairs = list(zip(term, _own_shape(builder, value), strict=True))
    kept = [(k, n) for k, n in pairs if n == largest[k]]
    if len(kept) == len(pairs) or any(n != 1 for k, n in pairs if n != largest[k]):
        return value, term
    shape = tuple(n for _, n in kept)
    dropped: Operand = value.reshape(shape) if not isinstance(value, str) else value
    if isinstance(value, str):
        dropped = builder.add(ops.Reshape(shape=shape), value, step="squeezed")
    return dropped, "".join(k for k, _ in kept)


def _arrange(builder: Builder, source: str, term: str, result: str) -> str:
    """Sum over the indices that the result lacks, and give the others its order."""
    gone = tuple(k for k, letter in enumerate(term) if letter not in result)
    order = tuple("".join(k for k in term if k in result).index(k) for k in result)
    if not gone:
        return builder.add(ops.Permute(order=order), source)
    if order == tuple(range(len(order))):
        return builder.add(Sum(axes=gone), source)
    return builder.add(ops.Permute(order=order), builder.add(Sum(axes=gone), source, step="sum"))


def _weigh(layer: Layer, builder: Builder, source: str, term: str, weight: Array, read: str, result: str) -> str:
    """Add the product with a constant: a scale where no index is summed or new, else a layer of weights."""
    shape = builder.type(source).shape
    size = dict(zip(term, shape, strict=True)) | dict(zip(read, weight.shape, strict=True))
    if set(term) != set(result) or not set(read) <= set(term):
        return add_run(source, builder, *weigh(layer, Terms(term, read, result, size), weight))
    scale = weight.transpose([read.index(k) for k in term if k in read])
    scaled = ops.Affine(scale=scale.reshape([size[k] if k in read else 1 for k in term]), shift=number(0))
    return _arrange(builder, builder.add(scaled, source, step="scaled"), term, result)


def _operands(layer: Layer, inputs: Sequence[str], names: Sequence[str]) -> list[Operand]:
    return [operand(layer, argument(layer, k, name), inputs, _ANY_RANK) for k, name in enumerate(names)]


def _letters(count: int, avoid: str = "") -> str:
    return "".join([k for k in string.ascii_lowercase if k not in avoid][:count])


def _matmul(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Multiply matrices: two tensors, or a tensor and a constant on either side."""
    pair = _operands(layer, inputs, ("a x1 x", "b x2 y"))
    ranks = [len(_shape(builder, value)) for value in pair]
    tensors = [rank for rank, value in zip(ranks, pair, strict=True) if isinstance(value, str)]
    if len(tensors) == 2 and (ranks[0] != ranks[1] or ranks[0] < 3):
        raise layer_error(layer, "two tensors are multiplied as matrices only if both have the same two axes or more")
    before = _letters(max(ranks) - 2, "xyz") if max(ranks) > 2 else ""
    turned = [bool(argument(layer, k, names, False)) for k, names in ((2, "transpose_a adjoint_a"), (3, "transpose_b"))]
    own = ["x" if ranks[0] == 1 else "zx" if turned[0] else "xz", "z" if ranks[1] == 1 else "yz" if turned[1] else "zy"]
    own[0] = "z" if ranks[0] == 1 else own[0]
    terms = [before[len(before) - max(rank - 2, 0) :] + letters for rank, letters in zip(ranks, own, strict=True)]
    result = before + ("x" if ranks[0] > 1 else "") + ("y" if ranks[1] > 1 else "")
    return contract(layer, builder, f"{terms[0]},{terms[1]}->{result}", pair)


def _matvec(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Multiply matrices by vectors."""
    pair = _operands(layer, inputs, ("a", "b"))
    ranks = [len(_shape(builder, value)) for value in pair]
    before = _letters(max(ranks[0] - 2, ranks[1] - 1), "xyz")
    terms = before[len(before) - (ranks[0] - 2) :] + "xz", before[len(before) - (ranks[1] - 1) :] + "z"
    return contract(layer, builder, f"{terms[0]},{terms[1]}->{before}x", pair)


def _tensordot(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum products over axes of a tensor and of a constant."""
    a, b = _operands(layer, inputs, ("a x1", "b x2"))
    ranks = [len(_shape(builder, value)) for value in (a, b)]
    over: Any = argument(layer, 2, "axes", 2)
    if isinstance(over, int):
        over = [list(range(ranks[0] - over, ranks[0])), list(range(over))]
    pairs = [[axis] if isinstance(axis, int) else list(axis) for axis in over]
    return _summed_over(layer, builder, a, b, *pairs)


def _dot(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum products over the last axis of a tensor and one of a constant."""
    a, b = _operands(layer, inputs, ("x1 a", "x2 b"))
    last = -1 if layer.class_name == "ops.Inner" or len(_shape(builder, b)) == 1 else -2
    return _summed_over(layer, builder, a, b, [-1], [last])


def _summed_over(
    layer: Layer, builder: Builder, a: Operand, b: Operand, first: Sequence[int], second: Sequence[int]
) -> str:
    if isinstance(a, str) and isinstance(b, str):
        raise layer_error(
            layer, "it multiplies every sample by every other; only a tensor by a constant can be imported"
        )
    ranks = [len(_shape(builder, value)) for value in (a, b)]
    left = list(string.ascii_lowercase[: ranks[0]])
    right = list(string.ascii_uppercase[: ranks[1]])
    for i, j in zip(first, second, strict=True):
        right[j] = left[i]
    summed = {left[i] for i in first}
    result = "".join(k for k in (*left, *right) if k not in summed)
    return contract(layer, builder, f"{''.join(left)},{''.join(right)}->{result}", [a, b])


def _cross(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the vector product along the last axis."""
    a, b = (tensor(layer, argument(layer, k, name), inputs) for k, name in enumerate(("a x1", "b x2")))
    axis = axis_without_batch(
        layer, whole(layer, argument(layer, -1, "axis axisa", -1), "axis"), len(builder.type(a).shape)
    )
    if any(builder.type(x).shape[axis : axis + 1] != (3,) for x in (a, b)):
        raise layer_error(layer, "only vectors of three elements can be imported")
    turn, back = (Take(axis=axis, indices=indices) for indices in ((1, 2, 0), (2, 0, 1)))
    products = [
        builder.add(Multiply(), builder.add(one, a, step="first"), builder.add(other, b, step="second"), step="product")
        for one, other in ((turn, back), (back, turn))
    ]
    minus = builder.add(ops.Affine(scale=number(-1), shift=number(0)), products[1], step="negative")
    return builder.add(ops.Add(), products[0], minus)


_NAMES = (
    (_einsum, ("ops.Einsum", "tf.einsum", "tf.linalg.einsum")),
    (_matmul, ("ops.Matmul", "tf.linalg.matmul", "tf.matmul")),
    (_matvec, ("tf.linalg.matvec",)),
    (_tensordot, ("ops.Tensordot", "tf.tensordot", "tf.linalg.tensordot")),
    (_dot, ("ops.Dot", "ops.Inner")),
    (_cross, ("ops.Cross", "tf.linalg.cross")),
)
ALIKE = [importer("keras", name)(function) for function, names in _NAMES for name in names]
"""Operators of both Keras generations."""
