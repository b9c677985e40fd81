"""The graph with each spiking population replaced by its spike count for a constant input.

phi(z) = theta / T * clip(floor(z T / theta + v0), 0, gamma T): quantisation clip-floor-shift (Bu et al. 2022a). Its
error is what can be known from the model alone: activations beyond what a neuron can fire (clipping), and counts being
whole (quantisation). What the spiking network does beyond it is due to when spikes come (timing).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.ir.graph import Graph
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType
from snnc.neurons import Neurons


@op
class QuantisedRelu(Op):
    """y = theta / steps * clip(floor(x steps / theta + start), 0, most), theta one number or one a channel."""

    kind: ClassVar[str] = "counted"
    theta: Array
    steps: int
    start: float
    most: float

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(inputs[0].shape)

    def evaluate(self, *inputs: Array) -> Array:
        unit = self.theta / np.float32(self.steps)
        counts = np.floor(inputs[0] / unit + np.float32(self.start))
        return unit * np.clip(counts, 0, self.most)


def threshold(op: Neurons, dt: float) -> Array:
    """Return theta: the activation that one spike a step stands for, one number or one a channel."""
    return np.asarray(np.asarray(op.scale, dtype=np.float64) / dt, dtype=np.float32)


def quantised_graph(graph: Graph, steps: int, dt: float) -> Graph | None:
    """Return the graph with every spiking population counted instead, or None where one has no such form."""
    other = graph.copy()
    for node in graph:
        op = node.op
        if not isinstance(op, Neurons) or not op.model.spiking:
            continue
        known = op.model.count_limits
        if known is None:
            return None
        start, most = known
        other.replace(node.name, QuantisedRelu(theta=threshold(op, dt), steps=steps, start=start, most=most * steps))
    return other
