"""Neuron and synapse models, and the two ops that put them into a graph.

A neuron model maps a wanted rate ``u`` (Hz) to a firing rate (Hz): its current is ``gain * u + offset`` in units of
its threshold. The op ``Neurons`` turns activations into rates and back: ``y = scale * rate(x / scale)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.activations import Activation, Relu, Sigmoid, Tanh
from snnc.ir.op import Op, Record, op
from snnc.ir.types import Array, Shape, TensorType

State = dict[str, Array]
"""What a population remembers from step to step, by name, each ``(batch, *shape)``."""


class NeuronModel(Record, ABC):
    """A neuron: which activation it stands for, its rate curve, and its step rule."""

    spiking: ClassVar[bool]
    exact: ClassVar[bool] = True
    """Whether the rate curve equals the activation it stands for."""
    scalable: ClassVar[bool] = True
    """Whether ``scale * rate(x / scale)`` does not depend on the scale."""

    @property
    def gain(self) -> float:
        """Return the current per Hz of wanted rate."""
        return 1.0

    @property
    def offset(self) -> float:
        """Return the current at a wanted rate of zero."""
        return 0.0

    @abstractmethod
    def represents(self, activation: Activation) -> bool:
        """Return whether these neurons can stand for the activation."""

    @abstractmethod
    def rate(self, u: Array) -> Array:
        """Return the firing rate in Hz for a constant wanted rate ``u`` in Hz."""

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        """Return the state before the first step; spiking models start at a random voltage, as Nengo's do."""
        return {"voltage": rng.uniform(0, 1, size=shape).astype(np.float32)} if self.spiking else {}

    @abstractmethod
    def step(self, u: Array, state: State, dt: float) -> Array:
        """Return the output of one step of ``dt`` seconds, in Hz (a spike is 1 / dt), and update ``state``.

        ``u`` is the callee's: it may be overwritten and returned.
        """


class ReluLike(NeuronModel):
    """Neurons that stand for max(x, 0)."""

    def represents(self, activation: Activation) -> bool:
        return isinstance(activation, Relu) and activation.plain


class RateNeurons(NeuronModel):
    """Neurons that give their rate itself, without spikes."""

    spiking: ClassVar[bool] = False

    def step(self, u: Array, state: State, dt: float) -> Array:
        return self.rate(u)


@op
class ReluRate(RateNeurons, ReluLike):
    """rate(u) = max(u, 0)."""

    kind: ClassVar[str] = "relu"

    def rate(self, u: Array) -> Array:
        return np.maximum(u, np.float32(0))


@op
class SigmoidRate(RateNeurons):
    """rate(u) = 1 / (1 + exp(-u))."""

    kind: ClassVar[str] = "sigmoid"
    scalable: ClassVar[bool] = False

    def represents(self, activation: Activation) -> bool:
        return isinstance(activation, Sigmoid)

    def rate(self, u: Array) -> Array:
        return Sigmoid().evaluate(u)


@op
class TanhRate(RateNeurons):
    """rate(u) = tanh(u)."""

    kind: ClassVar[str] = "tanh"
    scalable: ClassVar[bool] = False

    def represents(self, activation: Activation) -> bool:
        return isinstance(activation, Tanh)

    def rate(self, u: Array) -> Array:
        return np.tanh(u)


@op
class SpikingRelu(ReluLike):
    """v += max(u, 0) dt; n = floor(v); v -= n; output n / dt. Nengo's SpikingRectifiedLinear."""

    kind: ClassVar[str] = "spiking-relu"
    spiking: ClassVar[bool] = True

    def rate(self, u: Array) -> Array:
        return np.maximum(u, np.float32(0))

    def step(self, u: Array, state: State, dt: float) -> Array:
        voltage = state["voltage"]
        np.maximum(u, 0, out=u)
        u *= u.dtype.type(dt)
        voltage += u
        spikes = np.floor(voltage, out=u)
        voltage -= spikes
        spikes *= u.dtype.type(1 / dt)
        return spikes


