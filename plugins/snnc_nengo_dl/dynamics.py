"""What Nengo's neuron types do in a step, in TensorFlow: the same arithmetic in the same order as their own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import nengo
import tensorflow as tf
from snnc_nengo.neuron_types import Izhikevich, SoftResetIF

Tensor = Any
Step = Callable[..., tuple[Tensor, ...]]
"""Takes the current ``(batch, n)``, dt and the states; gives the number of spikes, or the rate, and the new states."""


@dataclass(frozen=True)
class Dynamics:
    """The rule of one neuron type."""

    step: Step
    states: tuple[str, ...] = ()
    """The names of the states, in the order in which ``step`` takes and gives them."""
    spiking: bool = True
    """Whether ``step`` gives spikes, which are worth ``amplitude / dt`` each, or rates."""
    rate: Callable[[Tensor], Tensor] | None = None
    """The rate for a current, which gradients pass; None for types that cannot be trained."""
    random: bool = False
    """Whether ``step`` takes random numbers from 0 to 1, ``(n,)``, after dt."""


def dynamics(neurons: Any) -> Dynamics | None:
    """Return the rule of a neuron type, or None for one that only has a rule in numpy."""
    make = TYPES.get(type(neurons))
    return None if make is None else make(neurons)


def _relu(neurons: Any) -> Dynamics:
    return Dynamics(lambda J, dt: (tf.nn.relu(J),), spiking=False, rate=tf.nn.relu)


def _sigmoid(neurons: Any) -> Dynamics:
    def rate(J: Tensor) -> Tensor:
        return tf.nn.sigmoid(J) / neurons.tau_ref

    return Dynamics(lambda J, dt: (rate(J),), spiking=False, rate=rate)


def _tanh(neurons: Any) -> Dynamics:
    def rate(J: Tensor) -> Tensor:
        return tf.nn.tanh(J) / neurons.tau_ref

    return Dynamics(lambda J, dt: (rate(J),), spiking=False, rate=rate)


def _lif_rate(neurons: Any) -> Dynamics:
    rate = lif_curve(neurons)
    return Dynamics(lambda J, dt: (rate(J),), spiking=False, rate=rate)


def _spiking_relu(neurons: Any) -> Dynamics:
    def step(J: Tensor, dt: float, voltage: Tensor) -> tuple[Tensor, ...]:
        voltage += tf.nn.relu(J) * dt
        spikes = tf.floor(voltage)
        return spikes, voltage - spikes

    return Dynamics(step, ("voltage",), rate=tf.nn.relu)


def _soft_reset(neurons: Any) -> Dynamics:
    def step(J: Tensor, dt: float, voltage: Tensor) -> tuple[Tensor, ...]:
        voltage += J * dt
        spikes = tf.clip_by_value(tf.floor(voltage), 0.0, float(neurons.gamma))
        return spikes, voltage - spikes

    return Dynamics(step, ("voltage",), rate=tf.nn.relu)


def _lif(neurons: Any) -> Dynamics:
    return Dynamics(lif_step(neurons), ("voltage", "refractory_time"), rate=lif_curve(neurons))


def _adaptive_lif(neurons: Any) -> Dynamics:
    lif = lif_step(neurons)

    def step(J: Tensor, dt: float, voltage: Tensor, rest: Tensor, adaptation: Tensor) -> tuple[Tensor, ...]:
        spikes, voltage, rest = lif(J - adaptation, dt, voltage, rest)
        grown = (dt / neurons.tau_n) * (neurons.inc_n * (spikes * (neurons.amplitude / dt)) - adaptation)
        return spikes, voltage, rest, adaptation + grown

    return Dynamics(step, ("voltage", "refractory_time", "adaptation"))


def _adaptive_lif_rate(neurons: Any) -> Dynamics:
    curve = lif_curve(neurons)

    def step(J: Tensor, dt: float, adaptation: Tensor) -> tuple[Tensor, ...]:
        rate = curve(J - adaptation)
        return rate, adaptation + (dt / neurons.tau_n) * (neurons.inc_n * (neurons.amplitude * rate) - adaptation)

    return Dynamics(step, ("adaptation",), spiking=False)


def _izhikevich(neurons: Any) -> Dynamics:
    def step(J: Tensor, dt: float, voltage: Tensor, recovery: Tensor) -> tuple[Tensor, ...]:
        J = tf.maximum(-30.0, J)  # where Nengo clips, for stability
        voltage += (0.04 * voltage**2 + 5 * voltage + 140 - recovery + J) * dt * 1000
        fired = voltage >= 30
        voltage = tf.where(fired, float(neurons.reset_voltage), voltage)
        recovery += (neurons.tau_recovery * (neurons.coupling * voltage - recovery)) * dt * 1000
        recovery = tf.where(fired, recovery + neurons.reset_recovery, recovery)
        return tf.cast(fired, J.dtype), voltage, recovery

    return Dynamics(step, ("voltage", "recovery"))


def _regular(neurons: Any) -> Dynamics:
    def step(rate: Tensor, dt: float, voltage: Tensor) -> tuple[Tensor, ...]:
        voltage += rate * dt
        spikes = tf.floor(voltage)
        return spikes, voltage - spikes

    return Dynamics(step, ("voltage",), rate=tf.identity)


def _stochastic(neurons: Any) -> Dynamics:
    def step(rate: Tensor, dt: float, uniform: Tensor) -> tuple[Tensor, ...]:
        wanted = tf.abs(rate) * dt
        whole = tf.floor(wanted)
        spikes = whole + tf.cast(uniform < wanted - whole, rate.dtype)
        return (spikes * tf.sign(rate),)

    return Dynamics(step, rate=tf.identity, random=True)


COUNTS = 64
"""The most spikes that a Poisson neuron fires in a step."""


def _poisson(neurons: Any) -> Dynamics:
    def step(rate: Tensor, dt: float, uniform: Tensor) -> tuple[Tensor, ...]:
        # the inverse of the distribution function, so that every sample of a batch uses the same random number
        mean = tf.abs(rate) * dt
        chance = tf.exp(-mean)
        below, spikes = chance, tf.zeros_like(mean)
        for k in range(1, COUNTS + 1):
            spikes += tf.cast(uniform > below, rate.dtype)
            chance *= mean / k
            below += chance
        return (spikes * tf.sign(rate),)

    return Dynamics(step, rate=tf.identity, random=True)


def lif_curve(neurons: Any) -> Callable[[Tensor], Tensor]:
    """Return the rate of a leaky integrate-and-fire neuron: 1 / (tau_ref + tau_rc log(1 + 1 / (J - 1))) above J = 1."""

    def curve(J: Tensor) -> Tensor:
        above = J - 1
        safe = tf.where(above > 0, above, tf.ones_like(above))  # else gradients would be nan below the threshold
        rate = 1 / (neurons.tau_ref + neurons.tau_rc * tf.math.log1p(1 / safe))
        return tf.where(above > 0, rate, tf.zeros_like(above))

    return curve


def lif_step(neurons: Any) -> Step:
    """Return the step of a leaky integrate-and-fire neuron with a refractory time."""
    tau_rc, tau_ref = neurons.tau_rc, neurons.tau_ref

    def step(J: Tensor, dt: float, voltage: Tensor, rest: Tensor) -> tuple[Tensor, ...]:
        rest -= dt
        active = tf.clip_by_value(dt - rest, 0.0, dt)
        voltage -= (J - voltage) * tf.math.expm1(-active / tau_rc)
        fired = voltage > 1
        # the exact time of the crossing inside the step shortens the refractory time that follows
        over = tf.where(fired, (voltage - 1) / (J - 1), tf.zeros_like(J))
        late = tau_ref + (dt + tau_rc * tf.math.log1p(-over))
        voltage = tf.where(fired, tf.zeros_like(J), tf.maximum(voltage, float(neurons.min_voltage)))
        return tf.cast(fired, J.dtype), voltage, tf.where(fired, late, rest)

    return step


TYPES: Mapping[type, Callable[[Any], Dynamics]] = MappingProxyType(
    {
        nengo.RectifiedLinear: _relu,
        nengo.Sigmoid: _sigmoid,
        nengo.Tanh: _tanh,
        nengo.LIFRate: _lif_rate,
        nengo.AdaptiveLIFRate: _adaptive_lif_rate,
        nengo.SpikingRectifiedLinear: _spiking_relu,
        SoftResetIF: _soft_reset,
        nengo.LIF: _lif,
        nengo.AdaptiveLIF: _adaptive_lif,
        Izhikevich: _izhikevich,
        nengo.RegularSpiking: _regular,
        nengo.StochasticSpiking: _stochastic,
        nengo.PoissonSpiking: _poisson,
    }
)
