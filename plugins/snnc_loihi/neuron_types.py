"""Nengo's neuron types for the models of the chip, and how nengo-loihi builds ours. Imports nengo-loihi."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np
import scipy.sparse
from nengo.params import BoolParam, NumberParam
from nengo_loihi.block import Axon, Compartment, Synapse
from nengo_loihi.builder.builder import Builder
from nengo_loihi.neurons import LoihiLIF, LoihiSpikingRectifiedLinear
from snnc_nengo.neuron_types import DrivenDirectly, ModelNeurons

from snnc.api import AnyArray, NeuronModel
from snnc_loihi import models
from snnc_loihi.core_connections import BASES

RESET = "reset"
"""What the synapse of soft-reset neurons to themselves is called."""
CURRENT_BIASES = 16
"""The largest current, of 23 bits, in units of the largest bias, of 12 bits and an exponent of 7."""


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


class ChipSoftResetIF(ModelNeurons):
    """The soft-reset neurons of a model, at most one spike a step.

    On the chip a synapse from each neuron to itself takes a spike off the current, which integrates. ``by_population``
    says that its axons are population axons, as a layer has that feeds convolutions: boards refuse mixtures.
    """

    negative = False
    by_population = BoolParam("by_population")

    def __init__(self, model: models.LoihiSoftIf, amplitude: float = 1, *, by_population: bool = False) -> None:
        """Make neurons; a spike is ``amplitude / dt``."""
        super().__init__(model, amplitude)
        self.by_population = by_population


class Relay(DrivenDirectly):
    """Neurons without a memory: a spike in each step whose input is above ``threshold``, in units of Nengo's."""

    spiking = True
    threshold = NumberParam("threshold", low=0, low_open=True)

    def __init__(self, threshold: float = 0.5) -> None:
        """Make neurons; a spike is ``1 / dt``."""
        super().__init__()
        self.threshold = threshold

    def step(self, dt: float, J: AnyArray, output: AnyArray) -> None:
        """Advance by ``dt`` seconds with input current ``J``."""
        output[...] = (J * dt > self.threshold) / dt


class Accumulator(Compartment):
    """Compartments whose current integrates, and whose voltage is that current and a constant."""

    def __init__(self, n_compartments: int, model: models.LoihiSoftIf, dt: float) -> None:
        """Make so many, for a model."""
        super().__init__(n_compartments)
        # nengo-loihi makes weights smaller, in powers of two, until a bias fits its register; this one, which the
        # threshold takes back, lets a current hold 16 times as many thresholds as the bias has
        self.bias[:] = model.reach / CURRENT_BIASES / dt
        self.vth[:] = self.bias + (1 - model.initial) * models.MARGIN / dt
        self.decay_u[:], self.decay_v[:] = model.leak / models.DECAY, 1
        self.scale_u = self.scale_v = False
        self.refract_delay[:] = 1

    def configure_filter(self, tau_s: float, dt: float = 0.001) -> None:
        """Take no filter: nengo-loihi asks for one with every connection."""

    def configure_default_filter(self, tau_s: float, dt: float = 0.001) -> None:
        """Take no filter."""


@Builder.register(ChipSoftResetIF)
def build_soft_reset_if(model: Any, kind: ChipSoftResetIF, neurons: Any, block: Any) -> None:
    """Configure the compartments of a block, and connect each to itself."""
    size = block.n_neurons
    block.compartment = Accumulator(size, kind.model, model.dt)
    synapse, axon = Synapse(size, label=RESET), Axon(size, label=RESET)
    if kind.by_population:
        # one weight for all; a base has 8 bits, and the index the rest
        far = range(-(-size // BASES))
        synapse.set_population_weights(
            [np.array([[-1 / model.dt]]) for _ in far],
            [np.array([[BASES * k]]) for k in far],
            np.arange(size) // BASES,
            np.arange(size) % BASES,
            pop_type=32,
        )
    else:
        synapse.set_weights(scipy.sparse.eye(size, format="csr") * (-1 / model.dt))
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(size), atoms=np.zeros(size, dtype=np.int32))
    block.add_synapse(synapse)
    block.add_axon(axon)


@Builder.register(Relay)
def build_relay(model: Any, kind: Relay, neurons: Any, block: Any) -> None:
    """Configure the compartments of a block."""
    block.compartment.configure_nonspiking(vth=kind.threshold / model.dt, dt=model.dt)


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
    if isinstance(model, models.LoihiSoftIf):
        return ChipSoftResetIF(model)
    if isinstance(model, models.LoihiRelu) and (model.floor, model.threshold) == (0, 1):
        return LoihiSpikingRectifiedLinear()
    assert isinstance(model, models.HardResetIf)
    return HardResetIF(floor=model.floor, threshold=model.threshold)


CHIP_TYPES: tuple[type[nengo.neurons.NeuronType], ...] = (
    ChipSoftResetIF,
    HardResetIF,
    LoihiSpikingRectifiedLinear,
    ChipLIF,
    Relay,
)
"""All that the chip may be given: nengo-loihi builds a subclass that it does not know as its parent, silently."""
