"""Leaky integrate-and-fire neurons, with and without adaptation; times in seconds, currents in thresholds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Shape
from snnc.neurons.model import RateNeurons, ReluLike
from snnc.ops.stateful import State

__all__ = ["AdaptiveLif", "AdaptiveLifRate", "Lif", "LifRate"]


class LifLike(ReluLike):
    """The leaky integrate-and-fire rate curve, with the current that fires at about ``u`` Hz well above threshold."""

    matches_activation = False
    scale_invariant = False
    # rate(J) tends to (J - 1/2) / tau_rc for large J without a refractory time
    offset = 0.5
    tau_rc: float
    tau_ref: float

    @property
    def gain(self) -> float:
        return self.tau_rc

    def curve(self, xp: Namespace, current: Any) -> Any:
        """Return 1 / (tau_ref + tau_rc log(1 + 1 / (J - 1))) for a current J above 1, and 0 below."""
        above = current - 1
        safe = xp.where(above > 0, above, xp.ones_like(above))  # else gradients would be nan below the threshold
        rate = 1 / (self.tau_ref + self.tau_rc * xp.log1p(1 / safe))
        return xp.where(above > 0, rate, xp.zeros_like(above))

    def response(self, xp: Namespace, current: Any) -> Any:
        return self.curve(xp, current)

    def rate(self, xp: Namespace, u: Any) -> Any:
        # near the threshold the curve is too steep for float32
        return xp.astype(self.response(xp, self.gain * xp.astype(u, "float64") + self.offset), "float32")


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

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        refractory = state["refractory_time"] - dt
        active = xp.clip(dt - refractory, 0, dt)  # the part of the step that is not refractory
        voltage = state["voltage"] - (drive - state["voltage"]) * xp.expm1(-active / self.tau_rc)
        fired = voltage > 1
        # the exact time of the crossing inside the step shortens the refractory period that follows
        crossing = xp.where(fired, voltage - 1, xp.zeros_like(voltage))
        crossing = crossing / xp.where(fired, drive - 1, xp.ones_like(voltage))
        late = dt + self.tau_rc * xp.log1p(-crossing)
        return xp.astype(fired, voltage.dtype), {
            "voltage": xp.where(fired, xp.zeros_like(voltage), xp.maximum(voltage, 0)),
            "refractory_time": xp.where(fired, self.tau_ref + late, refractory),
        }


class Adaptive(LifLike):
    """What a rate r takes from the current: n with tau_n dn/dt = inc_n r - n, so that J - inc_n r drives it at last."""

    trainable: ClassVar[bool] = False
    tau_n: float
    inc_n: float

    @property
    def gain(self) -> float:
        return self.tau_rc + self.inc_n  # what adaptation is going to take is given on top

    def response(self, xp: Namespace, current: Any) -> Any:
        # the root of curve(J - inc_n r) - r, which falls with r, by bisection
        low, high = xp.zeros_like(current), self.curve(xp, current)
        for _ in range(50):
            middle = (low + high) / 2
            under = self.curve(xp, current - self.inc_n * middle) > middle
            low, high = xp.where(under, middle, low), xp.where(under, high, middle)
        return (low + high) / 2

    def adapted(self, rate: Any, adaptation: Any, dt: float) -> Any:
        """Return n after one step at a rate in Hz."""
        return adaptation + (dt / self.tau_n) * (self.inc_n * rate - adaptation)


@op
class AdaptiveLifRate(Adaptive, LifRate):
    """The rate of a leaky integrate-and-fire neuron driven by J - n: tau_n dn/dt = inc_n rate - n."""

    kind: ClassVar[str] = "adaptive-lif-rate"
    stateful = True
    tau_n: float = 1.0
    inc_n: float = 0.01

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"adaptation": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        rate = self.curve(xp, drive - state["adaptation"])
        return rate, {"adaptation": self.adapted(rate, state["adaptation"], dt)}


@op
class AdaptiveLif(Adaptive, Lif):
    """A leaky integrate-and-fire neuron driven by J - n: n decays with tau_n, and grows by inc_n / tau_n a spike."""

    kind: ClassVar[str] = "adaptive-lif"
    tau_n: float = 1.0
    inc_n: float = 0.01

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {**super().start(shape, rng), "adaptation": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        spikes, new = super().rule(xp, drive - state["adaptation"], state, dt)
        return spikes, {**new, "adaptation": self.adapted(spikes * (1 / dt), state["adaptation"], dt)}
