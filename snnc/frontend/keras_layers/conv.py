"""Convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, ImportFunction, Layer, Role, importer, layer_error, stream_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.frontend.keras_layers.dense import bias, bias_role, count, kernel_and_bias
from snnc.frontend.keras_layers.layout import add_spatial, channels, sizes, spatial_rank
from snnc.ir.op import Op
from snnc.ir.types import Array, Shape
from snnc.ops.causal import DelayLine
from snnc.ops.conv_transpose import ConvTranspose
from snnc.ops.kernels.convolve import span


def padding(layer: Layer, size: Shape, dilation: Shape) -> ops.Padding:
    """Return the padding of a layer; causal padding is all in front."""
    value = str(layer.config.get("padding", "valid")).lower()
    if value == "causal" and len(size) == 1:
        return ((span(size[0], dilation[0]) - 1, 0),)
    if value not in ("valid", "same"):
        raise layer_error(layer, f"its padding {value!r} is unknown; it must be 'valid', 'same' or, in 1-D, 'causal'")
    return value


def _convolution(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve: any stride, padding (causal in 1-D), dilation and groups, in both layouts."""
    size = sizes(layer, "kernel_size", spatial_rank(layer))
    groups, filters = layer.config.get("groups") or 1, count(layer, "filters")
    depth = channels(layer, inputs[0], builder)
    op = _conv(layer, layer.weight("kernel", (*size, depth // groups, filters)), groups)
    return add_spatial(layer, inputs[0], builder, op)


def _conv(layer: Layer, kernel: Array, groups: int, *, last: bool = True) -> ops.Conv:
    """Return the convolution with a kernel; ``last`` if the bias and activation of the layer belong to it."""
    *size, _, filters = kernel.shape
    dilation = sizes(layer, "dilation_rate", len(size), 1)
    return ops.Conv(
        kernel=kernel,
        bias=bias(layer, filters) if last else layer.zeros(filters),
        strides=sizes(layer, "strides", len(size), 1),
        padding=padding(layer, tuple(size), dilation),
        dilation=dilation,
        groups=groups,
        activation=config_activation(layer) if last else None,
    )


def _convolution_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve slices; or over time where causal, by a layer that reads the slices so far."""
    rank, shape = spatial_rank(layer), builder.type(inputs[0]).shape
    if len(shape) == rank + 1:  # Keras takes axes before the spatial ones as more of the batch
        return _convolution(layer, inputs, builder)
    (size,), (dilation,) = _over_time(layer, inputs[0], builder)
    groups, filters = layer.config.get("groups") or 1, count(layer, "filters")
    if groups != 1:
        return _over_window(_convolution, layer, inputs[0], builder, size, dilation)
    kernel = layer.weight("kernel", (size, shape[-1], filters))
    flat = builder.add(ops.Reshape(shape=(-1,)), _window(inputs[0], builder, size, dilation), step="flat")
    op = ops.Dense(
        weight=layer.once("window", lambda: kernel.reshape(-1, filters)),
        bias=bias(layer, filters),
        activation=config_activation(layer),
    )
    return builder.add(op, flat)


def _over_time(layer: Layer, source: str, builder: Builder) -> tuple[Shape, Shape]:
    """Return the kernel size and the dilation of a 1-D convolution over time; refuse what is not causal."""
    if spatial_rank(layer) != 1 or len(builder.type(source).shape) != 1:
        raise stream_error(layer, "its kernel goes over time and space together; use TimeDistributed")
    if layer.config.get("data_format") == "channels_first":
        raise stream_error(layer, "it takes axis 1 for the channels")
    size, dilation = sizes(layer, "kernel_size", 1), sizes(layer, "dilation_rate", 1, 1)
    if sizes(layer, "strides", 1, 1) != (1,):
        raise stream_error(layer, "its stride leaves steps out")
    if size != (1,) and str(layer.config.get("padding", "valid")).lower() != "causal":
        raise stream_error(layer, "it reads slices that come later (padding='causal' would not)")
    return size, dilation


def _over_window(
    function: ImportFunction, layer: Layer, source: str, builder: Builder, size: int, dilation: int
) -> str:
    """Apply a 1-D convolution to the slices so far that its kernel reaches, which gives one position."""
    window = _window(source, builder, size, dilation)
    config = {**layer.config, "padding": "valid", "dilation_rate": 1}
    inside = function(replace(layer, config=config, temporal=False), [window], builder.part("conv"))
    assert isinstance(inside, str)
    return builder.add(ops.Reshape(shape=(-1,)), inside)


def _window(source: str, builder: Builder, size: int, dilation: int) -> str:
    """Return the slices that a kernel reaches, (size, channels)."""
    if size == 1:
        return builder.add(ops.Reshape(shape=(1, -1)), source, step="window")
    return builder.add(DelayLine(taps=size, dilation=dilation), source, step="window")


def _other_in_time(function: ImportFunction) -> ImportFunction:
    def stepwise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
        """Convolve over time where causal, by a layer that reads the slices so far."""
        (size,), (dilation,) = _over_time(layer, inputs[0], builder)
        return _over_window(function, layer, inputs[0], builder, size, dilation)

    return stepwise


def _depthwise_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return (Role("depthwise_kernel"), *bias_role(config))


def _depthwise_op(layer: Layer, depth: int, *, last: bool) -> ops.Conv:
    """Return the convolution of each channel by itself; see ``_conv``."""
    size = sizes(layer, "kernel_size", spatial_rank(layer))
    kernel = layer.weight("depthwise_kernel", (*size, depth, int(layer.config.get("depth_multiplier") or 1)))
    return _conv(layer, layer.once("depthwise", lambda: kernel.reshape(*size, 1, -1)), depth, last=last)


def _depthwise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve each channel by itself, with any depth multiplier, in both layouts."""
    op = _depthwise_op(layer, channels(layer, inputs[0], builder), last=True)
    return add_spatial(layer, inputs[0], builder, op)


def _separable_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return (Role("depthwise_kernel"), Role("pointwise_kernel"), *bias_role(config))


def _separable(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve each channel by itself, then mix the channels."""
    first = _depthwise_op(layer, channels(layer, inputs[0], builder), last=False)
    ones, filters = (1,) * spatial_rank(layer), count(layer, "filters")
    second = ops.Conv(
        kernel=layer.weight("pointwise_kernel", (*ones, first.kernel.shape[-1], filters)),
        bias=bias(layer, filters),
        strides=ones,
        dilation=ones,
        activation=config_activation(layer),
    )
    return add_spatial(layer, inputs[0], builder, first, second)


def _transposed(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve transposed: any stride, padding, dilation and output padding, in both layouts."""
    rank, filters = spatial_rank(layer), count(layer, "filters")
    size, strides = sizes(layer, "kernel_size", rank), sizes(layer, "strides", rank, 1)
    dilation = sizes(layer, "dilation_rate", rank, 1)
    shape = builder.type(inputs[0]).shape
    depth = channels(layer, inputs[0], builder)
    space = shape[1:] if layer.config.get("data_format") == "channels_first" else shape[:-1]
    extra = layer.config.get("output_padding")
    extras = (None,) * rank if extra is None else sizes(layer, "output_padding", rank, allow_zero=True)
    same = padding(layer, size, dilation) == "same"
    spans = tuple(span(k, d) for k, d in zip(size, dilation, strict=True))
    op = ConvTranspose(
        kernel=layer.weight("kernel", (*size, filters, depth)),
        bias=bias(layer, filters),
        strides=strides,
        dilation=dilation,
        crops=tuple(crops(n, k, s, e, same=same) for n, k, s, e in zip(space, spans, strides, extras, strict=True)),
    )
    activation = config_activation(layer)
    run: list[Op] = [op] if activation is None else [op, activation]
    return add_spatial(layer, inputs[0], builder, *run)


def crops(n: int, span: int, stride: int, extra: int | None, *, same: bool) -> tuple[int, int]:
    """Return what Keras leaves out of the full transposed convolution along one axis, (before, after).

    Args:
        n: size of the input.
        span: input positions that the dilated kernel covers.
        stride: of the layer.
        extra: its output padding, if it has any.
        same: whether the padding is ``same``.

    """
    full = (n - 1) * stride + span
    if extra is None:
        out = n * stride if same else n * stride + max(span - stride, 0)
    else:
        out = full - (2 * (span // 2) if same else 0) + extra
    before = max(full - out, 0) // 2 if same else 0
    return before, full - out - before


_KINDS = (
    ("Conv{}D", (1, 2, 3), kernel_and_bias, _convolution, _convolution_in_time),
    ("Conv{}DTranspose", (1, 2, 3), kernel_and_bias, _transposed, None),
    ("DepthwiseConv{}D", (1, 2), _depthwise_roles, _depthwise, _other_in_time(_depthwise)),
    ("SeparableConv{}D", (1, 2), _separable_roles, _separable, _other_in_time(_separable)),
)
ALIKE = [
    importer("keras", name.format(rank), roles, temporal=stepwise if rank == 1 or name == "Conv{}D" else None)(function)
    for name, ranks, roles, function, stepwise in _KINDS
    for rank in ranks
]
"""Convolutions with any stride, padding, dilation and groups, in both layouts."""
