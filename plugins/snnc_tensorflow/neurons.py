"""Populations and filters: the rules of ``snnc``'s neuron and synapse models, in their order of operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from snnc.api import Lowering, LoweringError, NeuronModel, lowering, neurons, ops
from snnc_tensorflow import host, random
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.layers import pooled
from snnc_tensorflow.site import Function, Lowered, Site, StatefulFunction, Tensor, Tensors

Rule: TypeAlias = "Callable[[Any, Tensors, Tensor, float], tuple[Tensor, Tensors]]"
"""From the model, the state, the drive and the step in seconds to spikes (or Hz) and the new state."""


def _lif_response(model: Any, current: Tensor) -> Tensor:
    above = current - 1
    safe = tf.where(above > 0, above, tf.ones_like(above))
    return tf.where(above > 0, 1 / (model.tau_ref + model.tau_rc * tf.math.log1p(1 / safe)), tf.zeros_like(current))


RESPONSES: dict[type[NeuronModel], Callable[[Any, Tensor], Tensor]] = {
    neurons.ReluRate: lambda model, j: tf.maximum(j, 0.0),
    neurons.SigmoidRate: lambda model, j: model.max_rate / (1 + tf.exp(-j)),
    neurons.TanhRate: lambda model, j: model.max_rate * tf.tanh(j),
    neurons.LifRate: _lif_response,
    neurons.AdaptiveLifRate: _lif_response,
}
"""The rate in Hz for a current, of each model that gives rates."""


def _whole_part(model: Any, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    voltage = state["voltage"] + drive
    spikes = tf.floor(voltage)
    return spikes, {"voltage": voltage - spikes}


def _soft_reset(model: neurons.SoftResetIf, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    voltage = state["voltage"] + drive
    if model.gamma == 1:
        spikes = tf.cast(voltage >= 1, tf.float32)
    else:
        spikes = tf.clip_by_value(tf.floor(voltage), 0.0, float(model.gamma))
    return spikes, {"voltage": voltage - spikes}


def _lif(model: neurons.Lif, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    refractory = state["refractory_time"] - np.float32(dt)
    active = tf.clip_by_value(dt - refractory, 0.0, dt)  # the part of the step that is not refractory
    voltage = state["voltage"] - (drive - state["voltage"]) * tf.math.expm1(-active / model.tau_rc)
    fired = voltage > 1
    # the exact time of the crossing inside the step shortens the refractory period that follows
    crossing = tf.where(fired, (voltage - 1) / (drive - 1), tf.zeros_like(voltage))
    late = dt + model.tau_rc * tf.math.log1p(-crossing)
    return tf.cast(fired, tf.float32), {
        "refractory_time": tf.where(fired, model.tau_ref + late, refractory),
        "voltage": tf.where(fired, tf.zeros_like(voltage), tf.maximum(voltage, 0.0)),
    }


def _adapted(model: Any, state: Tensors, rate: Tensor, dt: float) -> Tensor:
    before = state["adaptation"]
    return before + (dt / model.tau_n) * (model.inc_n * rate - before)


def _adaptive_lif(model: neurons.AdaptiveLif, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    spikes, new = _lif(model, state, drive - state["adaptation"], dt)
    return spikes, {**new, "adaptation": _adapted(model, state, spikes * np.float32(1 / dt), dt)}


def _adaptive_rate(model: neurons.AdaptiveLifRate, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    rate = _lif_response(model, drive - state["adaptation"])
    return rate, {"adaptation": _adapted(model, state, rate, dt)}


def _izhikevich(model: neurons.Izhikevich, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    v, w = state["voltage"], state["recovery"]
    v = v + (0.04 * tf.square(v) + 5 * v + 140 - w + drive) * 1000 * dt
    fired = v >= neurons.Izhikevich.peak
    v = tf.where(fired, model.reset_voltage, v)
    w = w + model.tau_recovery * (model.coupling * v - w) * 1000 * dt
    return tf.cast(fired, tf.float32), {"voltage": v, "recovery": tf.where(fired, w + model.reset_recovery, w)}


RULES: dict[type[NeuronModel], Rule] = {
    neurons.SpikingRelu: _whole_part,
    neurons.SoftResetIf: _soft_reset,
    neurons.Regular: _whole_part,
    neurons.Stochastic: random.stochastic,
    neurons.Poisson: random.poisson,
    neurons.Lif: _lif,
    neurons.AdaptiveLif: _adaptive_lif,
    neurons.AdaptiveLifRate: _adaptive_rate,
    neurons.Izhikevich: _izhikevich,
}
"""What each model with a state does in a step."""


def _model_drive(model: NeuronModel, current: Tensor, dt: float) -> Tensor:
    """Return what of a step depends on the current alone, as ``NeuronModel.drive`` does."""
    if isinstance(model, neurons.SpikingRelu):
        return tf.maximum(current, 0.0) * np.float32(dt)
    if isinstance(model, neurons.SoftResetIf):
        return current * np.float32(dt)
    if isinstance(model, neurons.RatesToSpikes):
        return RESPONSES[type(model.rates)](model.rates, current) * np.float32(dt)
    return tf.maximum(current, neurons.Izhikevich.least) if isinstance(model, neurons.Izhikevich) else current


@lowering("tensorflow", neurons.Neurons)
def population(op: neurons.Neurons, site: Site) -> Lowered:
    """Lower a population: its rule from step to step, or its rate curve where nothing changes over time."""
    model = op.model
    if not op.stateful:
        return _rates(op, site)
    if type(model) not in RULES:
        return host.population(op, site)
    scale = np.asarray(op.scale, dtype=np.float64)
    gain = _factor(model.gain / scale, site)
    height = _factor(scale / site.dt if model.spiking else scale, site)
    rule = RULES[type(model)]

    def drive(x: Tensor) -> Tensor:
        current = gain(x)
        if model.offset:
            current = current + np.float32(model.offset)
        return _model_drive(model, current, site.dt)

    def step(state: Tensors, drive: Tensor) -> tuple[Tensor, Tensors]:
        y, new = rule(model, state, drive, site.dt)
        return height(y), new

    start, shared = random.start(site.start, each=isinstance(model, neurons.Poisson))
    drawing = isinstance(model, (neurons.Stochastic, neurons.Poisson))
    return StatefulFunction(start, step, drive, shared, fuse=not drawing, host=isinstance(model, neurons.Poisson))


def _factor(values: Any, site: Site) -> Callable[[Tensor], Tensor]:
    """Return the function that multiplies by numbers known now; by 1 it does nothing."""
    factor = np.asarray(values, dtype=np.float32)
    if factor.ndim == 0:
        return (lambda x: x) if factor == 1 else (lambda x: x * factor)
    weight = site.weight(factor)
    return lambda x: x * weight


def _rates(op: neurons.Neurons, site: Site) -> Function:
    """Return ``scale * rate(x / scale)``, as ``Neurons.evaluate`` computes it."""
    model = op.model
    if type(model) not in RESPONSES:
        return host.function(op, site)
    scale = np.asarray(op.scale, dtype=np.float32)
    divisor = scale if scale.ndim == 0 else site.weight(scale)
    response = RESPONSES[type(model)]

    def call(x: Tensor) -> Tensor:
        u = x / divisor
        if isinstance(model, neurons.LifRate):  # near the threshold the curve is too steep for float32
            current = model.gain * tf.cast(u, tf.float64) + model.offset
            return divisor * tf.cast(response(model, current), tf.float32)
        return divisor * response(model, u * np.float32(model.gain))

    return Function(call, fuse=True)


@lowering("tensorflow", neurons.Synapse)
def synapse(op: neurons.Synapse, site: Site) -> StatefulFunction:
    """Lower a filter over time."""
    model = op.model
    ratio = site.dt / model.tau
    keep, come = np.float32(math.exp(-ratio)), np.float32(-math.expm1(-ratio))
    if isinstance(model, neurons.Lowpass):

        def lowpass(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
            return state["y"], {"y": state["y"] * keep + x * come}

        return StatefulFunction({"y": site.start["y"]}, lowpass)
    if not isinstance(model, neurons.Alpha):
        raise LoweringError(f"node {site.node.name!r}: TensorFlow has no synapse {model.kind!r}; use lowpass or alpha")
    slope = np.float32(ratio * math.exp(-ratio))
    rest = np.float32(1 - math.exp(-ratio) - ratio * math.exp(-ratio))

    def alpha(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        first, second = state["first"], state["second"]
        return second, {"second": keep * second + slope * first + rest * x, "first": keep * first + come * x}

    return StatefulFunction(site.start, alpha)


@lowering("tensorflow", ops.SpikingMaxPool)
def spiking_max_pool(op: ops.SpikingMaxPool, site: Site) -> StatefulFunction:
    """Lower max pooling that follows the sums of its inputs."""
    space = site.inputs[0].shape[:-1]

    def step(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        before, largest_before = state["sums"], state["largest"]
        if op.decay != 1:
            before, largest_before = before * np.float32(op.decay), largest_before * np.float32(op.decay)
        sums = before + x
        largest = pooled(sums, op, space, maximum=True)
        return largest - largest_before, {"sums": sums, "largest": largest}

    return StatefulFunction(site.start, step)


LOWERINGS: list[Lowering] = [population, synapse, spiking_max_pool]
