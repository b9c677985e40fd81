"""Max pooling of spikes and of the currents that they make, which jump from step to step."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.op import op
from snnc.ir.types import Array, TensorType
from snnc.ops.kernels import convolve
from snnc.ops.layers import Pool
from snnc.ops.stateful import State, Stateful


@op
class SpikingMaxPool(Pool, Stateful):
    """y(t) = m(t) - decay m(t - 1) with m(t) the largest over each window of s(t) = decay s(t - 1) + x(t), m(0) = 0.

    Of each window the input that has given most so far passes what it gives, so that the sum of the output is at
    every step the largest of the sums of the inputs. The maximum of every single step would be too large: of two
    inputs that spike in turn, it would pass the spikes of both. With a ``decay`` below 1 the sums forget, so that the
    pool follows inputs that change.
    """

    kind: ClassVar[str] = "spiking-max-pool"
    maximum: ClassVar[bool] = True
    decay: float = 1.0
    """What is left of a sum after a step."""

    def infer(self, *inputs: TensorType) -> TensorType:
        if not 0 <= self.decay <= 1:
            raise ShapeError(f"a decay of {self.decay} is not between 0 and 1")
        return super().infer(*inputs)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {
            "sums": np.zeros(inputs[0].shape, dtype=np.float32),
            "largest": np.zeros(self.infer(*inputs).shape, dtype=np.float32),
        }

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        sums, before = state["sums"], state["largest"]
        if self.decay != 1:
            sums *= np.float32(self.decay)
            before *= np.float32(self.decay)
        sums += inputs[0]
        state["largest"] = largest = convolve.pool(sums, self.size, self.strides, self.padding, maximum=True)
        return np.subtract(largest, before, out=before)
