"""Operators whose result is known before there is data: shapes, and what is computed from them and constants.

Keras 2 writes ``tf.shape(x)[1] * 2`` as three layers. Their values are computed here, once, and stand as constants in
the arguments of the layers that read them. The size of the batch stays a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.operands import argument, index_keys
from snnc.frontend.known import BatchSize, BatchSizeError, Known
from snnc.ir.types import AnyArray


def _shape(layer: Layer, inputs: Sequence[str], builder: Builder) -> Known:
    """Give the shape of a tensor; the size of the batch stays unknown."""
    return Known([BatchSize(), *builder.type(inputs[0]).shape])


def _rank(layer: Layer, inputs: Sequence[str], builder: Builder) -> Known:
    """Give the number of axes of a tensor."""
    return Known(len(builder.type(inputs[0]).shape) + 1)


def _without_data(layer: Layer, inputs: Sequence[str], builder: Builder) -> Known:
    """Compute what depends on shapes and constants alone."""
    raise layer_error(layer, "its arguments are computed from data; they must be constants or sizes")


def computed_beforehand(layer: Layer) -> list[Known]:
    """Return what an operator gives none of whose arguments depends on the model's inputs: one or several values.

    Raises:
        FrontendError: the operator is not among those computed here, or it computes with the size of the batch.

    """
    make = _MADE.get(layer.class_name)
    if make is None:
        raise layer_error(layer, "it reads constants alone; compute its value before the model is built")
    try:
        value = make(layer)
    except BatchSizeError:
        raise layer_error(
            layer, "it computes with the size of the batch, which no model says; use -1 in shapes"
        ) from None
    return [Known(_plain(v)) for v in (value if isinstance(value, list) else [value])]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _array(value: Any) -> AnyArray:
    """Return numbers as an array; of objects where the size of the batch is among them."""
    symbolic = _has_batch(value)
    return np.asarray(value, dtype=object) if symbolic else np.asarray(value)


def _has_batch(value: Any) -> bool:
    return isinstance(value, BatchSize) or (isinstance(value, list) and any(map(_has_batch, value)))


def _given(layer: Layer, position: int, names: str, default: Any = None) -> AnyArray:
    value = argument(layer, position, names, default)
    if value is None:
        raise layer_error(layer, f"its argument {names.split()[0]} is missing")
    return _array(value)


def _sizes(layer: Layer, position: int, names: str) -> tuple[int, ...]:
    """Return a shape; one sample stands for the batch."""
    value = argument(layer, position, names)
    listed = value if isinstance(value, list) else [value]
    return tuple(1 if isinstance(n, BatchSize) else int(n) for n in listed)


def _axis(layer: Layer, position: int, default: int | None = 0) -> Any:
    value = argument(layer, position, "axis", default)
    return tuple(value) if isinstance(value, list) else value


def _unary(function: Callable[[Any], Any]) -> Callable[[Layer], Any]:
    return lambda layer: function(_given(layer, 0, "x input value tensor input_tensor"))


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Layer], Any]:
    return lambda layer: function(_given(layer, 0, "x a"), _given(layer, 1, "y b"))


def _over(function: Callable[..., Any]) -> Callable[[Layer], Any]:
    return lambda layer: function(
        _given(layer, 0, "input_tensor"),
        axis=_axis(layer, 1, None),
        keepdims=bool(argument(layer, 2, "keepdims keep_dims", False)),
    )


def _cast(layer: Layer) -> Any:
    x, dtype = _given(layer, 0, "x"), re.findall(r"bool|u?int\d+|float\d+", str(argument(layer, 1, "dtype")))
    return x if x.dtype == object or not dtype else x.astype(dtype[0])


def _range(layer: Layer) -> Any:
    start, limit = argument(layer, 0, "start"), argument(layer, 1, "limit")
    start, limit = (0, start) if limit is None else (start, limit)
    if _has_batch([start, limit]):
        raise BatchSizeError
    return np.arange(start, limit, argument(layer, 2, "delta", 1))


def _picked(layer: Layer) -> Any:
    x = _given(layer, 0, "tensor")
    return x[tuple(index_keys(argument(layer, 1, "slice_spec key")))]


def _concatenated(layer: Layer) -> Any:
    parts = argument(layer, 0, "values")
    return np.concatenate([_array(part) for part in parts], axis=_axis(layer, 1))


def _split(layer: Layer) -> list[Any]:
    x, parts = _given(layer, 0, "value"), argument(layer, 1, "num_or_size_splits")
    return np.split(x, parts if isinstance(parts, int) else np.cumsum(parts)[:-1], axis=_axis(layer, 2))


def _line(layer: Layer) -> Any:
    start, stop, count = (float(argument(layer, k, n)) for k, n in ((0, "start"), (1, "stop"), (2, "num")))
    return np.linspace(start, stop, int(count), dtype=np.float32)


_PAIRS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "divide": np.true_divide,
    "equal": np.equal,
    "floordiv": np.floor_divide,
    "floormod": np.mod,
    "greater": np.greater,
    "less": np.less,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": np.mod,
    "multiply": np.multiply,
    "pow": np.power,
    "subtract": np.subtract,
    "truediv": np.true_divide,
}
_ONES: Mapping[str, Callable[[Any], Any]] = {
    "math.cos": np.cos,
    "math.exp": np.exp,
    "math.log": np.log,
    "math.negative": np.negative,
    "math.rsqrt": lambda x: 1 / np.sqrt(x),
    "math.sin": np.sin,
    "math.sqrt": np.sqrt,
    "math.square": np.square,
    "identity": lambda x: x,
    "convert_to_tensor": lambda x: x,
    "zeros_like": lambda x: np.zeros(x.shape, dtype=int if x.dtype == object else x.dtype),
    "ones_like": lambda x: np.ones(x.shape, dtype=int if x.dtype == object else x.dtype),
}
_ONLY_HERE: Mapping[str, Callable[[Layer], Any]] = {
    "tf.eye": lambda layer: np.eye(_sizes(layer, 0, "num_rows")[0]),
    "tf.fill": lambda layer: np.full(_sizes(layer, 0, "dims"), _given(layer, 1, "value")),
    "tf.linspace": _line,
    "tf.ones": lambda layer: np.ones(_sizes(layer, 0, "shape"), dtype=np.float32),
    "tf.range": _range,
    "tf.zeros": lambda layer: np.zeros(_sizes(layer, 0, "shape"), dtype=np.float32),
}
"""Those that tensors that depend on data have no part in."""
_MADE: Mapping[str, Callable[[Layer], Any]] = {
    **{f"tf.math.{name}": _binary(function) for name, function in _PAIRS.items()},
    **{f"tf.{name}": _unary(function) for name, function in _ONES.items()},
    **_ONLY_HERE,
    "tf.__operators__.add": _binary(np.add),
    "tf.__operators__.getitem": _picked,
    "tf.broadcast_to": lambda layer: np.broadcast_to(_given(layer, 0, "input"), _sizes(layer, 1, "shape")),
    "tf.cast": _cast,
    "tf.concat": _concatenated,
    "tf.floor_div": _binary(np.floor_divide),
    "tf.where": lambda layer: np.where(*(_given(layer, k, n) for k, n in ((0, "condition"), (1, "x"), (2, "y")))),
    "tf.expand_dims": lambda layer: np.expand_dims(_given(layer, 0, "input"), _axis(layer, 1)),
    "tf.gather": lambda layer: np.take(_given(layer, 0, "params"), _given(layer, 1, "indices"), axis=_axis(layer, -1)),
    "tf.math.reduce_max": _over(np.max),
    "tf.math.reduce_min": _over(np.min),
    "tf.math.reduce_prod": _over(np.prod),
    "tf.math.reduce_sum": _over(np.sum),
    "tf.reshape": lambda layer: np.reshape(_given(layer, 0, "tensor"), _sizes(layer, 1, "shape")),
    "tf.split": _split,
    "tf.squeeze": lambda layer: np.squeeze(_given(layer, 0, "input"), _axis(layer, 1, None)),
    "tf.stack": lambda layer: np.stack([_array(v) for v in argument(layer, 0, "values")], axis=_axis(layer, 1)),
    "tf.tile": lambda layer: np.tile(_given(layer, 0, "input"), _sizes(layer, 1, "multiples")),
    "tf.transpose": lambda layer: np.transpose(_given(layer, 0, "a"), argument(layer, 1, "perm")),
    "tf.unstack": lambda layer: list(np.moveaxis(_given(layer, 0, "value"), _axis(layer, -1), 0)),
}


def _in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> Known:
    """Give nothing: the number of steps is open."""
    raise stream_error(layer, "it asks for the number of steps")


ALIKE = [
    *(importer("keras", name, temporal=_in_time)(_shape) for name in ("tf.shape", "ops.Shape")),
    *(importer("keras", name)(_rank) for name in ("tf.rank", "ops.Ndim")),
    *(importer("keras", name)(_without_data) for name in _ONLY_HERE),
]
"""Operators of both Keras generations."""
