"""Nengo's neuron types for the models of the chip, and how nengo-loihi builds ours. Imports nengo-loihi."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np
from nengo.params import NumberParam
from nengo_loihi.builder.builder import Builder
from nengo_loihi.neurons import LoihiLIF, LoihiSpikingRectifiedLinear
from snnc_nengo.neuron_types import DrivenDirectly

from snnc.api import AnyArray, NeuronModel
from snnc_loihi import models


class HardResetIF(LoihiSpikingRectifiedLinear):
    """Nengo-Loihi's rectified linear neurons with a membrane that goes below zero, and a threshold of one's own.

    ``floor`` and ``threshold`` are in units of Nengo's threshold. The chip has a register for the floor; it stores
    -(2**k) + 1 only, so that the emulator rounds it.
    """

    floor = NumberParam("floor", low=0)
    threshold = NumberParam("threshold", low=0, low_open=True)

    def __init__(self, floor: float = 1.0, threshold: float = 0.995, amplitude: float = 1, **options: Any) -> None:
        """Make neurons; a spike is ``amplitude / dt``."""
        super().__init__(amplitude=amplitude, **options)
        self.floor = floor
        self.threshold = threshold

    def step(self, dt: float, J: AnyArray, output: AnyArray, voltage: AnyArray) -> None:
        """Advance by ``dt`` seconds with input current ``J``."""
        voltage += J * dt
        np.maximum(voltage, -self.floor, out=voltage)
        spikes = voltage > self.threshold
        output[...] = spikes * (self.amplitude / dt)
        voltage[spikes] = 0


class ChipLIF(DrivenDirectly, LoihiLIF):
    """Nengo-Loihi's own, without a search for the largest rates of neurons that are driven directly."""


@Builder.register(HardResetIF)
def build_hard_reset_if(model: Any, kind: HardResetIF, neurons: Any, block: Any) -> None:
    """Configure the compartments of a block."""
    compartment = block.compartment
    compartment.configure_relu(vth=kind.threshold / model.dt, dt=model.dt)
    compartment.vmin = -kind.floor / model.dt


def chip_type(model: NeuronModel) -> Any:
    """Return the neuron type of a model of the chip."""
    if isinstance(model, models.LoihiLif):
        return ChipLIF(tau_rc=model.tau_rc, tau_ref=model.tau_ref)
    if isinstance(model, models.LoihiRelu) and (model.floor, model.threshold) == (0, 1):
        return LoihiSpikingRectifiedLinear()
    assert isinstance(model, models.HardResetIf)
    return HardResetIF(floor=model.floor, threshold=model.threshold)


CHIP_TYPES: tuple[type[nengo.neurons.NeuronType], ...] = (ChipLIF, LoihiSpikingRectifiedLinear, HardResetIF)
"""All that the chip may be given: nengo-loihi builds a subclass that it does not know as its parent, silently."""