@op
class SoftResetIf(ReluLike):
    """v += u dt; n = clip(floor(v), 0, gamma); v -= n; output n / dt: the neuron of the conversion literature.

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

    def step(self, u: Array, state: State, dt: float) -> Array:
        voltage = state["voltage"]
        u *= u.dtype.type(dt)
        voltage += u
        spikes = np.floor(voltage, out=u)
        np.clip(spikes, 0, self.gamma, out=spikes)
        voltage -= spikes
        spikes *= u.dtype.type(1 / dt)
        return spikes


class LifLike(ReluLike):
    """The leaky integrate-and-fire rate curve, with the current that fires at about ``u`` Hz well above threshold."""

    exact: ClassVar[bool] = False
    scalable: ClassVar[bool] = False
    tau_rc: float
    tau_ref: float

    @property
    def gain(self) -> float:
        return self.tau_rc

    @property
    def offset(self) -> float:
        # rate(J) tends to (J - 1/2) / tau_rc for large J without a refractory time
        return 0.5

    def rate(self, u: Array) -> Array:
        current = self.gain * u.astype(np.float64) + self.offset
        above = np.maximum(current - 1, 1e-12)
        rate = 1 / (self.tau_ref + self.tau_rc * np.log1p(1 / above))
        return np.where(current > 1, rate, 0).astype(np.float32)


@op
class LifRate(RateNeurons, LifLike):
    """rate(u) = 1 / (tau_ref + tau_rc log(1 + 1 / (J - 1))) for J = tau_rc u + 1/2 above 1. Times in seconds."""

    kind: ClassVar[str] = "lif-rate"
    tau_rc: float = 0.02
    tau_ref: float = 0.002


@op
class Lif(LifLike):
    """tau_rc dv/dt = J - v with J = tau_rc u + 1/2; a spike at v > 1, then v = 0 for tau_ref. Times in seconds."""

    kind: ClassVar[str] = "lif"
    spiking: ClassVar[bool] = True
    tau_rc: float = 0.02
    tau_ref: float = 0.002

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {**super().start(shape, rng), "refractory": np.zeros(shape, dtype=np.float32)}

    def step(self, u: Array, state: State, dt: float) -> Array:
        current = self.gain * u + self.offset
        rest = state["refractory"] - dt
        active = np.clip(dt - rest, 0, dt)  # the part of the step that is not refractory
        voltage = state["voltage"] - (current - state["voltage"]) * np.expm1(-active / self.tau_rc)
        fired = voltage > 1
        # the exact time of the crossing inside the step shortens the refractory period that follows
        with np.errstate(divide="ignore", invalid="ignore"):
            late = dt + self.tau_rc * np.log1p(-(voltage - 1) / (current - 1))
        state["refractory"] = np.where(fired, self.tau_ref + late, rest)
        state["voltage"] = np.where(fired, 0, np.maximum(voltage, 0))
        return fired / dt


class SynapseModel(Record, ABC):
    """A linear filter over time with unit gain; ``tau`` in seconds."""

    tau: float

    @abstractmethod
    def step(self, x: Array, state: State, dt: float) -> Array:
        """Return the output of one step, which is what the steps before have left, then take in ``x``.

        ``state`` is empty before the first step. Discretised for an input that is held during a step, as Nengo does.
        """


@op
class Lowpass(SynapseModel):
    """tau dy/dt = x - y."""

    kind: ClassVar[str] = "lowpass"
    tau: float

    def step(self, x: Array, state: State, dt: float) -> Array:
        keep = x.dtype.type(np.exp(-dt / self.tau))
        y, spare = state.get("y"), state.get("spare")
        if y is None or spare is None:
            y, spare = np.zeros_like(x), np.empty_like(x)
        np.multiply(x, 1 - keep, out=spare)
        spare += keep * y
        state["y"], state["spare"] = spare, y  # what is returned now is overwritten in the next step
        return y


@op
class Alpha(SynapseModel):
    """Two low-passes in a row: (tau d/dt + 1)^2 y = x."""

    kind: ClassVar[str] = "alpha"
    tau: float

    def step(self, x: Array, state: State, dt: float) -> Array:
        first, second = state.get("first"), state.get("second")
        if first is None or second is None:
            first, second = np.zeros_like(x), np.zeros_like(x)
        ratio = dt / self.tau
        keep = np.exp(-ratio)
        real = x.dtype.type
        state["second"] = real(keep) * second + real(ratio * keep) * first + real(1 - keep - ratio * keep) * x
        state["first"] = real(keep) * first + real(1 - keep) * x
        return second


@op
class Neurons(Op):
    """y = scale * rate(x / scale). scale: activation x seconds that one spike stands for; one, or one a channel."""

    kind: ClassVar[str] = "neurons"
    model: NeuronModel
    scale: float | Array = 1.0

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        scale = np.asarray(self.scale)
        if scale.ndim > 1 or (scale.ndim == 1 and scale.shape != x.shape[-1:]):
            raise ShapeError(f"scale of shape {scale.shape} fits neither one number nor the channels of {x}")
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise ShapeError("every scale must be finite and positive")
        return TensorType(x.shape, "spikes" if self.model.spiking else "rate")

    def evaluate(self, *inputs: Array) -> Array:
        scale = np.asarray(self.scale, dtype=np.float32)
        return scale * self.model.rate(inputs[0] / scale)

    def step(self, x: Array, state: State, dt: float) -> Array:
        """Return the output of one step of ``dt`` seconds and update ``state``; a spike is ``scale / dt``."""
        scale = np.asarray(self.scale, dtype=x.dtype)
        y = self.model.step(x / scale, state, dt)
        y *= scale
        return y


@op
class Synapse(Op):
    """Filter over time; in rate mode (constant input, long after the start) y = x."""

    kind: ClassVar[str] = "synapse"
    linear: ClassVar[bool] = True
    model: SynapseModel

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.model.tau <= 0:
            raise ShapeError(f"a synapse needs a positive time constant, got {self.model.tau} s")
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0]


MODELS: tuple[type[NeuronModel], ...] = (ReluRate, SigmoidRate, TanhRate, SpikingRelu, SoftResetIf, LifRate, Lif)
"""The built-in neuron models."""
