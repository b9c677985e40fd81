"""Nengo's neuron and synapse types for snnc's models: its own where it has them, else the model's rule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import nengo
import numpy as np

from snnc.api import NeuronModel, RandomStream, State, SynapseModel, neurons
from snnc_nengo.neuron_types import Izhikevich, ModelNeurons, ModelSynapse, SoftResetIF

NATIVE: Mapping[type[NeuronModel], type] = MappingProxyType(
    {
        neurons.ReluRate: nengo.RectifiedLinear,
        neurons.SigmoidRate: nengo.Sigmoid,
        neurons.TanhRate: nengo.Tanh,
        neurons.LifRate: nengo.LIFRate,
        neurons.AdaptiveLifRate: nengo.AdaptiveLIFRate,
        neurons.SpikingRelu: nengo.SpikingRectifiedLinear,
        neurons.SoftResetIf: SoftResetIF,
        neurons.Regular: nengo.RegularSpiking,
        neurons.Stochastic: nengo.StochasticSpiking,
        neurons.Poisson: nengo.PoissonSpiking,
        neurons.Lif: nengo.LIF,
        neurons.AdaptiveLif: nengo.AdaptiveLIF,
        neurons.Izhikevich: Izhikevich,
    }
)
"""The models for which networks hold a type of Nengo's, which its users know; all others are ``ModelNeurons``."""

UNSCALED = (nengo.Sigmoid, nengo.Tanh, nengo.Izhikevich, nengo.AdaptiveLIF, nengo.AdaptiveLIFRate)
"""Types without an amplitude, which becomes part of what they feed; the last two would adapt to theirs."""


def neuron_type(model: NeuronModel, amplitude: float | None, start: State) -> tuple[Any, bool]:
    """Return Nengo's type for a model and whether it holds the amplitude.

    Args:
        model: the neuron model.
        amplitude: what a spike, or 1 Hz, stands for; None if a single number cannot say.
        start: the state before the first step: the same in every backend, for the same spikes.
    """
    arrays = {name: value.ravel() for name, value in start.items() if isinstance(value, np.ndarray)}
    given: dict[str, Any] = {"initial_state": arrays or None}
    native = NATIVE.get(type(model))
    if native is not None and issubclass(native, UNSCALED):
        return native(**_fields(model), **given), amplitude == 1
    given["amplitude"] = 1.0 if amplitude is None else amplitude
    made = ModelNeurons(model, **given) if native is None else native(**_fields(model), **given)
    return made, amplitude is not None


def _fields(model: Any) -> dict[str, Any]:
    """Return the fields of a model as Nengo's type takes them."""
    if isinstance(model, neurons.RatesToSpikes):
        return {"base_type": neuron_type(model.rates, 1.0, {})[0]}
    if isinstance(model, (neurons.SigmoidRate, neurons.TanhRate)):
        return {"tau_ref": 1 / model.max_rate}
    return {name: value for name, value in model.attrs().items() if name != "initial"}


def synapse_type(model: SynapseModel) -> Any:
    """Return Nengo's filter for a synapse model."""
    native = {neurons.Lowpass: nengo.Lowpass, neurons.Alpha: nengo.Alpha}.get(type(model))
    return ModelSynapse(model) if native is None else native(model.tau)


def ensemble_seed(start: State) -> int | None:
    """Return the seed of an ensemble that lets Nengo draw the random numbers of a state, or None if it has none."""
    streams = [value for value in start.values() if isinstance(value, RandomStream)]
    return streams[0].seed - 1 if streams else None
