"""What a neuron model is, and the models that give a rate, not spikes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import Record, op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.ops.activations import Activation, Relu, Sigmoid, Tanh
from snnc.ops.stateful import State

__all__ = ["NeuronModel", "RateNeurons", "ReluLike", "ReluRate", "SigmoidRate", "TanhRate"]

POSITIVE = ("tau_rc", "tau_n", "tau_recovery", "gamma", "max_rate")
"""Fields of neuron models that must be above zero."""


class NeuronModel(Record, ABC):
    """A neuron: which activation it stands for, its rate curve, and the rule of one time step.

    A wanted rate ``u`` in Hz becomes the current ``gain * u + offset``, in units of the threshold. ``response``,
    ``drive`` and ``rule`` are written once, element by element, over the array functions ``xp`` of
    ``snnc/ir/namespace.py``: numpy, Nengo, NengoDL and TensorFlow run the same lines. All three are pure: they change
    none of their arguments.
    """

    family: ClassVar[str] = "neuron"
    spiking: ClassVar[bool]
    graded: ClassVar[bool] = False
    """Whether a spike has one of several sizes: what a step gives is one spike then, else so many of size 1."""
    takes_back: ClassVar[bool] = False
    """Whether spikes that came too early are taken back, so that no bias is left that calibration could mend."""
    trainable: ClassVar[bool] = True
    """Whether gradients pass ``response``, so that rates can take the place of spikes in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.attrs().items():
            if name in POSITIVE and not 0 < value < math.inf:
                raise UsageError(f"neurons {self.kind!r}: {name} cannot be {value}; it must be finite and positive")

    @property
    def matches_activation(self) -> bool:
        """Return whether the rate curve equals the activation it stands for."""
        return True

    @property
    def scale_invariant(self) -> bool:
        """Return whether ``scale * rate(x / scale)`` does not depend on the scale."""
        return True

    def at_scale(self, scale: float | Array) -> NeuronModel | None:
        """Return the model that gives the same at a scale of its population; None where none does."""
        return self if self.scale_invariant or not self.matches_activation else None

    @property
    def unit_scale(self) -> float:
        """Return the scale at which the neurons stand for the activation: any, where they are scale invariant."""
        return 1.0

    @property
    def stateful(self) -> bool:
        """Return whether the output may change from step to step while the current stays the same."""
        return self.spiking

    @property
    def count_limits(self) -> tuple[float, float] | None:
        """Return (voltage at the start, most spikes a step), or None for any but plain integrate-and-fire neurons.

        Those fire ``clip(floor(drive * steps + start), 0, most * steps)`` times for a drive that stays the same.
        """
        return None

    def counted(self, activation: Array, steps: int) -> tuple[Array, Array] | None:
        """Return an activation that stays the same as far as spikes reach, and what they say of it; None if unknown.

        Args:
            activation: in units of what one spike a step stands for, or one graded spike of size 1.
            steps: in which the spikes come.
        """
        if self.count_limits is None:
            return None
        start, most = self.count_limits
        reached = np.minimum(activation, np.float32(most))
        counts = np.floor(reached * np.float32(steps) + np.float32(start))
        return reached, np.clip(counts, 0, most * steps) / np.float32(steps)

    @property
    def defects(self) -> Mapping[str, NeuronModel]:
        """Return what these neurons lose of an input that is not even, by name, each with the neurons that do not.

        Each of these also lacks the defects named before it; the last is a neuron that loses nothing but by clipping.
        """
        return {}

    @property
    def payload(self) -> int:
        """Return the bits of what a neuron sends in a step with spikes."""
        limits = self.count_limits
        return 1 if limits is None or math.isinf(limits[1]) else max(1, math.ceil(math.log2(limits[1])))

    @property
    def spikes_a_message(self) -> int:
        """Return how many graded spikes a step may hold: a message counts as so many."""
        return 1

    @property
    def smallest(self) -> float:
        """Return the size of the smallest spike."""
        return 1.0

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

    def replacing(self, activation: Activation) -> NeuronModel:
        """Return the model that stands for an activation which it can replace: itself, if it stands for one alone."""
        return self

    @property
    def activation(self) -> Activation | None:
        """Return the activation that the neurons stand for, or None if it is none of the plain ones."""
        return next((a for a in (Relu(), Sigmoid(), Tanh()) if self.can_replace(a)), None)

    @abstractmethod
    def response(self, xp: Namespace, current: Any) -> Any:
        """Return the rate in Hz that a constant current settles to, in the current's precision."""

    def rate(self, xp: Namespace, u: Any) -> Any:
        """Return the rate in Hz that a constant wanted rate ``u`` in Hz settles to."""
        current = u if self.gain == 1 else u * self.gain
        return self.response(xp, current + self.offset if self.offset else current)

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        """Return the state of one sample before the first step: float32 arrays of the shape, and a ``RandomStream``.

        Names are those that Nengo uses, where it has the model.
        """
        return {}

    def drive(self, xp: Namespace, current: Any, dt: float) -> Any:
        """Return all of a step that depends on the current alone: done once where the input does not change."""
        return current

    @abstractmethod
    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        """Return the output of one step of ``dt`` seconds, and the state after it, with all of its names.

        The output is the number of spikes, or for rate neurons Hz. A rule that draws takes ``state["rng"].uniform``
        of ``drive.shape[1:]`` or ``.poisson`` of an array, and hands the stream on.
        """

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        """Return what the rule gives in numpy, and update ``state``: what a model may write again to be faster.

        Args:
            drive: of all samples; stays as it is.
            state: of all samples; arrays are changed in place or replaced.
            dt: seconds.
            out: where to write the output, which is a new array otherwise.
        """
        output, new = self.rule(NUMPY, drive, state, dt)
        if out is not None:
            out[...] = output
            output = out
        elif output is drive or any(output is value for value in new.values()):
            output = output.copy()  # the caller may scale it in place
        state.update(new)
        return np.asarray(output)


class ReluLike(NeuronModel):
    """Neurons that stand for max(x, 0)."""

    def can_replace(self, activation: Activation) -> bool:
        return isinstance(activation, Relu) and activation.plain

    def response(self, xp: Namespace, current: Any) -> Any:
        return xp.maximum(current, 0)


class RateNeurons(NeuronModel):
    """Neurons that give their rate itself, without spikes."""

    spiking: ClassVar[bool] = False

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        return self.response(xp, drive), {}


@op
class ReluRate(ReluLike, RateNeurons):
    """rate(u) = max(u, 0)."""

    kind: ClassVar[str] = "relu"


class Squashing(RateNeurons):
    """A curve that saturates: rate(u) = max_rate * f(u / max_rate), so that only one scale makes it f itself."""

    scale_invariant = False
    max_rate: float

    def at_scale(self, scale: float | Array) -> NeuronModel | None:
        """Return the model that gives the same at a scale of its population; None where none does."""
        return self if self.scale_invariant or not self.matches_activation else None

    @property
    def unit_scale(self) -> float:
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

    def response(self, xp: Namespace, current: Any) -> Any:
        # beyond -80 the rate is zero, and the gradient of 1 / (1 + exp(-current)) would be none
        return self.max_rate / (1 + xp.exp(-xp.maximum(current, -80)))


@op
class TanhRate(Squashing):
    """rate(u) = max_rate * tanh(u / max_rate). max_rate in Hz."""

    kind: ClassVar[str] = "tanh"
    max_rate: float = 1.0

    def can_replace(self, activation: Activation) -> bool:
        return isinstance(activation, Tanh)

    def response(self, xp: Namespace, current: Any) -> Any:
        return self.max_rate * xp.tanh(current)
