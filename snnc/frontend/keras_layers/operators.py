"""Operators on tensors that compute element by element: arithmetic, comparisons, functions, activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TypeAlias

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.activation import PLAIN, softmax_axis
from snnc.frontend.keras_layers.layout import over_joined_axes
from snnc.frontend.keras_layers.merge import same_rank
from snnc.frontend.keras_layers.operands import (
    Operand,
    affine,
    argument,
    axes,
    node,
    number,
    operand,
    tensors,
    whole,
)
from snnc.ir.op import Op
from snnc.ops.combine import Divide, Maximum, Minimum, Multiply
from snnc.ops.functions import LARGEST, Clip, Function, NotEqual, Pairwise, Power, Shrink, Threshold, Where

Combine: TypeAlias = Callable[[Layer, Builder, Operand, Operand], str]


def _binary(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Combine two tensors, or a tensor and constants, with broadcasting."""
    same_rank(layer, inputs, builder)
    rank = max(len(builder.type(name).shape) for name in inputs)
    a, b = (
        operand(layer, argument(layer, k, names), inputs, rank)
        for k, names in enumerate(("x x1 a value input", "y x2 b bias x"))  # tf.math.atan2 takes y, x
    )
    return _BINARY[layer.class_name](layer, builder, a, b)


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
    return _pair("pow")(layer, builder, a, b)


