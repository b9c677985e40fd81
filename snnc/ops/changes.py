"""Between values and what brings them about step by step: changes that add up, or rates of which they are means."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import Namespace
from snnc.ir.op import op
from snnc.ir.types import Array, TensorType, broadcast
from snnc.ops.stateful import Causal, State

__all__ = ["Accumulate", "Difference", "Increment"]


class Conversion(Causal):
    """An op between values and changes. In rate mode, when all has come to rest, both stand for the same."""

    linear: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(inputs[0].shape)

    def over_time(self, *inputs: Array) -> Array:
        return inputs[0]


@op
class Difference(Conversion):
    """y(t) = x(t) - x(t - 1), x(0) = 0."""

    kind: ClassVar[str] = "difference"

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {"before": np.zeros(inputs[0].shape, dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        (x,) = drive
        return x - state["before"], {"before": x}


@op
class Accumulate(Conversion):
    """y(t) = y(t - 1) + x(t), y(0) = initial: in rate mode x + initial."""

    kind: ClassVar[str] = "accumulate"
    initial: float | Array = 0.0
    """What constants bring: one number, or an array that broadcasts to the input's shape from the right."""

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if broadcast(np.shape(self.initial), x.shape) != x.shape:
            raise ShapeError(f"initial of shape {np.shape(self.initial)} does not broadcast to {x}")
        return TensorType(x.shape)

    def over_time(self, *inputs: Array) -> Array:
        return inputs[0] + np.asarray(self.initial, dtype=np.float32)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {"sums": np.array(np.broadcast_to(np.asarray(self.initial, dtype=np.float32), inputs[0].shape))}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        sums = state["sums"] + drive[0]
        return sums, {"sums": sums}


@op
class Increment(Conversion):
    """y(t) = t x(t) - (t - 1) x(t - 1): what has the mean x(t) over the steps so far."""

    kind: ClassVar[str] = "increment"

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        zeros = np.zeros(inputs[0].shape, dtype=np.float32)
        return {"before": zeros, "steps": np.zeros((1,) * len(inputs[0].shape), dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        (x,) = drive
        before, steps = state["before"], state["steps"]
        return x + steps * (x - before), {"before": x, "steps": steps + 1}
