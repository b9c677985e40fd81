"""Neuron and synapse models, and the ops that hold them, all under one roof: ``neurons.SoftResetIf`` ..."""

from snnc.neurons.integrate_and_fire import (
    Poisson,
    RatesToSpikes,
    Regular,
    SignedIf,
    SoftResetIf,
    SpikingRelu,
    Stochastic,
)
from snnc.neurons.izhikevich import Izhikevich
from snnc.neurons.lif import AdaptiveLif, AdaptiveLifRate, Lif, LifRate
from snnc.neurons.model import NeuronModel, RateNeurons, ReluLike, ReluRate, SigmoidRate, TanhRate
from snnc.neurons.population import Neurons, Synapse
from snnc.neurons.synapses import Alpha, Lowpass, SynapseModel

MODELS: tuple[type[NeuronModel], ...] = (
    ReluRate,
    SigmoidRate,
    TanhRate,
    LifRate,
    AdaptiveLifRate,
    SpikingRelu,
    SoftResetIf,
    SignedIf,
    Regular,
    Stochastic,
    Poisson,
    Lif,
    AdaptiveLif,
    Izhikevich,
)
"""The built-in neuron models."""

SYNAPSES: tuple[type[SynapseModel], ...] = (Lowpass, Alpha)
"""The built-in synapse models."""

__all__ = [
    "MODELS",
    "SYNAPSES",
    "AdaptiveLif",
    "AdaptiveLifRate",
    "Alpha",
    "Izhikevich",
    "Lif",
    "LifRate",
    "Lowpass",
    "NeuronModel",
    "Neurons",
    "Poisson",
    "RateNeurons",
    "RatesToSpikes",
    "Regular",
    "ReluLike",
    "ReluRate",
    "SigmoidRate",
    "SignedIf",
    "SoftResetIf",
    "SpikingRelu",
    "Stochastic",
    "Synapse",
    "SynapseModel",
    "TanhRate",
]
