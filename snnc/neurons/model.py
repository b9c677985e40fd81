"""What a neuron model is, and the models that give a rate, not spikes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.op import Record, op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.ops.activations import Activation, Relu, Sigmoid, Tanh
from snnc.ops.stateful import State

POSITIVE = ("tau_rc", "tau_n", "tau_recovery", "gamma", "max_rate")
"""Fields of neuron models that must be above zero."""


class NeuronModel(Record, ABC):
    """A neuron: which activation it stands for, its rate curve, and its step rule.

    A wanted rate ``u`` in Hz becomes the current ``gain * u + offset``, in units of the threshold.
    """

    family: ClassVar[str] = "neuron"
    spiking: ClassVar[bool]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.attrs().items():
            if name in POSITIVE and not 0 < value < math.inf:
                raise UsageError(f"neurons {self.kind!r}: {name} cannot be {value}; it must be finite and positive")

    @property
    def exact(self) -> bool:
        """Return whether the rate curve equals the activation it stands for."""
        return True

    @property
    def scale_invariant(self) -> bool:
        """Return whether ``scale * rate(x / scale)`` does not depend on the scale."""
        return True

    @property
    def unit(self) -> float:
        """Return the scale at which the neurons stand for the activation: any, where they are scale_invariant."""
        return 1.0

    @property
    def stateful(self) -> bool:
        """Return whether the output may change from step to step while the current stays the same."""
        return self.spiking

    @property
    def gain(self) -> float:
        """Return the current per Hz of wanted rate."""
        return 1.0

    @property
    def offset(self) -> float:
        """Return the current at a wanted rate of zero."""
        return 0.0

    @abstractmethod
    def can_replace(self, activation: Activation) -> bool:
        """Return whether these neurons can stand for the activation."""

    @property
    def activation(self) -> Activation | None:
        """Return the activation that the neurons stand for, or None if it is none of the plain ones."""
        return next((a for a in (Relu(), Sigmoid(), Tanh()) if self.can_replace(a)), None)

    @abstractmethod
    def rate(self, u: Array) -> Array:
        """Return the firing rate in Hz that a constant wanted rate ``u`` in Hz settles to."""

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        """Return the state of one sample before the first step, by the names that Nengo uses."""
        return {}

    def drive(self, current: Array, dt: float) -> Array:
        """Return all of a step that depends on the current alone: done once where the input does not change.

        ``current`` is the callee's: it may be overwritten and returned.
        """
        return current

    @abstractmethod
    def step(self, drive: Array, state: State, dt: float) -> Array:
        """Return the output of one step of ``dt`` seconds, and update ``state``: spikes, or for rate neurons Hz.

        ``drive`` must stay as it is; the output is a new array.
        """


class ReluLike(NeuronModel):
    """Neurons that stand for max(x, 0)."""

    def can_replace(self, activation: Activation) -> bool:
        return isinstance(activation, Relu) and activation.plain


class RateNeurons(NeuronModel):
    """Neurons that give their rate itself, without spikes."""

    spiking: ClassVar[bool] = False

    @abstractmethod
    def response(self, current: AnyArray) -> AnyArray:
        """Return the rate in Hz for a current, in the current's precision."""

    def rate(self, u: Array) -> Array:
        return self.response(u if self.gain == 1 else u * np.float32(self.gain))

    def step(self, drive: Array, state: State, dt: float) -> Array:
        return self.response(drive)


@op
class ReluRate(ReluLike, RateNeurons):
    """rate(u) = max(u, 0)."""

    kind: ClassVar[str] = "relu"

    def response(self, current: AnyArray) -> AnyArray:
        return np.maximum(current, current.dtype.type(0))


class Squashing(RateNeurons):
    """A curve that saturates: rate(u) = max_rate * f(u / max_rate), so that only one scale makes it f itself."""

    max_rate: float

    @property
    def scale_invariant(self) -> bool:
        return False

    @property
    def unit(self) -> float:
        return 1 / self.max_rate

    @property
    def gain(self) -> float:
        return 1 / self.max_rate


@op
class SigmoidRate(Squashing):
    """rate(u) = max_rate / (1 + exp(-u / max_rate)). max_rate in Hz."""

    kind: ClassVar[str] = "sigmoid"
    max_rate: float = 1.0

    def can_replace(self, activation: Activation) -> bool:
        return isinstance(activation, Sigmoid)

    def response(self, current: AnyArray) -> AnyArray:
        with np.errstate(over="ignore"):  # exp(-current) is infinite where the rate is zero
            return self.max_rate / (1 + np.exp(-current))


@op
class TanhRate(Squashing):
    """rate(u) = max_rate * tanh(u / max_rate). max_rate in Hz."""

    kind: ClassVar[str] = "tanh"
    max_rate: float = 1.0

    def can_replace(self, activation: Activation) -> bool:
        return isinstance(activation, Tanh)

    def response(self, current: AnyArray) -> AnyArray:
        return self.max_rate * np.tanh(current)
