"""Populations of neurons, and synapses, as ops of a graph."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import NUMPY
from snnc.ir.op import op
from snnc.ir.types import AnyArray, Array, TensorType
from snnc.neurons.model import NeuronModel
from snnc.neurons.synapses import SynapseModel
from snnc.ops.kernels.spread import spread
from snnc.ops.stateful import State, Stateful

__all__ = ["Neurons", "Synapse"]


@op
class Neurons(Stateful):
    """y = scale * rate(x / scale).

    ``scale``: the activation that a rate of 1 Hz stands for, in activation times seconds; 1 over the scale of compile.
    One number, or one a channel.
    """

    kind: ClassVar[str] = "neurons"
    model: NeuronModel
    scale: float | Array = 1.0

    @property
    def stateful(self) -> bool:
        return self.model.stateful

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
        return scale * np.asarray(self.model.rate(NUMPY, inputs[0] / scale))

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return self.model.start(inputs[0].shape, rng)

    def decoded(self, mean: Array, steps: int) -> Array:
        """Return the activation that spikes stood for, from the mean of the output over so many steps.

        It is their sum, where they carry changes; the steps must be all of them then.
        """
        return mean * np.float32(steps) if self.model.graded else mean

    def drive(self, x: Array, dt: float) -> Array:
        """Return all of a step that depends on the input alone; see ``NeuronModel.drive``."""
        current = x * spread(_float32(self.model.gain / self._scale), x)
        if self.model.offset:
            current += np.float32(self.model.offset)
        return np.asarray(self.model.drive(NUMPY, current, dt))

    def fire(self, drive: Array, state: State, dt: float) -> Array:
        """Return the output of one step for a drive, and update ``state``; a spike is ``scale / dt``."""
        y = self.model.step(drive, state, dt)
        y *= spread(self.worth(dt), y)
        return y

    def worth(self, dt: float) -> Array:
        """Return what one spike of a step gives, or a rate of 1 Hz: one number or one a channel."""
        return _float32(self._scale / dt if self.model.spiking else self._scale)

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        return self.fire(self.drive(inputs[0], dt), state, dt)

    @property
    def _scale(self) -> AnyArray:
        return np.asarray(self.scale, dtype=np.float64)


@op
class Synapse(Stateful):
    """Filter over time; in rate mode (constant input, long after the start) y = x."""

    kind: ClassVar[str] = "synapse"
    linear: ClassVar[bool] = True
    model: SynapseModel

    def infer(self, *inputs: TensorType) -> TensorType:
        if not 0 < self.model.tau < math.inf:
            raise ShapeError(f"a synapse needs a positive time constant, got {self.model.tau} s")
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        return inputs[0]

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return self.model.start(inputs[0].shape)

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        return self.model.step(inputs[0], state, dt)


def _float32(values: AnyArray) -> Array:
    return np.asarray(values, dtype=np.float32)
