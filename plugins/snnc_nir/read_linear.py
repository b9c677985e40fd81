"""Linear nodes of a NIR file as ops, which have channels last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from snnc.api import AnyArray, Op, Shape, TensorType, ops
from snnc_nir.fields import Fields, channels_last

Step: TypeAlias = tuple[str, Op]
"""What a step of a node's work is called, and its op; the last is the node itself, and called nothing."""


def affine(fields: Fields, shape: Shape) -> list[Step]:
    """Return the op of an Affine or a Linear."""
    weight = fields.array("weight")
    if weight.ndim != 2:
        raise fields.error(f"its weight has {weight.ndim} axes; one matrix is read only: split it into a node for each")
    bias = fields.array("bias", 1) if fields.node.type == "Affine" else np.zeros(len(weight))
    size = int(np.prod(shape))
    if len(shape) != 1 and size != max(shape):
        raise fields.error(f"it reads vectors, and gets the shape {shape}: put a Flatten in front of it")
    if weight.shape[1] != size or bias.shape != weight.shape[:1]:
        raise fields.error(f"weight {weight.shape} and bias {bias.shape} do not fit each other and the input {shape}")
    dense = ops.Dense(weight=weight.T, bias=bias)
    return [("", dense)] if len(shape) == 1 else [("flat", ops.Reshape(shape=(size,))), ("", dense)]


def scale(fields: Fields, shape: Shape) -> list[Step]:
    """Return the op of a Scale."""
    factor = np.asarray(fields.parameter("scale", shape), dtype=np.float32)
    return [("", ops.Affine(scale=factor, shift=np.zeros(()) * factor))]


def conv(fields: Fields, shape: Shape) -> list[Step]:
    """Return the op of a Conv1d or a Conv2d."""
    axes = 1 if fields.node.type == "Conv1d" else 2
    weight, bias = fields.array("weight", axes + 2), fields.array("bias", 1)
    (groups,) = fields.sizes("groups", 1)
    stride, dilation = fields.sizes("stride", axes), fields.sizes("dilation", axes)
    _require_space(fields, shape, axes)
    said = fields.node.fields.get("input_shape")
    if said is not None and np.size(said) and fields.sizes("input_shape", axes) != shape[1:]:
        raise fields.error(f"its input_shape is {fields.sizes('input_shape', axes)}, what arrives has {shape}")
    reach = tuple((k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True))
    kernel = weight.transpose(*range(2, axes + 2), 1, 0)
    pads = _padding(fields, axes, stride, reach)
    made = ops.Conv(kernel=kernel, bias=bias, strides=stride, padding=pads, dilation=dilation, groups=groups)
    return [("", made)]


def _require_space(fields: Fields, shape: Shape, axes: int) -> None:
    if len(shape) != axes + 1:
        raise fields.error(f"it reads {axes} axes behind the channels, and gets the shape {shape}")


