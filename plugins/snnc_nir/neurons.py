"""Neurons as NIR specifies them: in units of the file, where what arrives in a step is the current and a spike is 1."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from snnc.api import Activation, AnyArray, Array, Namespace, NeuronModel, Shape, State, UsageError, neurons, op

Parameter = float | Array
"""One number, one a channel, or one a neuron, channels last."""


class Specified(NeuronModel):
    """What these neurons share: parameters that are numbers, or arrays that go along in the state."""

    trainable: ClassVar[bool] = False
    scale_invariant = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.attrs().items():
            if name.startswith("tau") or name == "dt":
                if not (np.asarray(value) > 0).all() or not np.isfinite(value).all():
                    raise UsageError(f"neurons {self.kind!r}: {name} must be positive and finite")

    def can_replace(self, activation: Activation) -> bool:
        return False

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        held = {name: _filled(value, shape) for name, value in self.attrs().items() if isinstance(value, np.ndarray)}
        return {**held, **{name: np.zeros(shape, dtype=np.float32) for name in self.remembered}}

    remembered: ClassVar[tuple[str, ...]] = ("voltage",)

    def given(self, state: State) -> Any:
        """Return a function from the name of a parameter to its value in a step."""
        return lambda name: state.get(name, getattr(self, name))

    def settled(self, current: Any) -> Any:
        """Return a function from the name of a parameter to its value for a current of any leading axes."""
        shape = current.shape[1:] or current.shape
        return lambda name: _filled(value, shape) if np.ndim(value := getattr(self, name)) else value


def _filled(value: Parameter, shape: Shape) -> Array:
    return np.resize(np.asarray(value, dtype=np.float32), shape)


def _left(xp: Namespace, seconds: float, tau: Any) -> tuple[Any, Any]:
    """Return which share of a state that decays with tau is left after a time, and which is not."""
    if isinstance(tau, float):
        return math.exp(-seconds / tau), -math.expm1(-seconds / tau)
    return xp.exp(-seconds / tau), -xp.expm1(-seconds / tau)


@op
class Resetting(Specified):
    """A neuron that fires above its threshold, once a step, and is then set to ``v_reset``, or loses the threshold."""

    spiking: ClassVar[bool] = True
    dt: float = 0.001
    """Seconds of a step of the file: the scale of a population whose spikes are 1."""
    r: Parameter = 1.0
    v_threshold: Parameter = 1.0
    v_reset: Parameter | None = 0.0
    """None where the threshold is subtracted, as nir up to 1.0.4 specified it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low = 0.0 if self.v_reset is None else self.v_reset
        if not (np.asarray(self.v_threshold) > np.asarray(low)).all():
            raise UsageError(
                f"neurons {self.kind!r}: v_threshold must be above v_reset, or above 0, else they fire for ever"
            )

    @property
    def unit_scale(self) -> float:
        return self.dt

    @property
    def gain(self) -> float:
        return self.dt  # so that a population of the scale dt takes what arrives as it is

    def fire(self, xp: Namespace, voltage: Any, get: Any) -> tuple[Any, Any]:
        """Return the spikes of a step, and the voltage after it."""
        fired = voltage > get("v_threshold")
        spikes = xp.astype(fired, voltage.dtype)
        if self.v_reset is None:
            return spikes, voltage - spikes * get("v_threshold")
        return spikes, xp.where(fired, xp.zeros_like(voltage) + get("v_reset"), voltage)

    def a_spike_in(self, xp: Namespace, steps: Any, above: Any) -> Any:
        """Return the rate in Hz of a spike after more than so many steps, where ``above`` says that there is any."""
        whole = xp.maximum(steps, 1) if self.v_reset is None else xp.floor(steps) + 1
        return xp.where(above, 1 / (whole * self.dt), xp.zeros_like(steps))


@op
class NirIf(Resetting):
    """v += r I; a spike at v > v_threshold, then v = v_reset (NIR's IF, which readers step without dt)."""

    kind: ClassVar[str] = "nir-if"

    def response(self, xp: Namespace, current: Any) -> Any:
        get = self.settled(current)
        charge = get("r") * current
        way = get("v_threshold") - (0.0 if self.v_reset is None else get("v_reset"))
        above = charge > 0
        steps = way / xp.where(above, charge, xp.ones_like(charge))
        return self.a_spike_in(xp, steps, above)

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        get = self.given(state)
        charge = get("r") * drive
        voltage = state["voltage"] + (charge if dt == self.dt else charge * (dt / self.dt))
        spikes, voltage = self.fire(xp, voltage, get)
        return spikes, {**state, "voltage": voltage}


