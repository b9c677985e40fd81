"""Filters over time, as Nengo discretises them: for an input that is held during a step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from snnc.ir.op import Record, op
from snnc.ir.types import Array, Shape
from snnc.ops.stateful import State


class SynapseModel(Record, ABC):
    """A linear filter over time with unit gain; ``tau`` in seconds."""

    family: ClassVar[str] = "synapse"
    tau: float

    @abstractmethod
    def start(self, shape: Shape) -> State:
        """Return the state of one sample before the first step: nothing came in yet."""

    @abstractmethod
    def step(self, x: Array, state: State, dt: float) -> Array:
        """Return the output of one step, which is what the steps before have left, then take in ``x``."""


@op
class Lowpass(SynapseModel):
    """tau dy/dt = x - y."""

    kind: ClassVar[str] = "lowpass"
    tau: float

    def start(self, shape: Shape) -> State:
        return {"y": np.zeros(shape, dtype=np.float32), "spare": np.zeros(shape, dtype=np.float32)}

    def step(self, x: Array, state: State, dt: float) -> Array:
        real, ratio = x.dtype.type, dt / self.tau
        y, after = state["y"], state["spare"]
        np.multiply(y, real(math.exp(-ratio)), out=after)
        after += x * real(-math.expm1(-ratio))
        state["y"], state["spare"] = after, y  # what is returned now is overwritten in the next step
        return y


@op
class Alpha(SynapseModel):
    """Two low-passes in a row: (tau d/dt + 1)^2 y = x."""

    kind: ClassVar[str] = "alpha"
    tau: float

    def start(self, shape: Shape) -> State:
        return {"first": np.zeros(shape, dtype=np.float32), "second": np.zeros(shape, dtype=np.float32)}

    def step(self, x: Array, state: State, dt: float) -> Array:
        first, second = state["first"], state["second"]
        ratio = dt / self.tau
        keep = math.exp(-ratio)
        real = x.dtype.type
        state["second"] = real(keep) * second + real(ratio * keep) * first + real(1 - keep - ratio * keep) * x
        state["first"] = real(keep) * first + real(-math.expm1(-ratio)) * x
        return second
