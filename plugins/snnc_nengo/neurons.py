"""Nengo's neuron and synapse types for snnc's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import nengo

from snnc.api import NeuronModel, State, SynapseModel, neurons
from snnc_nengo.neuron_types import SoftResetIF

SCALED: Mapping[type[NeuronModel], Callable[[Any, dict[str, Any]], Any]] = MappingProxyType(
    {
        neurons.ReluRate: lambda model, given: nengo.RectifiedLinear(**given),
        neurons.SpikingRelu: lambda model, given: nengo.SpikingRectifiedLinear(**given),
        neurons.SoftResetIf: lambda model, given: SoftResetIF(gamma=model.gamma, **given),
        neurons.LifRate: lambda model, given: nengo.LIFRate(tau_rc=model.tau_rc, tau_ref=model.tau_ref, **given),
        neurons.Lif: lambda model, given: nengo.LIF(tau_rc=model.tau_rc, tau_ref=model.tau_ref, **given),
    }
)
"""Neuron types with an amplitude, which is given with the initial state."""

UNSCALED: Mapping[type[NeuronModel], Callable[[], Any]] = MappingProxyType(
    {
        neurons.SigmoidRate: lambda: nengo.Sigmoid(tau_ref=1),
        neurons.TanhRate: lambda: nengo.Tanh(tau_ref=1),
    }
)
"""Neuron types without one."""

SYNAPSES: Mapping[type[SynapseModel], Callable[[Any], Any]] = MappingProxyType(
    {
        neurons.Lowpass: lambda model: nengo.Lowpass(model.tau),
        neurons.Alpha: lambda model: nengo.Alpha(model.tau),
    }
)


def neuron_type(model: NeuronModel, amplitude: float | None, start: State) -> tuple[Any, bool]:
    """Return Nengo's type for a model and whether it holds the amplitude; raise KeyError for an unknown model.

    Args:
        model: the neuron model.
        amplitude: what a spike stands for; None if a single number cannot say.
        start: the state before the first step: the same voltages as in every backend, for the same spikes.
    """
    if type(model) in UNSCALED:
        return UNSCALED[type(model)](), amplitude == 1
    given: dict[str, Any] = {"amplitude": 1.0 if amplitude is None else amplitude}
    if "voltage" in start:
        given["initial_state"] = {"voltage": start["voltage"].ravel()}
    return SCALED[type(model)](model, given), amplitude is not None
