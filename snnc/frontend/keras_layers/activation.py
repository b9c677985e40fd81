"""Activations: by name inside other layers, and as layers of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snnc import ops
from snnc.errors import unknown
from snnc.frontend.base import Builder, Layer, importer, layer_error, stream_error
from snnc.frontend.keras_layers.layout import axis_without_batch, over_joined_axes
from snnc.ir.op import Op
from snnc.ops.activations import Activation

Make = Callable[[Layer], Activation | None]


def _plain(cls: type[Activation]) -> Make:
    return lambda layer: cls()


PLAIN: Mapping[str, type[Activation]] = {
    "celu": ops.Celu,
    "elu": ops.Elu,
    "hard_silu": ops.HardSwish,
    "hard_swish": ops.HardSwish,
    "selu": ops.Selu,
    "sigmoid": ops.Sigmoid,
    "silu": ops.Swish,
    "softplus": ops.Softplus,
    "softsign": ops.Softsign,
    "squareplus": ops.Squareplus,
    "swish": ops.Swish,
    "tanh": ops.Tanh,
}
"""By the name in a config; ``keras.ops`` has an operator of that name for each, whose arguments are the op's fields."""

BY_NAME: Mapping[str, Make] = {
    **{name: _plain(cls) for name, cls in PLAIN.items()},
    "linear": lambda layer: None,
    "relu": lambda layer: ops.Relu(),
    "relu6": lambda layer: ops.Relu(max_value=6.0),
    "leaky_relu": lambda layer: ops.Relu(negative_slope=0.2),
    "gelu": lambda layer: ops.Gelu(),
    "hard_sigmoid": lambda layer: ops.HardSigmoid(slope=0.2 if layer.keras < (3,) else 1 / 6),
    "exponential": lambda layer: ops.Exponential(),
    "softmax": lambda layer: ops.Softmax(),
    "softmax_v2": lambda layer: ops.Softmax(),
    "log_softmax": lambda layer: ops.LogSoftmax(),
    "mish": lambda layer: ops.Mish(),
    "glu": lambda layer: ops.Glu(),
    "hard_shrink": lambda layer: ops.Shrink(),
    "hard_tanh": lambda layer: ops.Clip(low=-1.0, high=1.0),
    "log_sigmoid": lambda layer: ops.Function(name="log_sigmoid"),
    "soft_shrink": lambda layer: ops.Shrink(soft=True),
    "sparse_plus": lambda layer: ops.Function(name="sparse_plus"),
    "sparse_sigmoid": lambda layer: ops.HardSigmoid(slope=0.5),
    "sparsemax": lambda layer: ops.Sparsemax(),
    "tanh_shrink": lambda layer: ops.Function(name="tanh_shrink"),
}
"""By the name that a config has; hard_sigmoid changed its meaning with Keras 3."""


def named(layer: Layer, value: Any) -> Activation | None:
    """Return the activation that a config names, None for linear.

    Args:
        layer: whose config it is.
        value: a name, None, the config of a function or of an activation layer, or the activation itself.

    Raises:
        FrontendError: it is unknown, or Python code.

    """
    if isinstance(value, Activation):  # the user said so, no file can
        return value
    if isinstance(value, Mapping):
        inner = value.get("config")
        if value.get("class_name") in AS_LAYER and isinstance(inner, Mapping):
            return AS_LAYER[value["class_name"]](inner, layer)
        if value.get("class_name") == "Activation" and isinstance(inner, Mapping):
            return named(layer, inner.get("activation"))
        value = value.get("registered_name") or value.get("class_name") if isinstance(inner, Mapping) else inner
    if value is None:
        return None
    if not isinstance(value, str) or value not in BY_NAME:
        raise layer_error(
            layer,
            f"{unknown('activation', value, BY_NAME)}; say what it does with --replace '{layer.name}=relu' "
            "(replace=...), or write it as a layer with an importer plugin",
        )
    return BY_NAME[value](layer)


def config_activation(layer: Layer) -> Activation | None:
    """Return the activation in a layer's config, None for linear."""
    return named(layer, layer.config.get("activation"))


