"""Neuron and synapse models, and the ops that hold them, all under one roof: ``neurons.SoftResetIf`` ..."""

from snnc.ir.op import concrete
from snnc.neurons import (
    integrate_and_fire,
    izhikevich,
    lif,
    model,
    population,
    sigma_delta,
    signed_if,
    synapses,
    wrapping,
)
from snnc.neurons.integrate_and_fire import *  # noqa: F403
from snnc.neurons.izhikevich import *  # noqa: F403
from snnc.neurons.lif import *  # noqa: F403
from snnc.neurons.model import *  # noqa: F403
from snnc.neurons.population import *  # noqa: F403
from snnc.neurons.sigma_delta import *  # noqa: F403
from snnc.neurons.signed_if import *  # noqa: F403
from snnc.neurons.synapses import *  # noqa: F403
from snnc.neurons.wrapping import *  # noqa: F403

_MODULES = (integrate_and_fire, izhikevich, lif, model, population, sigma_delta, signed_if, synapses, wrapping)
MODELS: tuple[type[model.NeuronModel], ...] = concrete(model.NeuronModel, *_MODULES)
"""The built-in neuron models."""
SYNAPSES: tuple[type[synapses.SynapseModel], ...] = concrete(synapses.SynapseModel, *_MODULES)
"""The built-in synapse models."""

__all__ = ["MODELS", "SYNAPSES"]
__all__ += integrate_and_fire.__all__
__all__ += izhikevich.__all__
__all__ += lif.__all__
__all__ += model.__all__
__all__ += population.__all__
__all__ += sigma_delta.__all__
__all__ += signed_if.__all__
__all__ += synapses.__all__
__all__ += wrapping.__all__
