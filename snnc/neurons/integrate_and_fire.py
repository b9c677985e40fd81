"""Neurons that count: integrate-and-fire without a leak, and spikes at a given rate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from snnc.ir.op import op
from snnc.ir.types import Array, Shape
from snnc.neurons.lif import LifRate
from snnc.neurons.model import NeuronModel, RateNeurons, ReluLike, ReluRate, SigmoidRate, TanhRate
from snnc.ops.activations import Activation
from snnc.ops.stateful import RandomStream, State


@op
class SpikingRelu(ReluLike):
    """v += max(u, 0) dt; n = floor(v); v -= n. Nengo's SpikingRectifiedLinear."""

    kind: ClassVar[str] = "spiking-relu"
    spiking: ClassVar[bool] = True

    def rate(self, u: Array) -> Array:
        return np.maximum(u, np.float32(0))

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": rng.uniform(0, 1, size=shape).astype(np.float32)}

    def drive(self, current: Array, dt: float) -> Array:
        np.maximum(current, 0, out=current)
        current *= current.dtype.type(dt)
        return current

    def step(self, drive: Array, state: State, dt: float) -> Array:
        return _whole_part(drive, state["voltage"])


@op
class SoftResetIf(ReluLike):
    """v += u dt; n = clip(floor(v), 0, gamma); v -= n: the neuron of the conversion literature.

    Unlike ``spiking-relu`` it integrates the signed current, so that what inhibits counts (Rueckauer et al. 2017;
    several spikes a step: Li & Zeng 2022). ``gamma`` is the most spikes a step, ``initial`` the voltage at the
    start in units of the threshold.
    """

    kind: ClassVar[str] = "soft-reset-if"
    spiking: ClassVar[bool] = True
    gamma: int = 1
    initial: float = 0.0

    def rate(self, u: Array) -> Array:
        return np.maximum(u, np.float32(0))

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": np.full(shape, self.initial, dtype=np.float32)}

    def drive(self, current: Array, dt: float) -> Array:
        current *= current.dtype.type(dt)
        return current

    def step(self, drive: Array, state: State, dt: float) -> Array:
        voltage = state["voltage"]
        voltage += drive
        if self.gamma == 1:  # the same as below at a third of the time
            spikes = (voltage >= 1).astype(voltage.dtype)
        else:
            spikes = np.floor(voltage)
            np.maximum(spikes, 0, out=spikes)
            np.minimum(spikes, self.gamma, out=spikes)
        voltage -= spikes
        return spikes


BASES: Mapping[str, type[RateNeurons]] = MappingProxyType(
    {"relu": ReluRate, "sigmoid": SigmoidRate, "tanh": TanhRate, "lif-rate": LifRate}
)


class RatesToSpikes(NeuronModel):
    """Spikes at the rate of a model that has none: ``base``. A negative rate gives negative spikes.

    ``max_rate`` in Hz is where the curves of sigmoid and tanh end; the others have no use for it.
    """

    spiking: ClassVar[bool] = True
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"]
    max_rate: float

    @property
    def rates(self) -> RateNeurons:
        """Return the model whose rates these are."""
        if self.base in ("sigmoid", "tanh"):
            return BASES[self.base](max_rate=self.max_rate)  # type: ignore[call-arg]
        return BASES[self.base]()

    @property
    def exact(self) -> bool:
        return self.rates.exact

    @property
    def scale_invariant(self) -> bool:
        return self.rates.scale_invariant

    @property
    def unit(self) -> float:
        return self.rates.unit

    @property
    def gain(self) -> float:
        return self.rates.gain

    @property
    def offset(self) -> float:
        return self.rates.offset

    def can_replace(self, activation: Activation) -> bool:
        return self.rates.can_replace(activation)

    def rate(self, u: Array) -> Array:
        return self.rates.rate(u)

    def drive(self, current: Array, dt: float) -> Array:
        """Return the number of spikes wanted in a step, a fraction."""
        return self.rates.response(current) * current.dtype.type(dt)

    @abstractmethod
    def start(self, shape: Shape, rng: np.random.Generator) -> State: ...


@op
class Regular(RatesToSpikes):
    """v += r dt; n = floor(v); v -= n: evenly spaced spikes. Nengo's RegularSpiking."""

    kind: ClassVar[str] = "regular"
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"] = "relu"
    max_rate: float = 200.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": rng.uniform(0, 1, size=shape).astype(np.float32)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        return _whole_part(drive, state["voltage"])


@op
class Stochastic(RatesToSpikes):
    """n = r dt rounded up or down by chance, so that its mean is right. Nengo's StochasticSpiking."""

    kind: ClassVar[str] = "stochastic"
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"] = "relu"
    max_rate: float = 200.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"rng": RandomStream.drawn_from(rng)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        rest, spikes = np.modf(np.abs(drive))
        spikes += state["rng"].uniform(drive.shape[1:]) < rest
        return np.copysign(spikes, drive)


@op
class Poisson(RatesToSpikes):
    """n is drawn from the Poisson distribution of mean r dt. Nengo's PoissonSpiking."""

    kind: ClassVar[str] = "poisson"
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"] = "relu"
    max_rate: float = 200.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"rng": RandomStream.drawn_from(rng)}

    def step(self, drive: Array, state: State, dt: float) -> Array:
        counts = state["rng"].poisson(np.abs(drive))
        return np.copysign(counts, drive, dtype=np.float32)


def _whole_part(drive: Array, voltage: Array) -> Array:
    """Add the drive to the voltage and take off what is whole: the spikes."""
    voltage += drive
    spikes = np.floor(voltage)
    voltage -= spikes
    return spikes
