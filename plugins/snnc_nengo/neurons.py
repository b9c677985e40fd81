"""Nengo's neuron and synapse types for snnc's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import nengo
import numpy as np

from snnc.api import NeuronModel, RandomStream, State, SynapseModel, neurons
from snnc_nengo.neuron_types import Izhikevich, SoftResetIF

Make = Callable[[Any, dict[str, Any]], Any]
"""Makes a neuron type of a model and of what all types take: the initial state, and the amplitude where it is held."""

SCALED: Mapping[type[NeuronModel], Make] = MappingProxyType(
    {
        neurons.ReluRate: lambda model, given: nengo.RectifiedLinear(**given),
        neurons.SpikingRelu: lambda model, given: nengo.SpikingRectifiedLinear(**given),
        neurons.SoftResetIf: lambda model, given: SoftResetIF(gamma=model.gamma, **given),
        neurons.LifRate: lambda model, given: nengo.LIFRate(tau_rc=model.tau_rc, tau_ref=model.tau_ref, **given),
        neurons.Lif: lambda model, given: nengo.LIF(tau_rc=model.tau_rc, tau_ref=model.tau_ref, **given),
        neurons.Regular: lambda model, given: nengo.RegularSpiking(_base(model), **given),
        neurons.Stochastic: lambda model, given: nengo.StochasticSpiking(_base(model), **given),
        neurons.Poisson: lambda model, given: nengo.PoissonSpiking(_base(model), **given),
    }
)
"""Neuron types that hold an amplitude."""

UNSCALED: Mapping[type[NeuronModel], Make] = MappingProxyType(
    {
        neurons.SigmoidRate: lambda model, given: nengo.Sigmoid(tau_ref=1 / model.max_rate, **given),
        neurons.TanhRate: lambda model, given: nengo.Tanh(tau_ref=1 / model.max_rate, **given),
        # these two would adapt to their amplitude
        neurons.AdaptiveLifRate: lambda model, given: nengo.AdaptiveLIFRate(**model.attrs(), **given),
        neurons.AdaptiveLif: lambda model, given: nengo.AdaptiveLIF(**model.attrs(), **given),
        neurons.Izhikevich: lambda model, given: Izhikevich(**model.attrs(), **given),
    }
)
"""Neuron types that hold none, so that it becomes part of what they feed."""

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
        amplitude: what a spike, or 1 Hz, stands for; None if a single number cannot say.
        start: the state before the first step: the same in every backend, for the same spikes.
    """
    arrays = {name: value.ravel() for name, value in start.items() if isinstance(value, np.ndarray)}
    given: dict[str, Any] = {"initial_state": arrays or None}
    if type(model) in UNSCALED:
        return UNSCALED[type(model)](model, given), amplitude == 1
    given["amplitude"] = 1.0 if amplitude is None else amplitude
    return SCALED[type(model)](model, given), amplitude is not None


def ensemble_seed(start: State) -> int | None:
    """Return the seed of an ensemble that lets Nengo draw the random numbers of a state, or None if it has none."""
    streams = [value for value in start.values() if isinstance(value, RandomStream)]
    return streams[0].seed - 1 if streams else None


def _base(model: neurons.RatesToSpikes) -> Any:
    return neuron_type(model.rates, 1.0, {})[0]
