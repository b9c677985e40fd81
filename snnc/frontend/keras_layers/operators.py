"""Operators on tensors that compute: arithmetic, functions, reductions, products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.activation import PLAIN, softmax_axis
from snnc.frontend.keras_layers.layout import add_last
from snnc.frontend.keras_layers.merge import same_rank
from snnc.frontend.keras_layers.operands import Operand, affine, argument, axes, number, operand, tensor, tensors
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.ops.causal import Running
from snnc.ops.combine import Divide, Einsum, Maximum, Minimum, Multiply
from snnc.ops.functions import FUNCTIONS, Clip, Function, NotEqual, Power
from snnc.ops.reduce import Max, Mean, Min, Sum, UnitNorm

_LARGEST = float(np.finfo(np.float32).max)


def _binary(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Combine two tensors, or a tensor and constants, with broadcasting."""
    same_rank(layer, inputs, builder)
    rank = max(len(builder.type(name).shape) for name in inputs)
    a, b = (
        operand(layer, argument(layer, k, names), inputs, rank)
        for k, names in enumerate(("x x1 a value input", "y x2 b bias other"))
    )
    return _ARITHMETIC[_BINARY[layer.class_name]](layer, builder, a, b)


def _add(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str):
        return builder.add(ops.Add(), a, b) if isinstance(b, str) else affine(builder, a, number(1), b)
    return _add(layer, builder, b, a)


