"""Read-outs: how the outputs of all steps become one answer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, TypeAlias

import numpy as np

from snnc.errors import UsageError
from snnc.ir.op import Record, op
from snnc.ir.types import Array


class ReadOut(Record, ABC):
    """A weighted mean over the steps; the weights add up to 1."""

    family: ClassVar[str] = "read-out"

    @abstractmethod
    def every_step(self, y: Array, dt: float) -> Array:
        """Return the read-out after each step.

        Args:
            y: outputs, ``(batch, steps, *shape)``.
            dt: seconds a step.

        Returns:
            float32 of the same shape.

        """

    def __call__(self, y: Array, dt: float) -> Array:
        """Return the answer after the last step, ``(batch, *shape)`` float32."""
        return self.every_step(y, dt)[:, -1]

    def weights(self, steps: int, dt: float) -> Array:
        """Return the weight of each step in the answer after the last, ``(steps,)`` float32."""
        return self(np.eye(steps, dtype=np.float32)[None], dt)[0]

    def window(self, steps: int) -> slice:
        """Return the steps over which firing rates are measured: by default the second half."""
        return MeanReadOut().window(steps)


@op
class MeanReadOut(ReadOut):
    """The mean over all steps but a share at the start, in which the network settles."""

    kind: ClassVar[str] = "mean"
    start: float = 0.5
    """The share of the steps that is left out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.start, bool) or not isinstance(self.start, (int, float)) or not 0 <= self.start < 1:
            raise UsageError(f"read-out: the share of steps to leave out is from 0 to below 1, not {self.start!r}")

    def every_step(self, y: Array, dt: float) -> Array:
        sums = np.zeros((y.shape[0], y.shape[1] + 1, *y.shape[2:]))
        np.cumsum(y, axis=1, dtype=np.float64, out=sums[:, 1:])
        ends = np.arange(1, y.shape[1] + 1)
        starts = np.array([self.window(end).start for end in ends])
        lengths = (ends - starts).reshape(-1, *(1,) * (y.ndim - 2))
        return ((sums[:, ends] - sums[:, starts]) / lengths).astype(np.float32)

    def __call__(self, y: Array, dt: float) -> Array:
        """Return the mean over the window, ``(batch, *shape)`` float32."""
        return y[:, self.window(y.shape[1])].mean(axis=1, dtype=np.float32)

    def window(self, steps: int) -> slice:
        """Return the steps that are averaged."""
        return slice(min(int(steps * self.start), steps - 1), steps)


@op
class LastReadOut(ReadOut):
    """The output of the last step, as a network with synapses has it in its probes."""

    kind: ClassVar[str] = "last"
    start: float = 0.5
    """The share of the steps that is left out where firing rates are measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        MeanReadOut(start=self.start)

    def window(self, steps: int) -> slice:
        return MeanReadOut(start=self.start).window(steps)

    def every_step(self, y: Array, dt: float) -> Array:
        return np.asarray(y, dtype=np.float32)


@op
class LowPassReadOut(ReadOut):
    """A low-pass filter over the steps, with weights that add up to 1 from the first step on."""

    kind: ClassVar[str] = "low-pass"
    tau: float = 0.01
    """Its time constant in seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.tau, bool) or not isinstance(self.tau, (int, float)) or not 0 < self.tau < math.inf:
            raise UsageError(f"read-out: the time constant of low-pass is in seconds and above 0, not {self.tau!r}")

    def every_step(self, y: Array, dt: float) -> Array:
        decay = math.exp(-dt / self.tau)
        filtered, weight = np.zeros((y.shape[0], *y.shape[2:])), 0.0
        every = np.empty(y.shape, dtype=np.float32)
        for t in range(y.shape[1]):
            filtered = decay * filtered + y[:, t]
            weight = decay * weight + 1
            every[:, t] = filtered / weight
        return every


READ_OUTS: tuple[type[ReadOut], ...] = (MeanReadOut, LastReadOut, LowPassReadOut)
"""The built-in read-outs."""
AnyReadOut: TypeAlias = float | str | ReadOut
"""The share of steps that a mean leaves out, or text such as ``last`` and ``low-pass{tau=0.01}``."""