def _padding(fields: Fields, axes: int, stride: Shape, reach: Shape) -> tuple[tuple[int, int], ...]:
    """Return how much is added before and behind, as PyTorch does, whose words these are."""
    padding = fields.node.fields.get("padding")
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * axes
        if padding != "same":
            raise fields.error(f"its padding is {padding!r}; it may be 'same', 'valid' or numbers")
        if set(stride) != {1}:
            raise fields.error("its padding is 'same', which means nothing with a stride; write it as numbers")
        return tuple((r // 2, r - r // 2) for r in reach)
    return tuple((p, p) for p in fields.sizes("padding", axes, least=0))


def pool(fields: Fields, shape: Shape) -> list[Step]:
    """Return the op of a SumPool2d or an AvgPool2d, whose padding counts."""
    _require_space(fields, shape, 2)
    size, stride, padding = (
        fields.sizes("kernel_size", 2),
        fields.sizes("stride", 2),
        fields.sizes("padding", 2, least=0),
    )
    if any(p >= k or k > n + 2 * p for k, p, n in zip(size, padding, shape[1:], strict=True)):
        raise fields.error(f"a window of {size} with a padding of {padding} does not fit the input {shape}")
    average = fields.node.type == "AvgPool2d"
    if average and not any(padding):
        return [("", ops.AvgPool(size=size, strides=stride))]
    ones = np.ones((*size, 1, shape[0]), dtype=np.float32)
    kernel = ones / (size[0] * size[1]) if average else ones
    pads = tuple((p, p) for p in padding)
    zeros = np.zeros(shape[0], dtype=np.float32)
    return [("", ops.Conv(kernel=kernel, bias=zeros, strides=stride, padding=pads, dilation=(1, 1), groups=shape[0]))]


def flatten(fields: Fields, shape: Shape, wanted: list[Shape]) -> tuple[list[Step], Shape]:
    """Return the ops of a Flatten, and the shape that it gives.

    Its axes count without the batch for those who wrote the specification and for Sinabs, with it for snnTorch and
    Norse: of the two, that is right which what reads it can take.

    Args:
        fields: the node's.
        shape: what it gets.
        wanted: the shapes that its readers say they take, as far as they do.

    """
    ends = [_whole(fields, "start_dim", 1), _whole(fields, "end_dim", -1)]
    readings = [made for less in (0, 1) if (made := _flat(shape, [e - less if e > 0 else e for e in ends])) is not None]
    if ends[0] == 0:
        readings = readings[:1]  # with a batch, that would be gone
    if not readings:
        raise fields.error(f"its axes {ends} are none of the input {shape}")
    new = next((made for made in readings if all(made == want for want in wanted)), readings[0])
    if new == shape:
        return [("", ops.Identity())], new
    first = () if len(shape) < 2 else (("order", ops.Permute(order=(len(shape) - 1, *range(len(shape) - 1)))),)
    behind: list[Step] = [("", ops.Reshape(shape=new))]
    if len(new) > 1:
        behind = [("flat", ops.Reshape(shape=new)), ("", ops.Permute(order=(*range(1, len(new)), 0)))]
    plain = len(new) == 1 and (shape[0] == 1 or max(shape[1:], default=1) == 1)
    return [*(() if plain else first), *behind], new


def _whole(fields: Fields, field: str, default: int) -> int:
    if field not in fields.node.fields:
        return default
    value = fields.array(field)
    if value.size != 1 or value.reshape(()) != int(value.reshape(())) or abs(int(value.reshape(()))) > 32:
        raise fields.error(f"its {field} is no axis")
    return int(value.reshape(()))


def _flat(shape: Shape, ends: list[int]) -> Shape | None:
    start, end = (e + len(shape) if e < 0 else e for e in ends)
    if not 0 <= start <= end < len(shape):
        return None
    return (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])


def takes(fields: Fields) -> Shape | None:
    """Return the shape that a node says it takes, where it says one."""
    for field in ("weight", "v_threshold", "r", "scale"):
        value = fields.node.fields.get(field)
        if isinstance(value, np.ndarray) and value.ndim:
            if field == "weight":
                return (value.shape[1],) if fields.node.type in ("Affine", "Linear") and value.ndim == 2 else None
            return value.shape
    return fields.shape() if fields.node.type == "Output" and "shape" in fields.node.fields else None


LINEAR: Mapping[str, Callable[[Fields, Shape], list[Step]]] = MappingProxyType(
    {
        "Affine": affine,
        "Linear": affine,
        "Scale": scale,
        "Conv1d": conv,
        "Conv2d": conv,
        "SumPool2d": pool,
        "AvgPool2d": pool,
    }
)
"""How each linear type becomes ops, from its fields and the shape that arrives, channels first."""


def as_affine(op: ops.Conv) -> ops.Affine | None:
    """Return a convolution that multiplies each channel by a number as just that; None for any other."""
    alone = op.groups == op.kernel.shape[-1] and op.kernel.shape[-2] == 1
    if not alone or not _plain(op, set(op.size)):
        return None
    return ops.Affine(scale=op.kernel.reshape(-1), shift=op.bias)


def _plain(op: ops.Conv, numbers: set[int]) -> bool:
    """Return whether strides, dilation and more numbers are 1, and there is no padding."""
    pads = op.padding if isinstance(op.padding, tuple) else ((1, 1),)
    return set(op.strides) | set(op.dilation) | numbers == {1} and not any(map(any, pads))


def as_dense(op: ops.Conv, shape: Shape) -> ops.Dense | None:
    """Return a convolution with one position as the dense op that it is behind a flatten; None for any other.

    Args:
        op: the convolution.
        shape: what it gets, channels last.

    """
    space = shape[:-1]
    places = [_seen(k, d, pads, n) for k, d, pads, n in zip(op.size, op.dilation, op.pads(space), space, strict=True)]
    if op.groups != 1 or op.infer(TensorType(shape)).shape[:-1] != (1,) * len(space):
        return None
    weight = np.zeros((*space, *op.kernel.shape[-2:]), dtype=np.float32)
    inside, outside = (np.ix_(*(pair[side] for pair in places)) for side in (0, 1))
    weight[outside] = op.kernel[inside]
    return ops.Dense(weight=weight.reshape(-1, weight.shape[-1]), bias=op.bias)


def _seen(size: int, dilation: int, pads: tuple[int, int], n: int) -> tuple[AnyArray, AnyArray]:
    """Return which elements of a kernel lie on the input along an axis, at the first position, and on which."""
    there = np.arange(size) * dilation - pads[0]
    inside = (there >= 0) & (there < n)
    return np.flatnonzero(inside), there[inside]


__all__ = ["LINEAR", "Step", "affine", "as_affine", "as_dense", "channels_last", "flatten", "takes"]
