"""Max pooling of what jumps: spikes, and the currents that they make."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.ir import convolve
from snnc.ir.op import op
from snnc.ir.ops import Pool
from snnc.ir.temporal import State, Stateful
from snnc.ir.types import Array, TensorType


@op
class SpikingMaxPool(Pool, Stateful):
    """y(t) = m(t) - m(t - 1) with m(t) = max over each window of the sum of x up to t, m(0) = 0.

    Of each window the input that has given most so far passes what it gives, so that the sum of the output is at
    every step the largest of the sums of the inputs. The maximum of every single step would be too large: of two
    inputs that spike in turn, it would pass the spikes of both.
    """

    kind: ClassVar[str] = "spiking-max-pool"
    maximum: ClassVar[bool] = True

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {
            "sums": np.zeros(inputs[0].shape, dtype=np.float32),
            "largest": np.zeros(self.infer(*inputs).shape, dtype=np.float32),
        }

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        sums, before = state["sums"], state["largest"]
        sums += inputs[0]
        state["largest"] = largest = convolve.pool(sums, self.size, self.strides, self.padding, maximum=True)
        return np.subtract(largest, before, out=before)
