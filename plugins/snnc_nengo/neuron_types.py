"""Neuron and synapse types that Nengo does not have: any model of snnc's, or of a plugin, by its own rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import IntParam, NumberParam, Parameter

from snnc.api import NUMPY, AnyArray, NeuronModel, RandomStream, Shape, State, SynapseModel, neurons


class DrivenDirectly(nengo.neurons.NeuronType):
    """Neurons of ensembles that are driven through their neurons, which have no use for rates at single inputs."""

    def max_rates_intercepts(self, gain: AnyArray, bias: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Return (0, 0) for every neuron: Nengo would search for them, and simulate some types to that end."""
        return np.zeros_like(gain), np.zeros_like(bias)


class ModelNeurons(DrivenDirectly):
    """The neurons of a model; a spike is worth ``amplitude / dt``, a rate of 1 Hz ``amplitude``."""

    negative = True
    model = Parameter("model")
    amplitude = NumberParam("amplitude", low=0, low_open=True)

    def __init__(self, model: NeuronModel, amplitude: float = 1, initial_state: Any = None) -> None:
        """Make neurons of a model."""
        # the names of the state are those of the model, and with them the start is checked
        self._start = model.start((1,), np.random.default_rng(0))
        self.state = {n: Choice(list(v)) for n, v in self._start.items() if isinstance(v, np.ndarray)}
        super().__init__(initial_state)
        self.model, self.amplitude, self.spiking = model, amplitude, model.spiking

    def make_state(self, n_neurons: int, rng: Any = np.random, dtype: Any = None) -> dict[str, Any]:
        """Return the state before the first step; what is drawn comes from ``rng``."""
        drawing = {name: rng for name, value in self._start.items() if isinstance(value, RandomStream)}
        return {**super().make_state(n_neurons, rng=rng, dtype=dtype), **drawing}

    def rates(self, x: AnyArray, gain: AnyArray, bias: AnyArray) -> AnyArray:
        """Return the rates at the encoded inputs ``x``."""
        return np.asarray(self.amplitude * self.model.response(NUMPY, self.current(x, gain, bias)))

    def step(self, dt: float, J: AnyArray, output: AnyArray, **state: Any) -> None:
        """Advance by ``dt`` seconds with input current ``J``."""
        firing(self.model, self.amplitude, dt, output, state)(self.model.drive(NUMPY, J, dt))


class SoftResetIF(ModelNeurons):
    """Integrate the signed current; ``n = clip(floor(v), 0, gamma)`` spikes are taken off the voltage.

    Nengo's own SpikingRectifiedLinear rectifies the current of every step, so that inhibition is forgotten.
    """

    negative = False
    gamma = IntParam("gamma", low=1)

    def __init__(self, gamma: int = 1, amplitude: float = 1, initial_state: Any = None) -> None:
        """Make neurons with at most ``gamma`` spikes a step; a spike is ``amplitude / dt``."""
        self.gamma = gamma
        super().__init__(neurons.SoftResetIf(gamma=gamma), amplitude, initial_state)


class Izhikevich(DrivenDirectly, nengo.Izhikevich):
    """Nengo's own, built at once: for its maximum rate it would simulate a second of every neuron for 101 inputs."""


class ModelSynapse(nengo.synapses.Synapse):
    """The filter of a model."""

    model = Parameter("model")

    def __init__(self, model: SynapseModel) -> None:
        """Make a filter of a model."""
        super().__init__()
        self.model = model

    def make_state(
        self, shape_in: Shape, shape_out: Shape, dt: float, dtype: Any = None, y0: Any = None
    ) -> dict[str, AnyArray]:
        """Return the state before the first step."""
        return {name: np.array(value, dtype=dtype) for name, value in self.model.start(shape_out).items()}

    def make_step(
        self, shape_in: Shape, shape_out: Shape, dt: float, rng: Any, state: Mapping[str, AnyArray]
    ) -> Callable[[float, AnyArray], AnyArray]:
        """Return the function of a step: Nengo shows in the next step what it gives."""
        rule, kept = self.model.rule, {name: value[None] for name, value in state.items()}

        def step(t: float, x: AnyArray) -> AnyArray:
            for name, value in rule(NUMPY, x[None], kept, dt)[1].items():
                state[name][...] = value[0]
            return np.array(rule(NUMPY, x[None], kept, dt)[0][0])

        return step


def firing(
    model: NeuronModel, amplitude: float, dt: float, output: AnyArray, state: State
) -> Callable[[AnyArray], None]:
    """Return the step of one sample's neurons: it takes what drives them, which stays as it is, and sets the arrays.

    The arrays are the simulator's own, seen as a batch of one here, once: a step of few neurons takes microseconds.
    """
    arrays = {name: value[None] for name, value in state.items() if isinstance(value, np.ndarray)}
    drawing = {name: value for name, value in state.items() if name not in arrays}
    whole, height = output[None], amplitude / dt if model.spiking else amplitude

    def fire(drive: AnyArray) -> None:
        after: State = {**arrays, **{name: RandomStream.over(rng) for name, rng in drawing.items()}}
        model.step(drive[None], after, dt, out=whole)
        np.multiply(output, height, out=output)
        for name, value in arrays.items():
            if after[name] is not value:
                value[...] = after[name]

    return fire
