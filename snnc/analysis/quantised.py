"""The graph with each spiking population replaced by what its spikes say of an input that does not change.

For integrate-and-fire neurons that is phi(z) = theta / T * clip(floor(z T / theta + v0), 0, gamma T), quantisation
clip-floor-shift (Bu et al. 2022a); for graded spikes the nearest that so many powers of two come to it. The error of
this graph is what can be known from the model alone: activations beyond what a neuron can say (clipping), and spikes
being whole, or as many as fit into the steps (quantisation). What the spiking network does beyond it is due to when
spikes come (timing).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from snnc.analysis.ideal_rates import ideal
from snnc.analysis.stored import StoredInput
from snnc.ir.graph import Graph
from snnc.ir.op import Op, op
from snnc.ir.types import Array, Shape, TensorType
from snnc.neurons import Neurons

EMPTY: Mapping[str, StoredInput] = MappingProxyType({})


@op
class Counted(Op):
    """y = what the spikes of a population say of its activation after so many steps; see ``NeuronModel.counted``.

    Its input is that of the population, or with ``stored`` what populations give, which hardware makes its input of.
    """

    kind: ClassVar[str] = "counted"
    arity: ClassVar[int | None] = None
    neurons: Neurons
    steps: int
    dt: float
    shape: Shape
    stored: StoredInput | None = None

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(self.shape)

    def evaluate(self, *inputs: Array) -> Array:
        stored = self.stored
        x = inputs[0] if stored is None else stored(dict(zip(stored.sources, inputs, strict=True)))
        found = counted(self.neurons, ideal(self.neurons).evaluate(x), self.steps, self.dt)
        assert found is not None
        return found[1]


def counted(op: Neurons, activation: Array, steps: int, dt: float) -> tuple[Array, Array] | None:
    """Return activations as far as spikes reach them, and what these say of them; None for other neurons."""
    theta = threshold(op, dt)
    wanted = activation / theta
    found = op.model.counted(wanted, steps)
    if found is None:
        return None
    reached, said = found
    return np.where(reached == wanted, activation, reached * theta), said * theta


def threshold(op: Neurons, dt: float) -> Array:
    """Return theta: the activation that one spike a step stands for, one number or one a channel."""
    return np.asarray(np.asarray(op.scale, dtype=np.float64) / dt, dtype=np.float32)


def quantised_graph(graph: Graph, steps: int, dt: float, stored: Mapping[str, StoredInput] = EMPTY) -> Graph | None:
    """Return the graph with every spiking population counted instead, or None where one has no such form.

    Args:
        graph: as it runs.
        steps: in which spikes are counted.
        dt: seconds a step.
        stored: how hardware computes the input of populations, where its numbers are others.
    """
    other = graph.copy()
    for node in graph:
        op = node.op
        if not isinstance(op, Neurons) or not op.model.spiking:
            continue
        if op.model.counted(np.zeros(1, dtype=np.float32), steps) is None:
            return None
        instead = Counted(neurons=op, steps=steps, dt=dt, shape=node.type.shape, stored=stored.get(node.name))
        sources = graph.sources(node.name) if instead.stored is None else instead.stored.sources
        other.rebuild(node.name, instead, sources)
    return other
