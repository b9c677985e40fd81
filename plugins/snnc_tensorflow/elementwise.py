"""Activations and other functions of single elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snnc.api import Lowering, Op, lowering, ops
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Site, Tensor


def _relu(op: ops.Relu, x: Tensor) -> Tensor:
    if op.negative_slope == 0 and op.threshold == 0:
        y = tf.maximum(x, 0.0)
        return y if op.max_value is None else tf.minimum(y, op.max_value)
    high = x if op.max_value is None else tf.minimum(x, op.max_value)
    return tf.where(x >= op.threshold, high, op.negative_slope * (x - op.threshold))


def _gelu(op: ops.Gelu, x: Tensor) -> Tensor:
    if op.approximate:
        return 0.5 * x * (1 + tf.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + tf.math.erf(x / math.sqrt(2)))


def _elu(x: Tensor, alpha: float) -> Tensor:
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0.0)))


def _with_batch(axis: int) -> int:
    return axis + 1 if axis >= 0 else axis


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": lambda x: tf.abs(x),
    "ceil": lambda x: tf.math.ceil(x),
    "cos": lambda x: tf.cos(x),
    "expm1": lambda x: tf.math.expm1(x),
    "floor": lambda x: tf.floor(x),
    "log": lambda x: tf.math.log(x),
    "log1p": lambda x: tf.math.log1p(x),
    "reciprocal": lambda x: 1 / x,
    "round": lambda x: tf.round(x),
    "rsqrt": lambda x: 1 / tf.sqrt(x),
    "sign": lambda x: tf.sign(x),
    "sin": lambda x: tf.sin(x),
    "sqrt": lambda x: tf.sqrt(x),
    "square": lambda x: tf.square(x),
}

ACTIVATIONS: dict[type[Op], Callable[[Any, Tensor], Tensor]] = {
    ops.Relu: _relu,
    ops.Elu: lambda op, x: _elu(x, op.alpha),
    ops.Selu: lambda op, x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    ops.Gelu: _gelu,
    ops.Swish: lambda op, x: x * tf.sigmoid(x),
    ops.Sigmoid: lambda op, x: tf.sigmoid(x),
    ops.HardSigmoid: lambda op, x: tf.clip_by_value(op.slope * x + 0.5, 0.0, 1.0),
    ops.HardSwish: lambda op, x: x * tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0),
    ops.Tanh: lambda op, x: tf.tanh(x),
    ops.Softplus: lambda op, x: tf.math.softplus(x),
    ops.Softsign: lambda op, x: x / (1 + tf.abs(x)),
    ops.Exponential: lambda op, x: tf.exp(x),
    ops.Function: lambda op, x: FUNCTIONS[op.name](x),
    ops.Power: lambda op, x: tf.pow(x, op.exponent),
    ops.Clip: lambda op, x: tf.clip_by_value(x, op.low, op.high),
    ops.Mish: lambda op, x: x * tf.tanh(tf.math.softplus(x)),
    ops.NotEqual: lambda op, x: tf.cast(tf.not_equal(x, np.float32(op.value)), tf.float32),
    ops.Identity: lambda op, x: x,
    ops.LastStep: lambda op, x: x,
}
"""Ops of one input in which each element depends on one element alone."""

JOINS: dict[type[Op], Callable[[Tensor, Tensor], Tensor]] = {
    ops.Add: lambda a, b: a + b,
    ops.Multiply: lambda a, b: a * b,
    ops.Maximum: lambda a, b: tf.maximum(a, b),
    ops.Minimum: lambda a, b: tf.minimum(a, b),
    ops.Divide: lambda a, b: a / b,
}
"""Ops that join all their inputs element by element, two at a time."""


def _activation(op: Any, site: Site) -> Function:
    rule = ACTIVATIONS[type(op)]
    return Function(lambda x: rule(op, x), fuse=True)


def _join(op: Any, site: Site) -> Function:
    rule = JOINS[type(op)]
    rank = max(len(t.shape) for t in site.inputs)

    def call(*inputs: Tensor) -> Tensor:
        # the shorter get axes of one behind their batch axis, as in Keras
        wide = [
            x if len(t.shape) == rank else tf.reshape(x, (-1, *(1,) * (rank - len(t.shape)), *t.shape))
            for x, t in zip(inputs, site.inputs, strict=True)
        ]
        y = wide[0]
        for x in wide[1:]:
            y = rule(y, x)
        return y

    return Function(call, fuse=True)


@lowering("tensorflow", ops.PRelu)
def prelu(op: ops.PRelu, site: Site) -> Function:
    """Lower a rectifier with learnt slopes."""
    alpha = site.weight(op.alpha)
    return Function(lambda x: tf.where(x > 0, x, alpha * x), fuse=True)


@lowering("tensorflow", ops.Affine)
def affine(op: ops.Affine, site: Site) -> Function:
    """Lower a scale and a shift; those that do nothing are left out."""
    scale = None if (op.scale == 1).all() else site.weight(op.scale)
    shift = None if (op.shift == 0).all() else site.weight(op.shift)

    def call(x: Tensor) -> Tensor:
        y = x if scale is None else x * scale
        return y if shift is None else y + shift

    return Function(call, fuse=True)


@lowering("tensorflow", ops.BatchNorm)
def batch_norm(op: ops.BatchNorm, site: Site) -> Function:
    """Lower a normalisation with fixed moments."""
    scale, shift = (site.weight(array) for array in op.affine())
    return Function(lambda x: x * scale + shift, fuse=True)


@lowering("tensorflow", ops.SpikingActivation)
def pulsed(op: ops.SpikingActivation, site: Site) -> Function:
    """Lower an activation that is not swapped for the spiking neurons it stands for."""
    return Function(site.inner(op.activation, *site.inputs), fuse=True)


@lowering("tensorflow", ops.Softmax)
def softmax(op: ops.Softmax, site: Site) -> Function:
    """Lower a softmax over any axis."""
    return Function(lambda x: tf.nn.softmax(x, axis=_with_batch(op.axis)))


@lowering("tensorflow", ops.LogSoftmax)
def log_softmax(op: ops.LogSoftmax, site: Site) -> Function:
    """Lower the logarithm of a softmax over any axis."""
    return Function(lambda x: tf.nn.log_softmax(x, axis=_with_batch(op.axis)))


@lowering("tensorflow", ops.ReadOutActivation)
def answer(op: ops.ReadOutActivation, site: Site) -> Function:
    """Lower what is done to the read-out; programs get graphs without it, exports apply it to the mean."""
    return Function(site.inner(op.activation, *site.inputs))


LOWERINGS: list[Lowering] = [
    *(Lowering("tensorflow", cls, _activation) for cls in ACTIVATIONS),
    *(Lowering("tensorflow", cls, _join) for cls in JOINS),
    prelu,
    affine,
    batch_norm,
    pulsed,
    softmax,
    log_softmax,
    answer,
]
