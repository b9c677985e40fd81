"""Neurons that count: integrate-and-fire without a leak, and spikes at a given rate."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np

from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons.lif import LifRate
from snnc.neurons.model import NeuronModel, RateNeurons, ReluLike, ReluRate, SigmoidRate, TanhRate
from snnc.ops.activations import Activation
from snnc.ops.stateful import RandomStream, State

__all__ = ["Poisson", "RatesToSpikes", "Regular", "SoftResetIf", "SpikingRelu", "Stochastic"]


@op
class SpikingRelu(ReluLike):
    """v += max(u, 0) dt; n = floor(v); v -= n. Nengo's SpikingRectifiedLinear."""

    kind: ClassVar[str] = "spiking-relu"
    spiking: ClassVar[bool] = True

    @property
    def count_limits(self) -> tuple[float, float]:
        return 0.5, math.inf  # the mean of its random start

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": rng.uniform(0, 1, size=shape).astype(np.float32)}

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        return xp.maximum(current, 0) * dt

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        return whole_part(xp, state["voltage"] + drive)

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        voltage = state["voltage"]  # in place: in Nengo a fifth of the rule's time for large layers
        voltage += drive
        spikes = np.floor(voltage, out=out)
        voltage -= spikes
        return spikes


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

    @property
    def count_limits(self) -> tuple[float, float]:
        return self.initial, float(self.gamma)

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": np.full(shape, self.initial, dtype=np.float32)}

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        return current * dt

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        voltage = state["voltage"] + drive
        if self.gamma == 1:  # the same as below at a third of the time
            spikes = xp.astype(voltage >= 1, voltage.dtype)
        else:
            spikes = xp.clip(xp.floor(voltage), 0, self.gamma)
        return spikes, {"voltage": voltage - spikes}

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        voltage = state["voltage"]  # in place: in Nengo a tenth of the rule's time for large layers
        voltage += drive
        spikes = np.empty_like(voltage) if out is None else out
        if self.gamma == 1:
            np.copyto(spikes, voltage >= 1)
        else:
            np.floor(voltage, out=spikes)
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
    def matches_activation(self) -> bool:
        return self.rates.matches_activation

    @property
    def scale_invariant(self) -> bool:
        return self.rates.scale_invariant

    @property
    def unit_scale(self) -> float:
        return self.rates.unit_scale

    @property
    def gain(self) -> float:
        return self.rates.gain

    @property
    def offset(self) -> float:
        return self.rates.offset

    def can_replace(self, activation: Activation) -> bool:
        return self.rates.can_replace(activation)

    def response(self, xp: Namespace, current: Any) -> Any:
        return self.rates.response(xp, current)

    def rate(self, xp: Namespace, u: Any) -> Any:
        return self.rates.rate(xp, u)

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        """Return the number of spikes wanted in a step, a fraction."""
        return self.rates.response(xp, current) * dt

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

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        return whole_part(xp, state["voltage"] + drive)


@op
class Stochastic(RatesToSpikes):
    """n = r dt rounded up or down by chance, so that its mean is right. Nengo's StochasticSpiking."""

    kind: ClassVar[str] = "stochastic"
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"] = "relu"
    max_rate: float = 200.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"rng": RandomStream.drawn_from(rng)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        size = xp.abs(drive)
        spikes = xp.floor(size)
        chance = state["rng"].uniform(drive.shape[1:])
        spikes = spikes + xp.astype(chance < xp.astype(size - spikes, chance.dtype), spikes.dtype)
        return xp.where(drive < 0, -spikes, spikes), {"rng": state["rng"]}


@op
class Poisson(RatesToSpikes):
    """n is drawn from the Poisson distribution of mean r dt. Nengo's PoissonSpiking."""

    kind: ClassVar[str] = "poisson"
    base: Literal["relu", "sigmoid", "tanh", "lif-rate"] = "relu"
    max_rate: float = 200.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"rng": RandomStream.drawn_from(rng, each=True)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        counts = xp.astype(state["rng"].poisson(xp.abs(drive)), drive.dtype)
        return xp.where(drive < 0, -counts, counts), {"rng": state["rng"]}


def whole_part(xp: Namespace, voltage: Any) -> tuple[Any, State]:
    """Return what is whole of a voltage, the spikes, and the state with the rest."""
    spikes = xp.floor(voltage)
    return spikes, {"voltage": voltage - spikes}
