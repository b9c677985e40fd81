"""Operators on tensors that join, order or count the elements along axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.layout import add_last, axis_without_batch
from snnc.frontend.keras_layers.operands import argument, axes, number, operand, whole
from snnc.ir.op import Op
from snnc.ops.causal import Running
from snnc.ops.functions import Function, NotEqual
from snnc.ops.order import ArgSort, CumulativeProduct, Sort
from snnc.ops.reduce import LogSumExp, Max, Mean, Min, Norm, Prod, Reduce, Standardize, Sum, UnitNorm, Variance
from snnc.ops.resample import crop, reverse

Made: TypeAlias = Callable[[Builder, str, tuple[int, ...], bool], str]
"""Adds a reduction of a tensor over axes, which it keeps with size one if asked."""


def _over(cls: type[Reduce], *, before: Op | None = None, behind: Op | None = None, **fields: Any) -> Made:
    """Return what adds a reduction, with another op in front of it or behind it."""

    def add(builder: Builder, x: str, over: tuple[int, ...], keepdims: bool) -> str:
        reduce = cls(axes=over, keepdims=keepdims, **fields)
        x = x if before is None else builder.add(before, x, step=before.kind)
        return (
            builder.add(reduce, x) if behind is None else builder.add(behind, builder.add(reduce, x, step=reduce.kind))
        )

    return add


def _range(builder: Builder, x: str, over: tuple[int, ...], keepdims: bool) -> str:
    low = builder.add(Min(axes=over, keepdims=keepdims), x, step="min")
    below = builder.add(ops.Affine(scale=number(-1), shift=number(0)), low, step="negative")
    return builder.add(ops.Add(), builder.add(Max(axes=over, keepdims=keepdims), x, step="max"), below)


def _median(builder: Builder, x: str, over: tuple[int, ...], keepdims: bool) -> str:
    """Add the mean of the one or two in the middle of each row, for one axis."""
    (axis,) = over
    shape = builder.type(x).shape
    n = shape[axis]
    pairs = tuple(((n - 1) // 2, n - n // 2 - 1) if k == axis else (0, 0) for k in range(len(shape)))
    middle = builder.add(crop(shape, pairs), builder.add(Sort(axis=axis), x, step="sort"), step="middle")
    return builder.add(Mean(axes=over, keepdims=keepdims), middle)


_TRUE = NotEqual(value=0.0)
_REDUCTIONS: Mapping[str, tuple[str, Made]] = {
    # by the class in keras.ops: the names in TensorFlow's math module
    "Sum": ("reduce_sum", _over(Sum)),
    "Mean": ("reduce_mean", _over(Mean)),
    "Average": ("", _over(Mean)),
    "Max": ("reduce_max", _over(Max)),
    "Amax": ("", _over(Max)),
    "Min": ("reduce_min", _over(Min)),
    "Amin": ("", _over(Min)),
    "Prod": ("reduce_prod", _over(Prod)),
    "Var": ("reduce_variance", _over(Variance)),
    "Std": ("reduce_std", _over(Variance, behind=Function(name="sqrt"))),
    "Logsumexp": ("reduce_logsumexp", _over(LogSumExp)),
    "EuclideanNorm": ("reduce_euclidean_norm", _over(Norm)),
    "Any": ("reduce_any", _over(Max, before=_TRUE)),
    "All": ("reduce_all", _over(Min, before=_TRUE)),
    "CountNonzero": ("count_nonzero", _over(Sum, before=_TRUE)),
    "Ptp": ("", _range),
    "Median": ("", _median),
}
_BY_NAME: Mapping[str, Made] = {
    **{f"ops.{name}": make for name, (_, make) in _REDUCTIONS.items()},
    **{f"tf.math.{tf_name}": make for tf_name, make in _REDUCTIONS.values() if tf_name},
}
_RUNNING = ("sum", "mean", "max", "min")


def _rank(builder: Builder, source: str) -> int:
    return len(builder.type(source).shape)


def _reduction(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join all elements along axes other than the batch."""
    over = axes(layer, argument(layer, 1, "axis"), _rank(builder, inputs[0]))
    if len(inputs) > 1 or argument(layer, -1, "weights") is not None:
        raise layer_error(layer, "it weighs what it joins; multiply by the weights first")
    return _BY_NAME[layer.class_name](builder, inputs[0], over, bool(argument(layer, 2, "keepdims", False)))


