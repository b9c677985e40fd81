"""Neurons that send changes: graded spikes, each a power of two, that bring what their readers hold to the target."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons.model import NeuronModel
from snnc.ops.activations import Activation, Linear, Relu
from snnc.ops.stateful import State

__all__ = ["SigmaDelta"]

ABOVE = 3
"""Spikes may be up to 2 ** ABOVE times the range: values that calibration did not see take no more steps for it."""

MOST = 16
"""Sizes of spikes; of more, float32 would lose the smallest where a neuron has sent far more than its range."""


@op
class SigmaDelta(NeuronModel):
    """x += u; e = f(x) dt - sent; n = the nearest of 0 and +-2 ** -k to e; sent += n.

    Readers add up what they get, so that they hold ``sent``, and a spike is what brings that nearest to the target
    f(x): at most a third of the error is left after a step, and a neuron whose input has come to rest falls silent,
    with an error of half the smallest spike at most (sigma-delta coding; several thresholds: Huang et al. 2025).
    What arrives are changes, too: the pass ``carry-changes`` puts the graph into that form.

    A spike of size 1 stands for the range, which is the population's ``scale / dt``.
    """

    kind: ClassVar[str] = "sigma-delta"
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True
    takes_back: ClassVar[bool] = True
    levels: int = 6
    """How many sizes of spikes there are up to the range: 1, 1/2, ... 2 ** (1 - levels)."""
    of: Activation = Relu()
    """What the neuron gives of what has arrived: f."""
    unit: float | Array = 1.0
    """The scale of the population, one number or one a channel, which f has to know unless it is a plain ReLU."""
    initial: float | Array = 0.0
    """What constants bring to the neuron, in Hz: one number, one a channel, or one a neuron."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.levels, bool) or not isinstance(self.levels, int) or not 1 <= self.levels <= MOST:
            raise UsageError(f"neurons {self.kind!r}: levels is a whole number from 1 to {MOST}, not {self.levels!r}")

    @property
    def scale_invariant(self) -> bool:
        return isinstance(self.of, Linear) or (isinstance(self.of, Relu) and self.of.plain)

    @property
    def activation(self) -> Activation | None:
        return self.of

    @property
    def payload(self) -> int:
        return 1 + math.ceil(math.log2(self.levels + ABOVE))

    @property
    def smallest(self) -> float:
        return 2.0 ** (1 - self.levels)

    def can_replace(self, activation: Activation) -> bool:
        return activation.elementwise and not any(activation.arrays())

    def replacing(self, activation: Activation) -> SigmaDelta:
        return replace(self, of=activation)

    def response(self, xp: Namespace, current: Any) -> Any:
        shape = current.shape[1:] or current.shape
        return self._target(xp, current + filled(self.initial, shape), filled(self.unit, shape))

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        state = {"arrived": filled(self.initial, shape), "sent": np.zeros(shape, dtype=np.float32)}
        return state if self.scale_invariant else {**state, "unit": filled(self.unit, shape)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        arrived, sent = state["arrived"] + drive, state["sent"]
        target = self._target(xp, arrived, state.get("unit")) * dt
        spikes = nearest_power(xp, target - sent, self.levels)
        return spikes, {**state, "arrived": arrived, "sent": sent + spikes}

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        arrived, sent = state["arrived"], state["sent"]  # in place: half of the rule's time for large layers
        arrived += drive
        error = np.multiply(self._target(NUMPY, arrived, state.get("unit")), dt, dtype=arrived.dtype)
        error -= sent
        spikes = np.abs(error, out=out)
        loud = spikes > 2.0**-self.levels
        np.clip(NUMPY.power_near(spikes), 2.0 ** (1 - self.levels), 2.0**ABOVE, out=spikes)
        spikes *= loud
        np.copysign(spikes, error, out=spikes)
        sent += spikes
        return spikes

    def _target(self, xp: Namespace, x: Any, unit: Any) -> Any:
        return self.of.rule(xp, x) if self.scale_invariant else self.of.rule(xp, x * unit) / unit


def nearest_power(xp: Namespace, x: Any, levels: int) -> Any:
    """Return the nearest to x of 0 and the powers of two, of either sign, from 2 ** (1 - levels) to 2 ** ABOVE.

    A tie with 0 is 0: sent, it would come back with the other sign for ever.
    """
    size = xp.abs(x)
    power = xp.clip(xp.power_near(size), 2.0 ** (1 - levels), 2.0**ABOVE)
    power = xp.where(size <= 2.0**-levels, xp.zeros_like(x), power)
    return xp.where(x < 0, -power, power)


def filled(value: float | Array, shape: Shape) -> Array:
    """Return one number, one a channel or one a neuron as an array of a shape, which may be flattened."""
    return np.resize(np.asarray(value, dtype=np.float32), shape)
