"""Neurons that send whole numbers of spikes and take back those that came too early."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Array, Shape
from snnc.neurons.wrapping import Wrapping
from snnc.ops.stateful import State

__all__ = ["SignedIf"]


@op
class SignedIf(Wrapping):
    """v += u dt; n = clip(floor(t f(v / t) + 1/2 - sent), -gamma, gamma); sent += n, in step t.

    The neuron remembers what it has sent and takes spikes back that came too early, so that after any number of steps
    it has sent what the quantised activation gives for the mean of its input: ``round(f(mean) * steps)``, up to what
    ``gamma`` still holds back (signed neuron with memory, Wang et al. 2022). For a ReLU that is the integrate-and-fire
    neuron which is reset by subtraction, starts at half its threshold, and never sends less than nothing in all.
    """

    kind: ClassVar[str] = "signed-if"
    gamma: int = 4
    """The most spikes a step, of either sign."""

    @property
    def count_limits(self) -> tuple[float, float] | None:
        return (0.5, float(self.gamma)) if self.rectifies else None

    def counted(self, activation: Array, steps: int) -> tuple[Array, Array] | None:
        if self.rectifies:
            return super().counted(activation, steps)
        reached = np.clip(activation, -np.float32(self.gamma), np.float32(self.gamma))
        return reached, np.floor(reached * np.float32(steps) + np.float32(0.5)) / np.float32(steps)

    @property
    def payload(self) -> int:
        return 1 + math.ceil(math.log2(self.gamma))

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        if self.rectifies:
            return {"voltage": np.full(shape, 0.5, dtype=np.float32), "sent": np.zeros(shape, dtype=np.float32)}
        zeros = {name: np.zeros(shape, dtype=np.float32) for name in ("voltage", "sent", "steps")}
        return {**zeros, **self.own_unit(shape)}

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        return current * dt

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        voltage, sent = state["voltage"] + drive, state["sent"]
        if self.rectifies:  # what is in the voltage is less what was sent: no count of steps is needed
            spikes = xp.maximum(xp.clip(xp.floor(voltage), -self.gamma, self.gamma), -sent)
            return spikes, {"voltage": voltage - spikes, "sent": sent + spikes}
        steps = state["steps"] + 1
        seconds = steps * dt
        wanted = self.target(xp, voltage / seconds, state.get("unit")) * seconds
        spikes = xp.clip(xp.floor(wanted + 0.5 - sent), -self.gamma, self.gamma)
        return spikes, {**state, "voltage": voltage, "sent": sent + spikes, "steps": steps}
