"""Operators on tensors that look at windows: pooling, convolution with constant kernels, blocks and patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.conv import crops
from snnc.frontend.keras_layers.layout import add_spatial, channels_first
from snnc.frontend.keras_layers.operands import argument, operand, whole
from snnc.frontend.keras_layers.operators_reduce import along_axis
from snnc.ir.op import Op
from snnc.ir.types import Array, Shape
from snnc.ops.conv_transpose import ConvTranspose
from snnc.ops.kernels.convolve import output_size, pads_for, span
from snnc.ops.resample import Take

_STRIDES, _DILATION = "strides stride", "dilations dilation_rate rates rate"


def with_layout(layer: Layer) -> Layer:
    """Return the operator with its data format as layers write it."""
    value = str(argument(layer, -1, "data_format") or "channels_last")
    first = value == "channels_first" or value.startswith("NC")
    return replace(layer, config={**layer.config, "data_format": "channels_first" if first else "channels_last"})


def _space(layer: Layer, builder: Builder, source: str) -> Shape:
    """Return the spatial shape of an input."""
    shape = builder.type(source).shape
    return shape[1:] if channels_first(layer) else shape[:-1]


def _numbers(layer: Layer, names: str, rank: int, default: Any = 1) -> Shape:
    """Return one number a spatial axis, as given for all of them, for each, or for the batch and channels too."""
    value = argument(layer, -1, names, default)
    values = list(value) if isinstance(value, Sequence) else [value]
    if len(values) == rank + 2:
        outer = values.pop(0), values.pop(0 if channels_first(layer) else -1)
        if outer != (1, 1):
            raise layer_error(layer, f"its {names.split()[0]} {value!r} go over the batch or the channels")
    values = values * rank if len(values) == 1 else values
    if len(values) != rank:
        raise layer_error(layer, f"its {names.split()[0]} {value!r} are not {rank} number(s)")
    return tuple(whole(layer, n, names.split()[0]) for n in values)


def _padding(layer: Layer, rank: int) -> ops.Padding:
    value = argument(layer, -1, "padding", "valid")
    if isinstance(value, str) and value.lower() in ("valid", "same"):
        return value.lower()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise layer_error(layer, f"its padding {value!r} cannot be imported")
    pairs = [tuple(pair) for pair in value]
    if len(pairs) == rank + 2:
        del pairs[1 if channels_first(layer) else -1], pairs[0]
    return tuple((int(a), int(b)) for a, b in pairs)


def _kernel(layer: Layer, inputs: Sequence[str], position: int, names: str, rank: int) -> Array:
    value = operand(layer, argument(layer, position, names), inputs, rank + 2)
    if isinstance(value, str) or value.ndim != rank + 2:
        raise layer_error(layer, f"its {names.split()[0]} must be a constant of {rank + 2} axes")
    return value


def _pool(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Take the average or the maximum of windows, in both layouts; padding does not count."""
    layer = with_layout(layer)
    rank = len(_space(layer, builder, inputs[0]))
    name = f"{layer.class_name} {argument(layer, -1, 'pooling_type', '')}".lower()
    size = _numbers(layer, "ksize pool_size window_shape", rank)
    # tf.nn.pool moves by one, keras.ops by the window
    strides = _numbers(layer, "strides", rank, 1 if layer.class_name == "tf.nn.pool" else size)
    if max(_numbers(layer, _DILATION, rank)) > 1:
        raise layer_error(layer, "pooling with gaps between the elements of a window cannot be imported")
    kind = ops.MaxPool if "max" in name else ops.AvgPool
    return add_spatial(layer, inputs[0], builder, kind(size=size, strides=strides, padding=_padding(layer, rank)))


