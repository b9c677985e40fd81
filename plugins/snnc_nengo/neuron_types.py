"""Neuron types that Nengo does not have."""

from __future__ import annotations

from typing import Any, ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import IntParam

from snnc.api import AnyArray


class SoftResetIF(nengo.RectifiedLinear):
    """Integrate the signed current; ``n = clip(floor(v), 0, gamma)`` spikes are taken off the voltage.

    Nengo's own SpikingRectifiedLinear rectifies the current of every step, so that inhibition is forgotten.
    Subclassing RectifiedLinear brings its gains and biases.
    """

    state: ClassVar[dict[str, Any]] = {"voltage": Choice([0.0])}
    spiking = True
    gamma = IntParam("gamma", low=1)

    def __init__(self, gamma: int = 1, amplitude: float = 1, initial_state: Any = None) -> None:
        """Make neurons with at most ``gamma`` spikes a step; a spike is ``amplitude / dt``."""
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.gamma = gamma

    def rates(self, x: AnyArray, gain: AnyArray, bias: AnyArray) -> AnyArray:
        """Return the rates at the encoded inputs ``x``: those of RectifiedLinear, as far as gamma lets them."""
        return self.amplitude * np.maximum(self.current(x, gain, bias), 0)

    def step(self, dt: float, J: AnyArray, output: AnyArray, voltage: AnyArray) -> None:
        """Advance by ``dt`` seconds with input current ``J``."""
        voltage += J * dt
        spikes = np.clip(np.floor(voltage), 0, self.gamma)
        output[...] = spikes * (self.amplitude / dt)
        voltage -= spikes


class Izhikevich(nengo.Izhikevich):
    """Nengo's own, built at once: it would simulate a second of every neuron for 101 inputs to find its maximum rate.

    Ensembles that are driven through their neurons have no use for that.
    """

    def max_rates_intercepts(self, gain: AnyArray, bias: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Return (0, 0) for every neuron."""
        return np.zeros_like(gain), np.zeros_like(bias)
