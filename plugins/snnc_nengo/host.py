"""Ops that a node computes in numpy, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from snnc.api import AnyArray, Array, Op, Shape, State, Stateful, TensorType, for_batch


@dataclass(frozen=True, eq=False)
class HostFunction:
    """The function of a node that evaluates an op; a class, because worker processes must be able to receive it.

    It is equal to itself only, because simulators look functions up, which arrays in them would not let them do.
    """

    op: Op
    inputs: tuple[TensorType, ...]
    constants: tuple[Array, ...]
    """By input slot: what is missing from its signal."""

    def __call__(self, t: float, x: AnyArray) -> AnyArray:
        """Return the flattened output for the flattened inputs at time ``t`` (which does not matter)."""
        with np.errstate(all="ignore"):
            return np.asarray(self.op.evaluate(*self.values(x))).ravel()

    def values(self, x: AnyArray) -> list[Array]:
        """Return the inputs, ``(1, *shape)`` each, from their signals one behind the other."""
        parts = np.split(x.astype(np.float32), np.cumsum([t.size for t in self.inputs])[:-1])
        return [
            (part.reshape(t.shape) + constant)[None]
            for part, t, constant in zip(parts, self.inputs, self.constants, strict=True)
        ]


class HostProcess(nengo.Process):
    """The process of a node that steps an op with a state, which Nengo makes anew whenever it starts or is reset."""

    def __init__(self, function: HostFunction, start: State) -> None:
        """Take the op with its inputs, and the state of one sample before the first step."""
        super().__init__(sum(t.size for t in function.inputs))
        self.function = function
        self.start = start

    def make_step(
        self, shape_in: Shape, shape_out: Shape, dt: float, rng: Any, state: Any
    ) -> Callable[[float, AnyArray], AnyArray]:
        """Return the function of one step of ``dt`` seconds, with a state of its own."""
        op, mine = self.function.op, for_batch(self.start, 1)
        assert isinstance(op, Stateful)

        def step(t: float, x: AnyArray) -> AnyArray:
            with np.errstate(all="ignore"):
                return op.step(mine, dt, *self.function.values(x)).ravel()

        return step
