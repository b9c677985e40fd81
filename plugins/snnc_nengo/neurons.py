"""Nengo's neuron and synapse types for snnc's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import nengo

from snnc.api import NeuronModel, SynapseModel, neurons

SCALED: Mapping[type[NeuronModel], Callable[[Any, float], Any]] = MappingProxyType(
    {
        neurons.ReluRate: lambda model, amplitude: nengo.RectifiedLinear(amplitude=amplitude),
        neurons.SpikingRelu: lambda model, amplitude: nengo.SpikingRectifiedLinear(amplitude=amplitude),
        neurons.LifRate: lambda m, amplitude: nengo.LIFRate(tau_rc=m.tau_rc, tau_ref=m.tau_ref, amplitude=amplitude),
        neurons.Lif: lambda m, amplitude: nengo.LIF(tau_rc=m.tau_rc, tau_ref=m.tau_ref, amplitude=amplitude),
    }
)
"""Neuron types with an amplitude."""

UNSCALED: Mapping[type[NeuronModel], Callable[[Any], Any]] = MappingProxyType(
    {
        neurons.SigmoidRate: lambda model: nengo.Sigmoid(tau_ref=1),
        neurons.TanhRate: lambda model: nengo.Tanh(tau_ref=1),
    }
)
"""Neuron types without one."""

SYNAPSES: Mapping[type[SynapseModel], Callable[[Any], Any]] = MappingProxyType(
    {
        neurons.Lowpass: lambda model: nengo.Lowpass(model.tau),
        neurons.Alpha: lambda model: nengo.Alpha(model.tau),
    }
)


def neuron_type(model: NeuronModel, amplitude: float | None) -> tuple[Any, bool]:
    """Return Nengo's type for a model and whether it holds the amplitude; raise KeyError for an unknown model.

    An amplitude of None is one that a single number cannot say.
    """
    if type(model) in UNSCALED:
        return UNSCALED[type(model)](model), amplitude == 1
    return SCALED[type(model)](model, 1.0 if amplitude is None else amplitude), amplitude is not None