def _largest(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    source, limit = (a, b) if isinstance(a, str) else (b, a)
    if isinstance(source, str) and not isinstance(limit, str) and limit.size == 1:
        low = float(limit.reshape(()))
        return builder.add(ops.Relu() if low == 0 else Clip(low=low, high=LARGEST), source)
    return builder.add(Maximum(), *_nodes(builder, a, b))


def _smallest(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    source, limit = (a, b) if isinstance(a, str) else (b, a)
    if isinstance(source, str) and not isinstance(limit, str) and limit.size == 1:
        return builder.add(Clip(low=-LARGEST, high=float(limit.reshape(()))), source)
    return builder.add(Minimum(), *_nodes(builder, a, b))


def _not_equal(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    if isinstance(a, str) and not isinstance(b, str) and b.size == 1:
        return builder.add(NotEqual(value=float(b.reshape(()))), a)
    return _pair("not_equal")(layer, builder, a, b)


def _squared_difference(layer: Layer, builder: Builder, a: Operand, b: Operand) -> str:
    return builder.add(Function(name="square"), _subtract(layer, builder.part("difference"), a, b))


def _pair(name: str) -> Combine:
    """Return what joins two operands by a function by name."""
    return lambda layer, builder, a, b: builder.add(Pairwise(name=name), *_nodes(builder, a, b))


def _nodes(builder: Builder, *operands: Operand) -> list[str]:
    """Return operands as nodes, of which one at least is a tensor."""
    source = next(value for value in operands if isinstance(value, str))
    return [node(builder, source, value) for value in operands]


_PAIRS: Mapping[str, tuple[str, Combine]] = {
    # by the class in keras.ops: the names in TensorFlow's math module, and what it does
    "Add": ("add add_v2", _add),
    "Subtract": ("subtract sub", _subtract),
    "Multiply": ("multiply mul", _multiply),
    "Divide": ("divide", _divide),
    "MultiplyNoNan": ("multiply_no_nan", _multiply),
    "TrueDivide": ("truediv", _divide),
    "Power": ("power pow", _power),
    "Maximum": ("maximum", _largest),
    "Minimum": ("minimum", _smallest),
    "Fmax": ("", _largest),
    "Fmin": ("", _smallest),
    "NotEqual": ("not_equal", _not_equal),
    "SquaredDifference": ("squared_difference", _squared_difference),
    "Equal": ("equal", _pair("equal")),
    "Greater": ("greater", _pair("greater")),
    "GreaterEqual": ("greater_equal", _pair("greater_equal")),
    "Less": ("less", _pair("less")),
    "LessEqual": ("less_equal", _pair("less_equal")),
    "Isclose": ("", _pair("is_close")),
    "LogicalAnd": ("logical_and", _pair("logical_and")),
    "LogicalOr": ("logical_or", _pair("logical_or")),
    "LogicalXor": ("logical_xor", _pair("logical_xor")),
    "Arctan2": ("atan2", _pair("atan2")),
    "DivideNoNan": ("divide_no_nan", _pair("divide_no_nan")),
    "FloorDivide": ("floordiv", _pair("floor_divide")),
    "Mod": ("mod floormod", _pair("remainder")),
    "Fmod": ("", _pair("fmod")),
    "Heaviside": ("", _pair("heaviside")),
    "Hypot": ("", _pair("hypot")),
    "Logaddexp": ("", _pair("logaddexp")),
    "Xlogy": ("xlogy", _pair("xlogy")),
}
_BINARY: Mapping[str, Combine] = {
    **{f"ops.{name}": make for name, (_, make) in _PAIRS.items()},
    **{f"tf.math.{tf_name}": make for tf_names, make in _PAIRS.values() for tf_name in tf_names.split()},
    **{f"tf.__operators__.{name}": make for name, make in (("add", _add), ("ne", _not_equal), ("eq", _pair("equal")))},
    "tf.floor_div": _pair("floor_divide"),
    "tf.realdiv": _divide,
    "tf.truncatemod": _pair("fmod"),
    "tf.nn.bias_add": _add,
}


def _where(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Choose between two tensors or constants, element by element, with broadcasting."""
    same_rank(layer, inputs, builder)
    given = (argument(layer, k, names) for k, names in enumerate(("condition", "x x1 t", "y x2 e")))
    rank = max(len(builder.type(name).shape) for name in inputs)
    return builder.add(Where(), *_nodes(builder, *(operand(layer, value, inputs, rank) for value in given)))


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
    """Return the op of a cast, of whose types the graph knows none: to whole numbers it cuts off, to truth is not 0."""
    dtype = str(argument(layer, 1, "dtype", "float32"))
    if "bool" in dtype:
        return NotEqual(value=0.0)
    return Function(name="trunc") if "int" in dtype else ops.Identity()


def _swish(layer: Layer) -> Op:
    if float(argument(layer, 1, "beta", 1.0)) != 1:
        raise layer_error(layer, "a swish with a beta other than 1 cannot be imported; write x * sigmoid(beta * x)")
    return ops.Swish()


def _scaling(factor: float) -> Callable[[Layer], Op]:
    return lambda layer: ops.Affine(scale=number(factor), shift=number(0))


def _plain(cls: type[Op]) -> Callable[[Layer], Op]:
    """Return what makes an activation whose fields, which are numbers, are the arguments behind the tensor."""

    def make(layer: Layer) -> Op:
        return cls(**{f.name: float(argument(layer, k, f.name, f.default)) for k, f in enumerate(fields(cls), 1)})

    return make


def _function(name: str) -> Callable[[Layer], Op]:
    return lambda layer: Function(name=name)


_BY_FUNCTION = {
    **{
        name: name.capitalize()
        for name in ("abs", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "erfinv", "exp2", "expm1")
    },
    **{name: name.capitalize() for name in ("floor", "log10", "log2", "log1p", "log", "reciprocal", "round", "rsqrt")},
    **{name: name.capitalize() for name in ("sign", "sin", "sinc", "sinh", "sqrt", "square", "tan", "trunc")},
    **{f"a{name}": f"Arc{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tanh")},
    **{f"is_{name}": f"Is{name}" for name in ("finite", "inf", "nan")},
    "is_negative": "Signbit",
    "log_sigmoid": "LogSigmoid",
    "logical_not": "LogicalNot",
    "nan_to_num": "NanToNum",
    "reciprocal_no_nan": "ReciprocalNoNan",
    "sparse_plus": "SparsePlus",
    "tanh_shrink": "TanhShrink",
}
"""The class in keras.ops of each function by name, which is its name in TensorFlow's math module, too."""
_UNARY: Mapping[str, tuple[str, Callable[[Layer], Op]]] = {
    # by the class in keras.ops: its name in TensorFlow, and the op
    **{name.title().replace("_", ""): (f"nn.{name}", _plain(cls)) for name, cls in PLAIN.items()},
    **{cls: (f"math.{name}", _function(name)) for name, cls in _BY_FUNCTION.items()},
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
    "SparseSigmoid": ("", lambda layer: ops.HardSigmoid(slope=0.5)),
    "HardTanh": ("", lambda layer: Clip(low=-1.0, high=1.0)),
    "HardShrink": ("", lambda layer: Shrink(threshold=float(argument(layer, 1, "threshold", 0.5)))),
    "SoftShrink": ("", lambda layer: Shrink(threshold=float(argument(layer, 1, "threshold", 0.5)), soft=True)),
    "Threshold": (
        "",
        lambda layer: Threshold(
            threshold=float(argument(layer, 1, "threshold")), value=float(argument(layer, 2, "default_value"))
        ),
    ),
    "Swish": ("nn.swish", _swish),
    "Silu": ("nn.silu", _swish),
    "Glu": ("", lambda layer: ops.Glu(axis=_softmax_axis(layer))),
    "LogSoftmax": ("nn.log_softmax", lambda layer: ops.LogSoftmax(axis=_softmax_axis(layer))),
    "Sparsemax": ("", lambda layer: ops.Sparsemax(axis=_softmax_axis(layer))),
    "Exp": ("math.exp", lambda layer: ops.Exponential()),
    "Absolute": ("abs", _function("abs")),
    "Fabs": ("", _function("abs")),
    "Clip": ("clip_by_value", _clip),
    "Cast": ("cast", _cast),
    "SaturateCast": ("dtypes.saturate_cast", _cast),
    "StopGradient": ("stop_gradient", lambda layer: ops.Identity()),
    "Identity": ("identity", lambda layer: ops.Identity()),
    "Copy": ("", lambda layer: ops.Identity()),
    "Conj": ("", lambda layer: ops.Identity()),
    "Conjugate": ("math.conj", lambda layer: ops.Identity()),
    "Real": ("math.real", lambda layer: ops.Identity()),
    "Negative": ("math.negative", _scaling(-1)),
    "Deg2rad": ("", _scaling(math.pi / 180)),
    "Rad2deg": ("", _scaling(180 / math.pi)),
}
_ALSO = {
    "tf.math.sigmoid": "Sigmoid",
    "tf.math.tanh": "Tanh",
    "tf.math.softplus": "Softplus",
    "tf.math.softsign": "Softsign",
    "tf.convert_to_tensor": "Identity",
    "tf.math.rint": "Round",
    "ops.ConvertToTensor": "Identity",
}
_FUNCTIONS = {
    **{f"ops.{name}": make for name, (_, make) in _UNARY.items()},
    **{f"tf.{tf_name}": make for tf_name, make in _UNARY.values() if tf_name},
    **{name: _UNARY[other][1] for name, other in _ALSO.items()},
}
_ALIKE_TO = {"Zeros": 0.0, "Empty": 0.0, "Ones": 1.0}


def _like(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give a constant in the shape of a tensor."""
    shape, name = builder.type(inputs[0]).shape, layer.class_name.rpartition(".")[2].replace("_", "").lower()
    value = next((v for key, v in _ALIKE_TO.items() if name == f"{key.lower()}like"), None)
    fill = operand(layer, argument(layer, 1, "fill_value") if value is None else value, inputs, len(shape))
    if isinstance(fill, str):
        raise layer_error(layer, "it fills a shape with a tensor; multiply ones by it")
    return node(builder, inputs[0], np.broadcast_to(fill, shape).astype(np.float32))


def _crelu(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give what is above zero and what is below, side by side."""
    axis = softmax_axis(layer, int(argument(layer, 1, "axis", -1)))
    below = builder.add(_scaling(-1)(layer), inputs[0], step="negative")
    halves = [builder.add(ops.Relu(), x, step=step) for x, step in ((inputs[0], "above"), (below, "below"))]
    return builder.add(ops.Concatenate(axis=axis), *halves)


def _rounded(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Round to so many decimals, half to even."""
    factor = 10.0 ** whole(layer, argument(layer, 1, "decimals", 0), "decimals")
    if factor == 1:
        return builder.add(Function(name="round"), inputs[0])
    larger = builder.add(_scaling(factor)(layer), inputs[0], step="scaled")
    return builder.add(_scaling(1 / factor)(layer), builder.add(Function(name="round"), larger, step="rounded"))


def _unary(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply a function to every element."""
    return builder.add(_FUNCTIONS[layer.class_name](layer), inputs[0])


def _sum_of_tensors(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Add any number of tensors."""
    return builder.add(ops.Add(), *tensors(layer, argument(layer, 0, "inputs"), inputs, builder))


def _softmax(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Normalise exponentials along an axis, or along several together."""
    value = argument(layer, 1, "axis", -1)
    if not isinstance(value, list) or len(value) == 1:
        return builder.add(ops.Softmax(axis=_softmax_axis(layer)), inputs[0])
    return over_joined_axes(builder, inputs[0], axes(layer, value, len(builder.type(inputs[0]).shape)), ops.Softmax())


ALIKE = [
    *(importer("keras", name, slicewise=True)(_binary) for name in _BINARY),
    *(importer("keras", name, slicewise=True)(_unary) for name in _FUNCTIONS if name not in ("ops.Round",)),
    importer("keras", "ops.Round", slicewise=True)(_rounded),
    *(importer("keras", name, slicewise=True)(_softmax) for name in ("ops.Softmax", "tf.nn.softmax")),
    *(importer("keras", name, slicewise=True)(_where) for name in ("ops.Where", "tf.where", "tf.where_v2")),
    *(
        importer("keras", name, slicewise=True)(_like)
        for name in ("ops.ZerosLike", "ops.OnesLike", "ops.EmptyLike", "ops.FullLike", "tf.zeros_like", "tf.ones_like")
    ),
    importer("keras", "tf.nn.crelu", slicewise=True)(_crelu),
    *(importer("keras", name, slicewise=True)(_sum_of_tensors) for name in ("tf.math.add_n", "tf.math.accumulate_n")),
]
"""Operators of both Keras generations."""