def _subtract(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if not isinstance(b, str):
        return _add(layer, builder, a, -b)
    if isinstance(a, str):
        return builder.add(ops.Add(), a, affine(builder, b, number(-1), number(0), step="negative"))
    return affine(builder, b, number(-1), a)


def _multiply(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str):
        return builder.add(Multiply(), a, b) if isinstance(b, str) else affine(builder, a, b, number(0))
    return _multiply(layer, builder, b, a)


def _divide(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if not isinstance(b, str):
        return _multiply(layer, builder, a, np.float32(1) / b)
    if isinstance(a, str):
        return builder.add(Divide(), a, b)
    return affine(builder, builder.add(Function(name="reciprocal"), b, step="reciprocal"), a, number(0))


def _power(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str) and not isinstance(b, str) and b.size == 1:
        exponent = float(b.reshape(()))
        op: Op = Function(name="square") if exponent == 2 else Power(exponent=exponent)
        return builder.add(op, a)
    raise layer_error(layer, "only a tensor to the power of one number can be imported")


def _largest(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str) and isinstance(b, str):
        return builder.add(Maximum(), a, b)
    source, limit = _one_number(layer, a, b)
    return builder.add(ops.Relu() if limit == 0 else Clip(low=limit, high=_LARGEST), source)


def _smallest(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str) and isinstance(b, str):
        return builder.add(Minimum(), a, b)
    source, limit = _one_number(layer, a, b)
    return builder.add(Clip(low=-_LARGEST, high=limit), source)


def _one_number(layer: Layer, a: Operand, b: Operand) -> tuple[str, float]:
    source, limit = (a, b) if isinstance(a, str) else (b, a)
    if not isinstance(source, str) or isinstance(limit, str) or limit.size != 1:
        raise layer_error(layer, "only a tensor and one number, or two tensors, can be imported")
    return source, float(limit.reshape(()))


_ARITHMETIC: Mapping[str, Callable[[Layer, Builder, Operand, Operand], str]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "maximum": _largest,
    "minimum": _smallest,
}
_BINARY = {
    **{f"ops.{name.capitalize()}": name for name in _ARITHMETIC},
    **{f"tf.math.{name}": name for name in _ARITHMETIC},
    "ops.TrueDivide": "divide",
    "tf.math.truediv": "divide",
    "tf.math.pow": "power",
    "tf.__operators__.add": "add",
    "tf.nn.bias_add": "add",
    "ops.LogicalOr": "maximum",
    "ops.LogicalAnd": "minimum",
    "tf.math.logical_or": "maximum",
    "tf.math.logical_and": "minimum",
}
"""Conditions are 0 or 1 here, so that "or" is the larger one and "and" the smaller."""


def _softmax_axis(layer: Layer) -> int:
    axis = argument(layer, 1, "axis", -1)
    if not isinstance(axis, int) or axis == 0:
        raise layer_error(layer, f"a softmax over axis {axis!r} cannot be imported")
    return softmax_axis(layer, axis)


def _clip(layer: Layer) -> Op:
    low, high = (
        float(argument(layer, k, names)) for k, names in ((1, "clip_value_min x_min"), (2, "clip_value_max x_max"))
    )
    return ops.Relu(max_value=high) if low == 0 < high else Clip(low=low, high=high)


def _cast(layer: Layer) -> Op:
    dtype = str(argument(layer, 1, "dtype", "float32"))
    if "float" not in dtype:
        raise layer_error(layer, f"a cast to {dtype} would round; cast in the data instead")
    return ops.Identity()


def _plain(cls: type[Op]) -> Callable[[Layer], Op]:
    """Return what makes an activation whose fields, which are numbers, are the arguments behind the tensor."""

    def make(layer: Layer) -> Op:
        return cls(**{f.name: float(argument(layer, k, f.name, f.default)) for k, f in enumerate(fields(cls), 1)})

    return make


def _function(name: str) -> Callable[[Layer], Op]:
    return lambda layer: Function(name=name)


_UNARY: Mapping[str, tuple[str, Callable[[Layer], Op]]] = {
    **{name.title().replace("_", ""): (f"nn.{name}", _plain(cls)) for name, cls in PLAIN.items()},
    **{name.capitalize(): (f"math.{name}", _function(name)) for name in FUNCTIONS},
    "Relu": ("nn.relu", lambda layer: ops.Relu()),
    "Relu6": ("nn.relu6", lambda layer: ops.Relu(max_value=6.0)),
    "LeakyRelu": (
        "nn.leaky_relu",
        lambda layer: ops.Relu(negative_slope=float(argument(layer, 1, "alpha negative_slope", 0.2))),
    ),
    "Gelu": (
        "nn.gelu",
        # tf.nn.gelu is exact unless asked, keras.ops.gelu approximate
        lambda layer: ops.Gelu(approximate=bool(argument(layer, 1, "approximate", layer.class_name == "ops.Gelu"))),
    ),
    "HardSigmoid": ("nn.hard_sigmoid", lambda layer: ops.HardSigmoid(slope=1 / 6)),
    "Softmax": ("nn.softmax", lambda layer: ops.Softmax(axis=_softmax_axis(layer))),
    "LogSoftmax": ("nn.log_softmax", lambda layer: ops.LogSoftmax(axis=_softmax_axis(layer))),
    "Exp": ("math.exp", lambda layer: ops.Exponential()),
    "Absolute": ("abs", _function("abs")),
    "Clip": ("clip_by_value", _clip),
    "Cast": ("cast", _cast),
    "StopGradient": ("stop_gradient", lambda layer: ops.Identity()),
    "Identity": ("identity", lambda layer: ops.Identity()),
    "ZerosLike": ("zeros_like", lambda layer: ops.Affine(scale=number(0), shift=number(0))),
    "OnesLike": ("ones_like", lambda layer: ops.Affine(scale=number(0), shift=number(1))),
    "Negative": ("math.negative", lambda layer: ops.Affine(scale=number(-1), shift=number(0))),
}
"""By the class in keras.ops: its name in TensorFlow, and the op."""
_ALSO = {
    "tf.math.sigmoid": "Sigmoid",
    "tf.math.tanh": "Tanh",
    "tf.math.softplus": "Softplus",
    "tf.convert_to_tensor": "Identity",
    "ops.ConvertToTensor": "Identity",
    "tf.math.rint": "Round",
}
_FUNCTIONS = {
    **{f"ops.{name}": make for name, (_, make) in _UNARY.items()},
    **{f"tf.{tf_name}": make for tf_name, make in _UNARY.values()},
    **{name: _UNARY[other][1] for name, other in _ALSO.items()},
}


def _unary(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply a function to every element."""
    return builder.add(_FUNCTIONS[layer.class_name](layer), inputs[0])


def _reduction(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join all elements along axes other than the batch."""
    over = axes(layer, argument(layer, 1, "axis"), len(builder.type(inputs[0]).shape))
    op = _REDUCTIONS[layer.class_name](axes=over, keepdims=bool(argument(layer, 2, "keepdims", False)))
    return builder.add(op, inputs[0])


def _reduction_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join elements along axes of each slice, or over time: the sum, mean or extreme so far."""
    value = argument(layer, 1, "axis")
    listed = list(value) if isinstance(value, Sequence) else [value]
    rank = len(builder.type(inputs[0]).shape)
    over_time = [axis for axis in listed if axis in (1, -rank - 1)]
    if not over_time:
        return _reduction(layer, inputs, builder)
    if len(listed) > 1:
        raise stream_error(layer, f"it joins the axes {tuple(listed)} at once; join those of a slice first")
    running = Running(function=_REDUCTIONS[layer.class_name].kind)
    return add_last(builder, running, inputs[0], keepdims=bool(argument(layer, 2, "keepdims", False)))


_REDUCTIONS: Mapping[str, Any] = {
    **{f"ops.{cls.__name__}": cls for cls in (Sum, Mean, Max, Min)},
    **{f"tf.math.reduce_{cls.kind}": cls for cls in (Sum, Mean, Max, Min)},
    "ops.Any": Max,
    "tf.math.reduce_any": Max,
}


def _not_equal(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Compare a tensor with a number."""
    value = operand(layer, argument(layer, 1, "y x2"), inputs, 0)
    if isinstance(value, str):
        raise layer_error(layer, "only a tensor can be compared with a number, not with a tensor")
    return builder.add(NotEqual(value=float(value)), inputs[0])


def _sum_of_tensors(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Add any number of tensors."""
    return builder.add(ops.Add(), *tensors(layer, argument(layer, 0, "inputs"), inputs))


def _normalise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Divide by the length along axes."""
    over = axes(layer, argument(layer, 1, "axis"), len(builder.type(inputs[0]).shape))
    return builder.add(UnitNorm(axes=over, epsilon=float(argument(layer, 2, "epsilon", 1e-12))), inputs[0])


def _product(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Multiply matrices: a tensor by a constant matrix, or two tensors."""
    a = tensor(layer, argument(layer, 0, "a x1 x"), inputs)
    rank = len(builder.type(a).shape)
    b = operand(layer, argument(layer, 1, "b x2 y"), inputs, rank)
    turned = [bool(argument(layer, -1, key, False)) for key in ("transpose_a", "transpose_b")]
    if not isinstance(b, str):
        if b.ndim != 2 or turned[0]:
            raise layer_error(layer, "a tensor can be multiplied by one constant matrix on its right only")
        weight: Array = b.T if turned[1] else b
        return builder.add(ops.Dense(weight=weight, bias=np.zeros(weight.shape[1], dtype=np.float32)), a)
    if rank < 2 or len(builder.type(b).shape) != rank:
        raise layer_error(layer, "two tensors are multiplied as matrices only if both have the same two axes or more")
    batch = "".join(chr(ord("k") + k) for k in range(rank - 2))
    left, right = ("ba" if turned[0] else "ab"), ("cb" if turned[1] else "bc")
    return builder.add(Einsum(equation=f"{batch}{left},{batch}{right}->{batch}ac"), a, b)


def _einsum(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Sum products over indices; every term must begin with the batch."""
    equation = str(layer.config.get("subscripts", "")).replace(" ", "")
    left, _, right = equation.partition("->")
    terms = [*left.split(","), right]
    if "." in equation or len({term[:1] for term in terms}) != 1 or not right:
        raise layer_error(layer, f"the equation {equation!r} must have the batch first in every term and no ellipsis")
    if any(term.count(term[0]) > 1 for term in terms) or len(terms) - 1 != len(inputs):
        raise layer_error(layer, f"the equation {equation!r} does not fit {len(inputs)} tensor(s)")
    return builder.add(Einsum(equation=",".join(t[1:] for t in terms[:-1]) + "->" + right[1:]), *inputs)


ALIKE = [
    *(importer("keras", name, slicewise=True)(_binary) for name in _BINARY),
    *(importer("keras", name, slicewise=True)(_unary) for name in _FUNCTIONS),
    *(importer("keras", name, temporal=_reduction_in_time)(_reduction) for name in _REDUCTIONS),
    *(importer("keras", name, slicewise=True)(_not_equal) for name in ("ops.NotEqual", "tf.math.not_equal")),
    *(importer("keras", name, slicewise=True)(_normalise) for name in ("tf.math.l2_normalize", "tf.nn.l2_normalize")),
    *(importer("keras", name)(_product) for name in ("ops.Matmul", "tf.linalg.matmul", "tf.matmul")),
    importer("keras", "ops.Einsum")(_einsum),
    importer("keras", "tf.math.add_n", slicewise=True)(_sum_of_tensors),
]
"""Operators of both Keras generations."""
