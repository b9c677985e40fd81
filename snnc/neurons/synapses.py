"""Filters over time, as Nengo discretises them: for an input that is held during a step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import Record, op
from snnc.ir.types import Array, Shape
from snnc.ops.stateful import State

__all__ = ["Alpha", "Lowpass", "SynapseModel"]


class SynapseModel(Record, ABC):
    """A linear filter over time with unit gain; ``tau`` in seconds."""

    family: ClassVar[str] = "synapse"
    tau: float

    @abstractmethod
    def start(self, shape: Shape) -> State:
        """Return the state of one sample before the first step: nothing came in yet."""

    @abstractmethod
    def rule(self, xp: Namespace, x: Any, state: State, dt: float) -> tuple[Any, State]:
        """Return what the steps before have left, whatever ``x`` is, and the state with ``x`` taken in.

        Written once for all backends, over the array functions ``xp`` (``snnc/ir/namespace.py``), and pure.
        """

    def step(self, x: Array, state: State, dt: float) -> Array:
        """Return what the rule gives in numpy, and update ``state``."""
        output, new = self.rule(NUMPY, x, state, dt)
        state.update(new)
        return np.asarray(output)


@op
class Lowpass(SynapseModel):
    """tau dy/dt = x - y."""

    kind: ClassVar[str] = "lowpass"
    tau: float

    def start(self, shape: Shape) -> State:
        return {"y": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Namespace, x: Any, state: State, dt: float) -> tuple[Any, State]:
        y, ratio = state["y"], dt / self.tau
        return y, {"y": y * math.exp(-ratio) + x * -math.expm1(-ratio)}


@op
class Alpha(SynapseModel):
    """Two low-passes in a row: (tau d/dt + 1)^2 y = x."""

    kind: ClassVar[str] = "alpha"
    tau: float

    def start(self, shape: Shape) -> State:
        return {"first": np.zeros(shape, dtype=np.float32), "second": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Namespace, x: Any, state: State, dt: float) -> tuple[Any, State]:
        first, second, ratio = state["first"], state["second"], dt / self.tau
        keep = math.exp(-ratio)
        return second, {
            "second": keep * second + ratio * keep * first + (1 - keep - ratio * keep) * x,
            "first": keep * first - math.expm1(-ratio) * x,
        }
