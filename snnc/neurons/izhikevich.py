"""Izhikevich's neuron (2003), in its own units: milliseconds and millivolts."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np

from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import op
from snnc.ir.types import AnyArray, Shape
from snnc.neurons.model import ReluLike
from snnc.ops.stateful import State

__all__ = ["Izhikevich"]

LEAST = -30.0
"""The current below which the rule becomes unstable; Nengo clips there as well."""
PEAK = 30.0
"""The voltage that ends a spike."""
LOW, HIGH = 20.0, 100.0
"""The rates in Hz between which the line from rate to current is drawn."""


@op
class Izhikevich(ReluLike):
    """dv = 0.04 v^2 + 5 v + 140 - w + J, dw = tau_recovery (coupling v - w), a millisecond each; a spike at v >= 30.

    A spike sets v to reset_voltage and adds reset_recovery to w. The rate curve is measured, the current J for a
    wanted rate the straight line that fits it. Too rough to stand for a ReLU well; all that Nengo has is here.
    """

    kind: ClassVar[str] = "izhikevich"
    spiking: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    tau_recovery: float = 0.02
    coupling: float = 0.2
    reset_voltage: float = -65.0
    reset_recovery: float = 8.0

    matches_activation = False
    scale_invariant = False

    @property
    def gain(self) -> float:
        return _line(self)[0]

    @property
    def offset(self) -> float:
        return _line(self)[1]

    def response(self, xp: Namespace, current: Any) -> Any:
        currents, rates = _curve(self)
        return np.interp(current, currents, rates).astype(current.dtype)

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        voltage = rng.uniform(0, 1, size=shape).astype(np.float32)
        return {"voltage": voltage, "recovery": np.zeros(shape, dtype=np.float32)}

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        return xp.maximum(current, LEAST)

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        voltage, recovery = state["voltage"], state["recovery"]
        voltage = voltage + (0.04 * xp.square(voltage) + 5 * voltage + 140 - recovery + drive) * 1000 * dt
        fired = voltage >= PEAK
        voltage = xp.where(fired, self.reset_voltage * xp.ones_like(voltage), voltage)
        recovery = recovery + self.tau_recovery * (self.coupling * voltage - recovery) * 1000 * dt
        recovery = xp.where(fired, recovery + self.reset_recovery, recovery)
        return xp.astype(fired, voltage.dtype), {"voltage": voltage, "recovery": recovery}


@functools.lru_cache(maxsize=16)
def _curve(model: Izhikevich) -> tuple[AnyArray, AnyArray]:
    """Return currents and the rates in Hz that they settle to, in steps of a millisecond."""
    currents, dt = np.linspace(LEAST, 200, 461), 0.001
    state: State = {"voltage": np.zeros_like(currents), "recovery": np.zeros_like(currents)}
    count = np.zeros_like(currents)
    for t in range(3000):
        spikes, state = model.rule(NUMPY, currents, state, dt)
        if t >= 1000:
            count += spikes
    return currents, count / 2


@functools.lru_cache(maxsize=16)
def _line(model: Izhikevich) -> tuple[float, float]:
    """Return (gain, offset) of the current that fires at about a wanted rate in the middle of the curve."""
    currents, rates = _curve(model)
    middle = (rates >= LOW) & (rates <= HIGH)
    if np.count_nonzero(middle) < 2:
        return 1.0, 0.0
    gain, offset = np.polyfit(rates[middle], currents[middle], 1)
    return float(gain), float(offset)
