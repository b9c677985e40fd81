"""The arguments of operators on tensors, which are tensors or constants, by position or by name.

Keras 2 writes ``tf.math.add(x, y=2.0)`` as a layer ``TFOpLambda``, Keras 3 ``Add()(x, 2.0)`` as an operation whose
other arguments are in its config. Their axes and shapes count the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, Slot, layer_error
from snnc.frontend.keras_layers.layout import axis_without_batch
from snnc.ir.types import Array, Shape
from snnc.ops.resample import Repeat

Operand: TypeAlias = "str | Array"
"""A node of the graph, or a constant without the batch."""


def argument(layer: Layer, position: int, names: str, default: Any = None) -> Any:
    """Return an argument of an operator as the model gives it.

    Args:
        layer: the operator.
        position: among the positional arguments, or -1.
        names: its names in the versions of Keras, parted by blanks.
        default: what it is when the model does not give it.

    """
    if 0 <= position < len(layer.args):
        return layer.args[position]
    for source in (layer.call, layer.config):
        for name in names.split():
            if source.get(name) is not None:
                return source[name]
    return default


def operand(layer: Layer, value: Any, inputs: Sequence[str], rank: int) -> Operand:
    """Return an argument as a node or a constant.

    Args:
        layer: named in errors.
        value: what ``argument`` returned.
        inputs: the nodes of the call.
        rank: how many axes the constant may have without the batch.

    """
    if isinstance(value, Slot):
        return inputs[value.index]
    if value is None:
        raise layer_error(layer, "one of its arguments is missing")
    try:
        constant = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise layer_error(layer, f"its argument {str(value)[:60]!r} is neither a tensor nor numbers") from None
    if constant.ndim == rank + 1 and constant.shape[0] == 1:
        constant = constant[0]
    if constant.ndim > rank:
        raise layer_error(layer, f"its constant of shape {constant.shape} depends on the place in the batch")
    return constant


def tensor(layer: Layer, value: Any, inputs: Sequence[str]) -> str:
    """Return an argument that must be a tensor; raise FrontendError for anything else."""
    if not isinstance(value, Slot):
        raise layer_error(layer, f"its argument {str(value)[:60]!r} should be a tensor")
    return inputs[value.index]


def tensors(layer: Layer, value: Any, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Return an argument that must be a list of tensors, constants among them as nodes."""
    if not isinstance(value, Sequence) or not value:
        raise layer_error(layer, "its first argument should be a list of tensors")
    rank = max(len(builder.type(name).shape) for name in inputs)
    return [node(builder, inputs[0], operand(layer, v, inputs, rank)) for v in value]


def node(builder: Builder, source: str, value: Operand) -> str:
    """Return an operand as a node: a constant becomes a linear map of ``source`` that leaves nothing of it."""
    if isinstance(value, str):
        return value
    none = np.zeros(0, dtype=np.float32)
    nothing = ops.SparseMap(rows=none, columns=none, values=none, shape=value.shape)
    blank = builder.add(nothing, source, step="nothing")
    return builder.add(ops.Affine(scale=number(1), shift=value), blank, step="constant")


def index_keys(value: Any) -> list[Any]:
    """Return an index as Keras writes it as slices, numbers, None and an ellipsis."""
    return [_key(v) for v in value] if isinstance(value, list) else [_key(value)]


def _key(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"start", "stop", "step"}:
        return slice(value["start"], value["stop"], value["step"])
    return Ellipsis if isinstance(value, str) and value == "Ellipsis" else value


def whole(layer: Layer, value: Any, what: str) -> int:
    """Return an argument that must be a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise layer_error(layer, f"its {what} {str(value)[:60]!r} is not a whole number known beforehand")
    return value


def wholes(layer: Layer, value: Any, what: str) -> tuple[int, ...]:
    """Return an argument that must be a list of whole numbers; None counts as -1."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise layer_error(layer, f"its {what} {str(value)[:60]!r} is not a list of whole numbers known beforehand")
    return tuple(-1 if v is None else whole(layer, v, what) for v in value)


def axes(layer: Layer, value: Any, rank: int) -> tuple[int, ...]:
    """Return axes that count the batch as axes without it, sorted; None, which is all, takes in the batch."""
    if value is None:
        raise layer_error(layer, "it joins all axes, the batch among them; name the axes")
    values = value if isinstance(value, Sequence) else [value]
    if not all(isinstance(v, int) for v in values):
        raise layer_error(layer, f"its axes {value!r} are not whole numbers")
    return tuple(sorted({axis_without_batch(layer, v, rank) for v in values}))


def affine(builder: Builder, source: str, scale: Array, shift: Array, step: str = "") -> str:
    """Add x * scale + shift; the tensor is repeated first where a constant is larger."""
    shape = builder.type(source).shape
    joint = tuple(np.broadcast_shapes(shape, scale.shape, shift.shape))
    return builder.add(ops.Affine(scale=scale, shift=shift), enlarge(builder, source, joint), step=step)


def enlarge(builder: Builder, source: str, shape: Shape) -> str:
    """Repeat a tensor along axes of size one up to a shape that it broadcasts to."""
    own = builder.type(source).shape
    if own == shape:
        return source
    padded = (*(1,) * (len(shape) - len(own)), *own)
    if padded != own:
        source = builder.add(ops.Reshape(shape=padded), source, step="reshape")
    times = tuple(n // m for n, m in zip(shape, padded, strict=True))
    return builder.add(Repeat(times=times), source, step="repeat")


def number(value: float) -> Array:
    """Return a constant that applies to every element."""
    return np.array(value, dtype=np.float32)