def _reduction_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Join elements along axes of each slice, or over time: the sum, mean or extreme so far."""
    value = argument(layer, 1, "axis")
    listed = list(value) if isinstance(value, Sequence) else [value]
    over_time = [axis for axis in listed if axis in (1, -_rank(builder, inputs[0]) - 1)]
    if not over_time:
        return _reduction(layer, inputs, builder)
    if len(listed) > 1:
        raise stream_error(layer, f"it joins the axes {tuple(listed)} at once; join those of a slice first")
    name = layer.class_name.rpartition(".")[2].lower().removeprefix("reduce_")
    if name not in (*_RUNNING, "any"):
        raise stream_error(layer, "it joins the steps")
    running = Running(function="max" if name == "any" else name)
    return add_last(builder, running, inputs[0], keepdims=bool(argument(layer, 2, "keepdims", False)))


def _normalise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Divide by the length along axes, or by another norm."""
    over = axes(layer, argument(layer, 1, "axis", -1), _rank(builder, inputs[0]))
    if layer.class_name.startswith("tf."):
        return builder.add(UnitNorm(axes=over, epsilon=float(argument(layer, 2, "epsilon", 1e-12))), inputs[0])
    order, epsilon = float(argument(layer, 2, "order", 2)), float(argument(layer, 3, "epsilon", 1e-7))
    if order == 2:
        return builder.add(UnitNorm(axes=over, epsilon=epsilon**2), inputs[0])
    length = builder.add(Norm(axes=over, order=order, keepdims=True), inputs[0], step="norm")
    least = builder.add(ops.Clip(low=epsilon, high=float(np.finfo(np.float32).max)), length, step="least")
    return builder.add(ops.Divide(), inputs[0], least)


def _norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the length along axes: of any order along one, Euclidean along several."""
    over = axes(layer, argument(layer, 2, "axis"), _rank(builder, inputs[0]))
    order = argument(layer, 1, "ord", 2)
    order = {"euclidean": 2.0, "fro": 2.0, "inf": np.inf}.get(order, order) if isinstance(order, str) else float(order)
    keepdims = bool(argument(layer, 3, "keepdims", False))
    if isinstance(order, str) or (len(over) > 1 and argument(layer, 1, "ord", "fro") not in ("fro", "euclidean")):
        raise layer_error(layer, f"a norm of order {order!r} over {len(over)} axes cannot be imported")
    if np.isinf(order):
        made = _over(Max if order > 0 else Min, before=Function(name="abs"))
        return made(builder, inputs[0], over, keepdims)
    if order == 0:
        return _over(Sum, before=_TRUE)(builder, inputs[0], over, keepdims)
    return builder.add(Norm(axes=over, order=order, keepdims=keepdims), inputs[0])


def _moments(layer: Layer, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Give the mean and the variance along axes."""
    over = axes(layer, argument(layer, 1, "axes"), _rank(builder, inputs[0]))
    keepdims = bool(argument(layer, 3 if layer.class_name.startswith("tf.") else 2, "keepdims", False))
    mean = builder.add(Mean(axes=over, keepdims=keepdims), inputs[0])
    return [mean, builder.add(Variance(axes=over, keepdims=keepdims), inputs[0], step="variance")]


def _place(layer: Layer, builder: Builder, source: str, position: int, names: str, default: Any) -> int:
    """Return an axis that the operator must name."""
    value = argument(layer, position, names, default)
    if value is None:
        raise layer_error(layer, "it goes over all axes, the batch among them; name the axis")
    return axis_without_batch(layer, whole(layer, value, "axis"), _rank(builder, source))