def _adaptive(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Take the average or the maximum of as many windows as asked for."""
    layer = with_layout(layer)
    space = _space(layer, builder, inputs[0])
    wanted = _numbers(layer, "output_size", len(space))
    if all(n % k == 0 for n, k in zip(space, wanted, strict=True)):
        size = tuple(n // k for n, k in zip(space, wanted, strict=True))
        kind = ops.MaxPool if "Max" in layer.class_name else ops.AvgPool
        return add_spatial(layer, inputs[0], builder, kind(size=size, strides=size))
    if "Max" in layer.class_name:
        raise layer_error(layer, f"maxima of {wanted} windows of unequal size cannot be imported")
    x, first = inputs[0], int(channels_first(layer))
    for axis, (n, k) in enumerate(zip(space, wanted, strict=True), first):
        starts, ends = np.arange(k) * n // k, -(-(np.arange(k) + 1) * n // k)
        place = np.arange(n)[:, None]
        window = ((place >= starts) & (place < ends)).astype(np.float32)
        x = along_axis(builder.part(f"axis{axis}"), x, axis, window / window.sum(axis=0))
    return builder.add(ops.Identity(), x)


def _conv_op(layer: Layer, kernel: Array, groups: int, *, strided: bool = True) -> ops.Conv:
    rank = kernel.ndim - 2
    ones = (1,) * rank
    return ops.Conv(
        kernel=kernel,
        bias=layer.zeros(kernel.shape[-1]),
        strides=_numbers(layer, _STRIDES, rank) if strided else ones,
        padding=_padding(layer, rank) if strided else "valid",
        dilation=_numbers(layer, _DILATION, rank) if strided else ones,
        groups=groups,
    )


def _depth(layer: Layer, builder: Builder, source: str) -> int:
    return builder.type(source).shape[0 if channels_first(layer) else -1]


def _convolve(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve with a constant kernel: any stride, padding, dilation and groups, in both layouts."""
    layer = with_layout(layer)
    kernel = _kernel(layer, inputs, 1, "filters filter kernel", len(_space(layer, builder, inputs[0])))
    groups = _depth(layer, builder, inputs[0]) // kernel.shape[-2]
    return add_spatial(layer, inputs[0], builder, _conv_op(layer, kernel, groups))


def _depthwise_op(layer: Layer, inputs: Sequence[str], builder: Builder, names: str) -> ops.Conv:
    kernel = _kernel(layer, inputs, 1, names, len(_space(layer, builder, inputs[0])))
    return _conv_op(layer, kernel.reshape(*kernel.shape[:-2], 1, -1), kernel.shape[-2])


def _depthwise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve each channel by itself with a constant kernel."""
    layer = with_layout(layer)
    return add_spatial(layer, inputs[0], builder, _depthwise_op(layer, inputs, builder, "filter filters kernel"))


def _separable(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve each channel by itself, then mix the channels, with constant kernels."""
    layer = with_layout(layer)
    first = _depthwise_op(layer, inputs, builder, "depthwise_filter depthwise_kernel")
    mixing = _kernel(layer, inputs, 2, "pointwise_filter pointwise_kernel", first.kernel.ndim - 2)
    return add_spatial(layer, inputs[0], builder, first, _conv_op(layer, mixing, 1, strided=False))


def _transposed(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve transposed with a constant kernel: any stride, padding and dilation, in both layouts."""
    layer = with_layout(layer)
    space = _space(layer, builder, inputs[0])
    rank = len(space)
    kernel = _kernel(layer, inputs, 1, "filters kernel", rank)
    strides, dilation = _numbers(layer, _STRIDES, rank), _numbers(layer, _DILATION, rank)
    spans = tuple(span(k, d) for k, d in zip(kernel.shape[:-2], dilation, strict=True))
    # tf.nn.conv2d_transpose pads unless told otherwise
    same = (
        str(argument(layer, -1, "padding", "same" if layer.class_name.startswith("tf.") else "valid")).lower() == "same"
    )
    if layer.class_name.startswith("tf."):
        wanted = argument(layer, 2, "output_shape")
        wanted = wanted[2:] if channels_first(layer) else wanted[1:-1]
        cuts = tuple(_cut(n, k, s, out, same=same) for n, k, s, out in zip(space, spans, strides, wanted, strict=True))
    else:
        extra = argument(layer, -1, "output_padding")
        extras = (None,) * rank if extra is None else _numbers(layer, "output_padding", rank)
        cuts = tuple(crops(n, k, s, e, same=same) for n, k, s, e in zip(space, spans, strides, extras, strict=True))
    bias = layer.zeros(kernel.shape[-2])
    op = ConvTranspose(kernel=kernel, bias=bias, strides=strides, dilation=dilation, crops=cuts)
    return add_spatial(layer, inputs[0], builder, op)


def _cut(n: int, span: int, stride: int, wanted: int, *, same: bool) -> tuple[int, int]:
    """Return what TensorFlow leaves out of the full result along one axis to get a size that is asked for."""
    full = (n - 1) * stride + span
    before = max(full - wanted, 0) // 2 if same else 0
    return before, full - wanted - before


def _blocks(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Move blocks of space into the channels, or back."""
    layer = with_layout(layer)
    block = whole(layer, argument(layer, 1, "block_size"), "block_size")
    shape = builder.type(inputs[0]).shape
    height, width, depth = (*shape[1:], shape[0]) if channels_first(layer) else shape
    run: list[Op]
    if "depth_to_space" in layer.class_name or "DepthToSpace" in layer.class_name:
        parts = (height, width, block, block, depth // block**2)
        run = [ops.Permute(order=(0, 2, 1, 3, 4)), ops.Reshape(shape=(height * block, width * block, -1))]
    else:
        parts = (height // block, block, width // block, block, depth)
        run = [ops.Permute(order=(0, 2, 1, 3, 4)), ops.Reshape(shape=(height // block, width // block, -1))]
    return add_spatial(layer, inputs[0], builder, ops.Reshape(shape=parts), *run)


def _patches(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Give the elements of each window of an image as its channels."""
    layer = with_layout(layer)
    space = _space(layer, builder, inputs[0])
    rank = len(space)
    size = _numbers(layer, "sizes size", rank)
    strides = _numbers(layer, "strides", rank, size)
    dilation = _numbers(layer, _DILATION, rank)
    pads = pads_for(_padding(layer, rank), space, size, strides, dilation)
    out = output_size(space, size, strides, dilation, pads)
    run: list[Op] = [ops.ZeroPad(padding=pads)] if any(a or b for a, b in pads) else []
    for axis in range(rank):
        places = np.add.outer(np.arange(out[axis]) * strides[axis], np.arange(size[axis]) * dilation[axis])
        run.append(Take(axis=axis, indices=tuple(places.ravel().tolist())))
    run.append(ops.Reshape(shape=(*(n for pair in zip(out, size, strict=True) for n in pair), -1)))
    run.append(ops.Permute(order=(*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank)))
    return add_spatial(layer, inputs[0], builder, *run, ops.Reshape(shape=(*out, -1)))


_NAMES: Mapping[Any, tuple[str, ...]] = {
    _pool: (
        *(f"tf.nn.{kind}_pool{rank}" for kind in ("max", "avg") for rank in ("", "1d", "2d", "3d")),
        *("tf.nn.pool", "ops.MaxPool", "ops.AveragePool"),
    ),
    _adaptive: ("ops.AdaptiveAveragePool", "ops.AdaptiveMaxPool"),
    _convolve: ("tf.nn.conv1d", "tf.nn.conv2d", "tf.nn.conv3d", "tf.nn.convolution", "ops.Conv"),
    _depthwise: ("tf.nn.depthwise_conv2d", "ops.DepthwiseConv"),
    _separable: ("tf.nn.separable_conv2d", "ops.SeparableConv"),
    _transposed: (*(f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)), "tf.nn.conv_transpose", "ops.ConvTranspose"),
    _blocks: (
        *(f"tf.{module}{name}" for module in ("", "nn.") for name in ("space_to_depth", "depth_to_space")),
        *("ops.SpaceToDepth", "ops.DepthToSpace"),
    ),
    _patches: ("tf.image.extract_patches", "ops.ExtractPatches"),
}
ALIKE = [importer("keras", name)(function) for function, names in _NAMES.items() for name in names]
"""Operators of both Keras generations."""