@op
class NirLif(Resetting):
    """tau dv/dt = v_leak - v + r I; a spike at v > v_threshold, then v = v_reset (NIR's LIF, solved for a held I)."""

    kind: ClassVar[str] = "nir-lif"
    tau: Parameter = 0.02
    v_leak: Parameter = 0.0

    def response(self, xp: Namespace, current: Any) -> Any:
        get = self.settled(current)
        target = get("v_leak") + get("r") * current
        above = target > get("v_threshold")
        low = 0.0 if self.v_reset is None else get("v_reset")
        beyond = xp.where(above, target - get("v_threshold"), xp.ones_like(target))
        way = xp.where(above, (target - low) / beyond, xp.ones_like(target))
        return self.a_spike_in(xp, xp.log(way) * (get("tau") / self.dt), above)

    def charged(self, xp: Namespace, current: Any, state: State, dt: float) -> Any:
        """Return the voltage after a step with a current that is held meanwhile."""
        get = self.given(state)
        _, gone = _left(xp, dt, get("tau"))
        return state["voltage"] + (get("v_leak") + get("r") * current - state["voltage"]) * gone

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        spikes, voltage = self.fire(xp, self.charged(xp, drive, state, dt), self.given(state))
        return spikes, {**state, "voltage": voltage}


@op
class NirCubaLif(NirLif):
    """tau_syn di/dt = w_in I - i, and i is what drives the membrane (NIR's CubaLIF)."""

    kind: ClassVar[str] = "nir-cuba-lif"
    remembered: ClassVar[tuple[str, ...]] = ("voltage", "current")
    tau_syn: Parameter = 0.005
    w_in: Parameter = 1.0

    def response(self, xp: Namespace, current: Any) -> Any:
        return super().response(xp, self.settled(current)("w_in") * current)

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        current = _filtered(xp, drive, state, dt, self.given(state))
        spikes, voltage = self.fire(xp, self.charged(xp, current, state, dt), self.given(state))
        return spikes, {**state, "current": current, "voltage": voltage}


@op
class NirLi(Specified, neurons.RateNeurons):
    """tau dv/dt = v_leak - v + r I, and v itself is what leaves (NIR's LI)."""

    kind: ClassVar[str] = "nir-li"
    stateful = True
    tau: Parameter = 0.02
    r: Parameter = 1.0
    v_leak: Parameter = 0.0

    def response(self, xp: Namespace, current: Any) -> Any:
        get = self.settled(current)
        return get("v_leak") + get("r") * current

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        get = self.given(state)
        _, gone = _left(xp, dt, get("tau"))
        voltage = state["voltage"] + (get("v_leak") + get("r") * drive - state["voltage"]) * gone
        return voltage, {**state, "voltage": voltage}


@op
class NirCubaLi(NirLi):
    """tau_syn di/dt = w_in I - i, and i is what drives the membrane (NIR's CubaLI)."""

    kind: ClassVar[str] = "nir-cuba-li"
    remembered: ClassVar[tuple[str, ...]] = ("voltage", "current")
    tau_syn: Parameter = 0.005
    w_in: Parameter = 1.0

    def response(self, xp: Namespace, current: Any) -> Any:
        return super().response(xp, self.settled(current)("w_in") * current)

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        current = _filtered(xp, drive, state, dt, self.given(state))
        voltage, new = super().rule(xp, current, state, dt)
        return voltage, {**new, "current": current}


def _filtered(xp: Namespace, drive: Any, state: State, dt: float, get: Any) -> Any:
    """Return the current of a synapse after a step."""
    kept, gone = _left(xp, dt, get("tau_syn"))
    return state["current"] * kept + get("w_in") * drive * gone


MODELS: tuple[type[NeuronModel], ...] = (NirIf, NirLif, NirCubaLif, NirLi, NirCubaLi)
"""The neuron models of the plugin."""

__all__ = ["MODELS", "AnyArray", "NirCubaLi", "NirCubaLif", "NirIf", "NirLi", "NirLif"]
