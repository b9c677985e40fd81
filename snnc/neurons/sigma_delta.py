"""Neurons that send changes: graded spikes, each a power of two, that bring what their readers hold to the target."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons.wrapping import Wrapping, filled
from snnc.ops.stateful import State

__all__ = ["SigmaDelta"]

ABOVE = 3
"""Spikes may be up to 2 ** ABOVE times the range: values that calibration did not see take no more steps for it."""

MOST = 16
"""Sizes of spikes; of more, float32 would lose the smallest where a neuron has sent far more than its range."""


@op
class SigmaDelta(Wrapping):
    """x += u; e = f(x) dt - sent; n = the nearest of 0 and +-2 ** -k to e; sent += n.

    Readers add up what they get, so that they hold ``sent``, and a spike is what brings that nearest to the target
    f(x): at most a third of the error is left after a step, and a neuron whose input has come to rest falls silent,
    with an error of half the smallest spike at most (sigma-delta coding; several thresholds: Huang et al. 2025).
    What arrives are changes, too: the pass ``carry-changes`` puts the graph into that form.

    A spike of size 1 stands for the range, which is the population's ``scale / dt``.
    """

    kind: ClassVar[str] = "sigma-delta"
    graded: ClassVar[bool] = True
    levels: int = 6
    """How many sizes of spikes there are up to the range: 1, 1/2, ... 2 ** (1 - levels)."""
    spikes: int = 1
    """The most spikes in a step: each leaves at most a third of the error that the one before it left."""
    initial: float | Array = 0.0
    """What constants bring to the neuron, in Hz: one number, one a channel, or one a neuron."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.levels, bool) or not isinstance(self.levels, int) or not 1 <= self.levels <= MOST:
            raise UsageError(f"neurons {self.kind!r}: levels is a whole number from 1 to {MOST}, not {self.levels!r}")
        if isinstance(self.spikes, bool) or not isinstance(self.spikes, int) or not 1 <= self.spikes <= MOST:
            raise UsageError(f"neurons {self.kind!r}: spikes is a whole number from 1 to {MOST}, not {self.spikes!r}")

    def counted(self, activation: Array, steps: int) -> tuple[Array, Array] | None:
        most = np.float32(2**ABOVE * steps * self.spikes)
        reached = np.clip(activation, -most, most)
        said = np.zeros_like(reached)
        for _ in range(steps * self.spikes):
            said += nearest_power(NUMPY, reached - said, self.levels)
        return reached, said

    @property
    def payload(self) -> int:
        return self.spikes * (1 + math.ceil(math.log2(self.levels + ABOVE)))

    @property
    def spikes_a_message(self) -> int:
        return self.spikes

    @property
    def smallest(self) -> float:
        return 2.0 ** (1 - self.levels)

    def response(self, xp: Namespace, current: Any) -> Any:
        shape = current.shape[1:] or current.shape
        return super().response(xp, current + filled(self.initial, shape))

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        arrived, sent = filled(self.initial, shape), np.zeros(shape, dtype=np.float32)
        return {"arrived": arrived, "sent": sent, **self.own_unit(shape)}

    def rule(self, xp: Namespace, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        arrived, sent = state["arrived"] + drive, state["sent"]
        target = self.target(xp, arrived, state.get("unit")) * dt
        spikes = nearest_power(xp, target - sent, self.levels)
        sent = sent + spikes
        for _ in range(self.spikes - 1):
            more = nearest_power(xp, target - sent, self.levels)
            spikes, sent = spikes + more, sent + more
        return spikes, {**state, "arrived": arrived, "sent": sent}

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        arrived, sent = state["arrived"], state["sent"]  # in place: half of the rule's time for large layers
        arrived += drive
        target = np.multiply(self.target(NUMPY, arrived, state.get("unit")), dt, dtype=arrived.dtype)
        error = np.subtract(target, sent, out=target if self.spikes == 1 else None)
        spikes = self._nearest(error, out)
        sent += spikes
        for _ in range(self.spikes - 1):
            more = self._nearest(np.subtract(target, sent, out=error))
            sent += more
            spikes += more
        return spikes

    def _nearest(self, error: AnyArray, out: AnyArray | None = None) -> AnyArray:
        """Return what ``nearest_power`` gives, in as few new arrays as can be."""
        spikes = np.abs(error, out=out)
        loud = spikes > 2.0**-self.levels
        np.clip(NUMPY.power_near(spikes), 2.0 ** (1 - self.levels), 2.0**ABOVE, out=spikes)
        spikes *= loud
        np.copysign(spikes, error, out=spikes)
        return spikes


def nearest_power(xp: Namespace, x: Any, levels: int) -> Any:
    """Return the nearest to x of 0 and the powers of two, of either sign, from 2 ** (1 - levels) to 2 ** ABOVE.

    A tie with 0 is 0: sent, it would come back with the other sign for ever.
    """
    size = xp.abs(x)
    power = xp.clip(xp.power_near(size), 2.0 ** (1 - levels), 2.0**ABOVE)
    power = xp.where(size <= 2.0**-levels, xp.zeros_like(x), power)
    return xp.where(x < 0, -power, power)
