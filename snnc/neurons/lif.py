"""Leaky integrate-and-fire neurons, with and without adaptation; times in seconds, currents in thresholds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.ir.op import op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons.model import RateNeurons, ReluLike
from snnc.ops.stateful import State


class LifLike(ReluLike):
    """The leaky integrate-and-fire rate curve, with the current that fires at about ``u`` Hz well above threshold."""

    tau_rc: float
    tau_ref: float

    @property
    def exact(self) -> bool:
        return False

    @property
    def scale_invariant(self) -> bool:
        return False

    @property
    def gain(self) -> float:
        return self.tau_rc

    @property
    def offset(self) -> float:
        # rate(J) tends to (J - 1/2) / tau_rc for large J without a refractory time
        return 0.5

    def response(self, current: AnyArray) -> AnyArray:
        """Return 1 / (tau_ref + tau_rc log(1 + 1 / (J - 1))) for a current J above 1, and 0 below."""
        above = current - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = 1 / (self.tau_ref + self.tau_rc * np.log1p(1 / above))
        return np.where(above > 0, rate, current.dtype.type(0))

    def rate(self, u: Array) -> Array:
        return self.settled(self.gain * u.astype(np.float64) + self.offset).astype(np.float32)

    def settled(self, current: AnyArray) -> AnyArray:
        """Return the rate that a constant current settles to."""
        return self.response(current)


@op
class LifRate(LifLike, RateNeurons):
    """rate(u) = 1 / (tau_ref + tau_rc log(1 + 1 / (J - 1))) for J = tau_rc u + 1/2 above 1."""

    kind: ClassVar[str] = "lif-rate"
    tau_rc: float = 0.02
    tau_ref: float = 0.002


@op
class Lif(LifLike):
    """tau_rc dv/dt = J - v with J = tau_rc u + 1/2, v >= 0; a spike at v > 1, then v = 0 for tau_ref."""

    kind: ClassVar[str] = "lif"
    spiking: ClassVar[bool] = True
    tau_rc: float = 0.02
    tau_ref: float = 0.002

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        voltage = rng.uniform(0, 1, size=shape).astype(np.float32)
        return {"voltage": voltage, "refractory_time": np.zeros(shape, dtype=np.float32)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        voltage, refractory = state["voltage"], state["refractory_time"]
        refractory -= dt
        active = np.clip(dt - refractory, 0, dt)  # the part of the step that is not refractory
        voltage -= (drive - voltage) * np.expm1(-active / self.tau_rc)
        fired = voltage > 1
        # the exact time of the crossing inside the step shortens the refractory period that follows
        late = dt + self.tau_rc * np.log1p(-(voltage[fired] - 1) / (drive[fired] - 1))
        refractory[fired] = self.tau_ref + late
        np.maximum(voltage, 0, out=voltage)
        voltage[fired] = 0
        return fired.astype(np.float32)


class Adaptive(LifLike):
    """What a rate r takes from the current: n with tau_n dn/dt = inc_n r - n, so that J - inc_n r drives it at last."""

    tau_n: float
    inc_n: float

    @property
    def gain(self) -> float:
        return self.tau_rc + self.inc_n  # what adaptation is going to take is given on top

    def settled(self, current: AnyArray) -> AnyArray:
        # the root of response(J - inc_n r) - r, which falls with r, by bisection
        low, high = np.zeros_like(current), self.response(current)
        for _ in range(50):
            middle = (low + high) / 2
            under = self.response(current - self.inc_n * middle) > middle
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return (low + high) / 2

    def adapt(self, rate: Array, adaptation: Array, dt: float) -> None:
        """Advance n by one step at a rate in Hz."""
        adaptation += (dt / self.tau_n) * (self.inc_n * rate - adaptation)


@op
class AdaptiveLifRate(Adaptive, LifRate):
    """The rate of a leaky integrate-and-fire neuron driven by J - n: tau_n dn/dt = inc_n rate - n."""

    kind: ClassVar[str] = "adaptive-lif-rate"
    tau_n: float = 1.0
    inc_n: float = 0.01

    @property
    def stateful(self) -> bool:
        return True

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"adaptation": np.zeros(shape, dtype=np.float32)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        rate = self.response(drive - state["adaptation"])
        self.adapt(rate, state["adaptation"], dt)
        return rate


@op
class AdaptiveLif(Adaptive, Lif):
    """A leaky integrate-and-fire neuron driven by J - n: n decays with tau_n, and grows by inc_n / tau_n a spike."""

    kind: ClassVar[str] = "adaptive-lif"
    tau_n: float = 1.0
    inc_n: float = 0.01

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {**super().start(shape, rng), "adaptation": np.zeros(shape, dtype=np.float32)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        spikes = super().step(drive - state["adaptation"], state, dt)
        self.adapt(spikes * np.float32(1 / dt), state["adaptation"], dt)
        return spikes
