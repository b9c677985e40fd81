"""Neurons that stand for any activation: they compute it of what has arrived, and send what their readers lack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Array, Shape
from snnc.neurons.model import NeuronModel
from snnc.ops.activations import Activation, Linear, Relu
from snnc.ops.stateful import State

__all__ = ["Wrapping"]


@op
class Wrapping(NeuronModel):
    """A neuron that wraps an activation f: its readers are to hold ``f`` of what has arrived at it.

    What is sent too early is taken back, so that no error stays but that of rounding to spikes (expectation
    compensation, Huang et al. 2024).
    """

    spiking: ClassVar[bool] = True
    takes_back: ClassVar[bool] = True
    of: Activation = Relu()
    """What the neuron gives of what has arrived: f."""
    unit: float | Array = 1.0
    """The scale of the population, one number or one a channel, which f has to know unless it is a plain ReLU."""

    @property
    def rectifies(self) -> bool:
        """Return whether f is a plain ReLU."""
        return isinstance(self.of, Relu) and self.of.plain

    @property
    def scale_invariant(self) -> bool:
        return isinstance(self.of, Linear) or self.rectifies

    @property
    def activation(self) -> Activation | None:
        return self.of

    def can_replace(self, activation: Activation) -> bool:
        return activation.elementwise and not any(activation.arrays())

    def replacing(self, activation: Activation) -> Wrapping:
        return replace(self, of=activation)

    def at_scale(self, scale: float | Array) -> Wrapping:
        return self if self.scale_invariant else replace(self, unit=scale)

    def response(self, xp: Namespace, current: Any) -> Any:
        return self.target(xp, current, filled(self.unit, current.shape[1:] or current.shape))

    def own_unit(self, shape: Shape) -> State:
        """Return the part of the state that holds the unit, where f has to know it."""
        return {} if self.scale_invariant else {"unit": filled(self.unit, shape)}

    def target(self, xp: Namespace, x: Any, unit: Any) -> Any:
        """Return f of an input in Hz, in Hz."""
        return self.of.rule(xp, x) if self.scale_invariant else self.of.rule(xp, x * unit) / unit


def filled(value: float | Array, shape: Shape) -> Array:
    """Return one number, one a channel or one a neuron as an array of a shape, which may be flattened."""
    return np.resize(np.asarray(value, dtype=np.float32), shape)