def _relu(config: Mapping[str, Any], layer: Layer) -> Activation:
    limit = config.get("max_value")
    return ops.Relu(
        negative_slope=number(layer, config.get("negative_slope", 0.0)),
        threshold=number(layer, config.get("threshold", 0.0)),
        max_value=None if limit is None else number(layer, limit),
    )


def _leaky(config: Mapping[str, Any], layer: Layer) -> Activation:
    slope = config["negative_slope"] if "negative_slope" in config else config.get("alpha", 0.3)
    return ops.Relu(negative_slope=number(layer, slope))


def _thresholded(config: Mapping[str, Any], layer: Layer) -> Activation:
    """Keep x where x > theta. Relu keeps x >= threshold, which the next number above theta makes the same."""
    theta = np.float32(number(layer, config.get("theta", 1.0)))
    return ops.Relu(threshold=float(np.nextafter(theta, np.float32(np.inf))))


def _softmax(config: Mapping[str, Any], layer: Layer) -> Activation:
    axis = config.get("axis", -1)
    if isinstance(axis, Sequence) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int) or axis == 0:
        raise layer_error(layer, f"a softmax over axis {axis!r} cannot be imported; flatten those axes first")
    return ops.Softmax(axis=softmax_axis(layer, axis))


def softmax_axis(layer: Layer, axis: int) -> int:
    """Return the axis of a softmax, positive or negative as Keras writes it, without the batch and without time."""
    if layer.temporal and axis == 1:
        raise stream_error(layer, "its softmax goes over time")
    return axis - 1 - layer.temporal if axis > 0 else axis


AS_LAYER: Mapping[str, Callable[[Mapping[str, Any], Layer], Activation]] = {
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ThresholdedReLU": _thresholded,
    "ELU": lambda config, layer: ops.Elu(alpha=number(layer, config.get("alpha", 1.0))),
    "Softmax": _softmax,
}
"""Activation layers without weights, which may also stand as the activation of another layer."""


def number(layer: Layer, value: Any) -> float:
    """Return a number of a config; some versions write it as a list of one."""
    while isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise layer_error(layer, f"{value!r} stands in its config where a number should be")
    return float(value)


@importer("keras", "snnc>Op")
def named_op(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply the op that the user put in place of the layer."""
    op = layer.config.get("op")
    if not isinstance(op, Op):
        raise layer_error(layer, "a file cannot hold an op")
    return builder.add(op, *inputs)


@importer("keras", "Activation", masking=True, slicewise=True, limits="functions of your own")
def activation(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply any activation by name."""
    return builder.add(config_activation(layer) or ops.Identity(), *inputs)


def _activation_layer(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply an activation with its parameters."""
    axis = layer.config.get("axis")
    if layer.class_name == "Softmax" and isinstance(axis, Sequence) and len(axis) > 1:
        rank = len(builder.type(inputs[0]).shape)
        over = tuple(sorted(axis_without_batch(layer, k, rank) for k in axis))
        return over_joined_axes(builder, inputs[0], over, ops.Softmax())
    return builder.add(AS_LAYER[layer.class_name](layer.config, layer), *inputs)


ALIKE = [importer("keras", name, masking=True, slicewise=True)(_activation_layer) for name in AS_LAYER]
"""The layers that need no importer of their own."""


@importer("keras", "PReLU", ("alpha",), masking=True, slicewise=True)
def prelu(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply ReLU with a learned slope for negative values, shared along any axes."""
    shape, shared = list(builder.type(inputs[0]).shape), list(layer.config.get("shared_axes") or ())
    if layer.temporal:
        if 1 not in shared:
            raise stream_error(layer, "it has a slope of its own for each step (shared_axes lacks 1)")
        shared.remove(1)
    for axis in shared:
        shape[axis_without_batch(layer, axis, len(shape))] = 1
    alpha = layer.weight("alpha", ((1, *shape) if layer.temporal else tuple(shape)))
    return builder.add(ops.PRelu(alpha=layer.once("alpha", lambda: alpha.reshape(shape))), *inputs)
