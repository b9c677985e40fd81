"""Operators on images: colours, contrast, crops and borders, normalisation over an image or over near channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.layout import add_spatial
from snnc.frontend.keras_layers.operands import argument, number, whole
from snnc.frontend.keras_layers.operators_window import with_layout
from snnc.ops.combine import Divide, Multiply
from snnc.ops.functions import LARGEST, Clip, Function, Power
from snnc.ops.reduce import Mean, Variance
from snnc.ops.resample import Slice

_COLOURS = {
    # what each output takes of each input: the constants of TensorFlow
    "grayscale": [[0.2989, 0.587, 0.114]],
    "rgb_to_yiq": [[0.299, 0.587, 0.114], [0.59590059, -0.27455667, -0.32134392], [0.2115, -0.52273617, 0.31119955]],
    "yiq_to_rgb": [[1, 0.95598634, 0.6208248], [1, -0.27201283, -0.64720424], [1, -1.10674021, 1.70423049]],
    "rgb_to_yuv": [
        [0.299, 0.587, 0.114],
        [-0.14714119, -0.28886916, 0.43601035],
        [0.61497538, -0.51496512, -0.10001026],
    ],
    "yuv_to_rgb": [[1, 0, 1.13988303], [1, -0.394642334, -0.58062185], [1, 2.03206185, 0]],
}


def _colours(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Weigh the colours anew."""
    matrix = next(matrix for name, matrix in _COLOURS.items() if name in layer.class_name.lower())
    weight = np.array(matrix, dtype=np.float32).T
    dense = ops.Dense(weight=weight, bias=layer.zeros(weight.shape[1]))
    return add_spatial(with_layout(layer), inputs[0], builder, dense)


def _from_mean(builder: Builder, source: str, over: tuple[int, ...]) -> tuple[str, str]:
    """Add the mean over axes, which stay, and what differs from it; return both."""
    mean = builder.add(Mean(axes=over, keepdims=True), source, step="mean")
    below = builder.add(ops.Affine(scale=number(-1), shift=number(0)), mean, step="negative")
    return mean, builder.add(ops.Add(), source, below, step="difference")


def _contrast(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Scale what differs from the mean of each channel."""
    rank = len(builder.type(inputs[0]).shape)
    mean, difference = _from_mean(builder, inputs[0], (rank - 3, rank - 2))
    factor = number(float(argument(layer, 1, "contrast_factor")))
    return builder.add(
        ops.Add(), builder.add(ops.Affine(scale=factor, shift=number(0)), difference, step="scaled"), mean
    )


def _brightness(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Add a number."""
    return builder.add(ops.Affine(scale=number(1), shift=number(float(argument(layer, 1, "delta")))), inputs[0])


def _gamma(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Raise to a power and scale."""
    power = builder.add(Power(exponent=float(argument(layer, 1, "gamma", 1))), inputs[0], step="power")
    return builder.add(ops.Affine(scale=number(float(argument(layer, 2, "gain", 1))), shift=number(0)), power)


def _standardised(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Subtract the mean of an image and divide by its deviation, which is no less than that of one unit pixel."""
    shape = builder.type(inputs[0]).shape
    over = tuple(range(len(shape) - 3, len(shape)))
    _, difference = _from_mean(builder, inputs[0], over)
    variance = builder.add(Variance(axes=over, keepdims=True), inputs[0], step="variance")
    least = builder.add(Clip(low=1 / math.prod(shape[-3:]), high=LARGEST), variance, step="least")
    return builder.add(Divide(), difference, builder.add(Function(name="sqrt"), least, step="deviation"))


def _near_channels(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Divide by a power of what near channels have together (AlexNet)."""
    radius = whole(layer, argument(layer, 1, "depth_radius", 5), "depth_radius")
    bias, alpha, beta = (
        float(argument(layer, k, name, default))
        for k, (name, default) in enumerate((("bias", 1.0), ("alpha", 1.0), ("beta", 0.5)), 2)
    )
    n = builder.type(inputs[0]).shape[-1]
    near = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= radius
    square = builder.add(Function(name="square"), inputs[0], step="square")
    together = ops.Dense(weight=alpha * near.astype(np.float32), bias=np.full(n, bias, dtype=np.float32))
    total = builder.add(together, square, step="together")
    return builder.add(Multiply(), inputs[0], builder.add(Power(exponent=-beta), total, step="power"))


def _transposed(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Exchange the axes of an image."""
    return builder.add(ops.Permute(order=(1, 0, 2)), inputs[0])


def _middle(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Take a share of each side around the middle."""
    share = float(argument(layer, 1, "central_fraction"))
    height, width, depth = builder.type(inputs[0]).shape
    first = tuple(int((n - n * share) / 2) for n in (height, width))
    size = (height - 2 * first[0], width - 2 * first[1], depth)
    return builder.add(Slice(start=(*first, 0), size=size, step=(1, 1, 1)), inputs[0])


def _converted(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Leave numbers as they are; whole numbers are scaled in the data."""
    if "float" not in str(argument(layer, 1, "dtype")):
        raise layer_error(layer, "it makes whole numbers of an image; do so in the data")
    return builder.add(ops.Identity(), inputs[0])


_NAMES = (
    (_colours, ("ops.RGBToGrayscale", *(f"tf.image.rgb_to_{name}" for name in ("grayscale", "yiq", "yuv")))),
    (_colours, ("tf.image.yiq_to_rgb", "tf.image.yuv_to_rgb")),
    (_contrast, ("tf.image.adjust_contrast",)),
    (_brightness, ("tf.image.adjust_brightness",)),
    (_gamma, ("tf.image.adjust_gamma",)),
    (_standardised, ("tf.image.per_image_standardization",)),
    (_near_channels, ("tf.nn.local_response_normalization", "tf.nn.lrn")),
    (_transposed, ("tf.image.transpose",)),
    (_middle, ("tf.image.central_crop",)),
    (_converted, ("tf.image.convert_image_dtype",)),
)
ALIKE = [importer("keras", name)(function) for function, names in _NAMES for name in names]
"""Operators of both Keras generations."""