def _position(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the place of the largest or the smallest element along an axis, the first of equal ones."""
    default = None if layer.class_name.startswith("ops.") else 0
    axis = _place(layer, builder, inputs[0], 1, "axis dimension", default)
    largest = "max" in layer.class_name.lower()
    order = builder.add(ArgSort(axis=axis, descending=largest), inputs[0], step="order")
    shape = builder.type(order).shape
    first = crop(shape, tuple((0, n - 1) if k == axis else (0, 0) for k, n in enumerate(shape)))
    if argument(layer, 2, "keepdims", False):
        return builder.add(first, order)
    rest = ops.Reshape(shape=(*shape[:axis], *shape[axis + 1 :]))
    return builder.add(rest, builder.add(first, order, step="first"))


def _sorted(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Put the elements along an axis in order, or give their places."""
    axis = _place(layer, builder, inputs[0], 1, "axis", -1)
    descending = str(argument(layer, 2, "direction", "ASCENDING")).upper() == "DESCENDING"
    op = ArgSort if layer.class_name.lower().endswith("argsort") else Sort
    return builder.add(op(axis=axis, descending=descending), inputs[0])


def _largest(layer: Layer, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Give the k largest elements along the last axis and their places."""
    shape = builder.type(inputs[0]).shape
    axis, k = len(shape) - 1, whole(layer, argument(layer, 1, "k", 1), "k")
    first = crop(shape, (*((0, 0),) * axis, (0, shape[axis] - k)))
    ordered = builder.add(Sort(axis=axis, descending=True), inputs[0], step="sort")
    places = builder.add(ArgSort(axis=axis, descending=True), inputs[0], step="order")
    return [builder.add(first, ordered), builder.add(first, places, step="places")]


def _cumulative(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give sums or products so far along an axis; TensorFlow may leave the element itself out, or go backwards."""
    default = None if layer.class_name.startswith("ops.") else 0
    axis = _place(layer, builder, inputs[0], 1, "axis", default)
    tf = layer.class_name.startswith("tf.")
    exclusive, backwards = (
        tf and bool(argument(layer, k, name, False)) for k, name in ((2, "exclusive"), (3, "reverse"))
    )
    shape, x = builder.type(inputs[0]).shape, inputs[0]
    if layer.class_name.lower().endswith("cumsum"):
        n = shape[axis]
        weight = np.triu(np.ones((n, n), dtype=np.float32), k=1 if exclusive else 0)
        return along_axis(builder, x, axis, weight.T if backwards else weight)
    if exclusive:
        raise layer_error(layer, "products that leave the element itself out cannot be imported")
    if not backwards:
        return builder.add(CumulativeProduct(axis=axis), x)
    turned = builder.add(reverse(shape, axis), x, step="reversed")
    return builder.add(reverse(shape, axis), builder.add(CumulativeProduct(axis=axis), turned, step="product"))


def along_axis(builder: Builder, source: str, axis: int, weight: Any) -> str:
    """Add the product of a constant matrix (inputs, outputs) and one axis of a tensor."""
    rank = _rank(builder, source)
    dense = ops.Dense(weight=weight, bias=np.zeros(weight.shape[1], dtype=np.float32))
    if axis == rank - 1:
        return builder.add(dense, source)
    order = tuple(rank - 1 if k == axis else axis if k == rank - 1 else k for k in range(rank))
    moved = builder.add(ops.Permute(order=order), source, step="permute")
    return builder.add(ops.Permute(order=order), builder.add(dense, moved, step="dense"))


def _difference(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Subtract from each element along an axis the one before, n times."""
    axis, x = _place(layer, builder, inputs[0], 2, "axis", -1), inputs[0]
    times = whole(layer, argument(layer, 1, "n", 1), "n")
    for k in range(times):
        shape = builder.type(x).shape
        cuts = (tuple(pair if j == axis else (0, 0) for j in range(len(shape))) for pair in ((1, 0), (0, 1)))
        later, earlier = (builder.add(crop(shape, cut), x, step="part") for cut in cuts)
        before = builder.add(ops.Affine(scale=number(-1), shift=number(0)), earlier, step="negative")
        x = builder.add(ops.Add(), later, before, step="" if k == times - 1 else "difference")
    return x


def _batch_norm(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Normalise with moments that are constants."""
    shape = builder.type(inputs[0]).shape
    tf = layer.class_name.startswith("tf.")
    axis = len(shape) - 1 if tf else _place(layer, builder, inputs[0], -1, "axis", -1)
    names = ("mean", "variance", "offset", "scale")
    values = [argument(layer, k, name) for k, name in enumerate(names, 1)]
    mean, variance, offset, scale = (None if v is None else operand(layer, v, inputs, 1) for v in values)
    if any(isinstance(v, str) for v in (mean, variance, offset, scale)) or mean is None or variance is None:
        raise layer_error(layer, "its moments are computed from data; they must be constants")
    epsilon = float(argument(layer, 5 if tf else -1, "variance_epsilon epsilon", 1e-3))
    factor = np.asarray(1 if scale is None else scale) / np.sqrt(np.asarray(variance) + epsilon)
    shift = np.asarray(0 if offset is None else offset) - np.asarray(mean) * factor
    side = (-1, *(1,) * (len(shape) - 1 - axis))
    return builder.add(ops.Affine(scale=factor.reshape(side), shift=shift.reshape(side)), inputs[0])


def _standardised(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Normalise each sample along axes, with a constant gain and shift."""
    shape, epsilon = builder.type(inputs[0]).shape, float(argument(layer, -1, "epsilon", 1e-7))
    over = axes(layer, argument(layer, -1, "axis", -1), len(shape))
    given = [argument(layer, k, names) for k, names in ((1, "gamma scale"), (2, "beta"))]
    gain, shift = (
        operand(layer, number(v) if given[k] is None else given[k], inputs, len(shape)) for k, v in ((0, 1), (1, 0))
    )
    if isinstance(gain, str) or isinstance(shift, str):
        raise layer_error(layer, "its gain or shift is computed from data; multiply by it and add it behind")
    rms = bool(argument(layer, -1, "rms_scaling", False))
    standard = Standardize(axes=over, epsilon=epsilon, center=layer.class_name == "ops.LayerNorm", keep_mean=rms)
    kept = [n if axis in over else 1 for axis, n in enumerate(shape)]
    gain, shift = (v.reshape(kept) if v.ndim == len(over) else v for v in (gain, shift))
    return builder.add(ops.Affine(scale=gain, shift=shift), builder.add(standard, inputs[0], step="standardize"))


_NAMES = (
    (_standardised, ("ops.LayerNorm", "ops.RMSNorm")),
    (_normalise, ("ops.Normalize", "tf.math.l2_normalize", "tf.nn.l2_normalize")),
    (_norm, ("ops.Norm", "tf.norm", "tf.linalg.norm")),
    (_moments, ("ops.Moments", "tf.nn.moments")),
    (_position, ("ops.Argmax", "ops.Argmin", "tf.math.argmax", "tf.math.argmin")),
    (_sorted, ("ops.Sort", "ops.Argsort", "tf.sort", "tf.argsort")),
    (_largest, ("ops.TopK", "tf.math.top_k", "tf.nn.top_k")),
    (_cumulative, ("ops.Cumsum", "ops.Cumprod", "tf.math.cumsum", "tf.math.cumprod")),
    (_difference, ("ops.Diff",)),
    (_batch_norm, ("ops.BatchNorm", "tf.nn.batch_normalization")),
)
ALIKE = [
    *(importer("keras", name, temporal=_reduction_in_time)(_reduction) for name in _BY_NAME),
    *(importer("keras", name, slicewise=True)(function) for function, names in _NAMES for name in names),
]
"""Operators of both Keras generations."""
