"""How far what a network gives is behind the slices of a sequence: a spike takes a step from core to core."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnc.api import Array, Causal, Graph, State, Synapse, TensorType, is_temporal, op
from snnc_loihi.placement_queries import linear_sources, on_chip


def lags_of(graph: Graph) -> dict[str, int]:
    """Return by node how many steps after a slice the host gets what the node makes of it.

    A spike is at the next core, or at the host, one step after it was sent, and a filter of the host takes one more. Of
    branches of different lengths the longest counts. Empty where the inputs do not change.
    """
    lags: dict[str, int] = {}
    for node in list(graph) if is_temporal(graph) else []:
        if on_chip(node):
            roots = linear_sources(graph, node.name)
            lags[node.name] = max(lags[root.name] + (1 if on_chip(root) else 2) for root in roots)
        else:
            before = max((lags[source] for source in graph.sources(node.name)), default=0)
            lags[node.name] = before + isinstance(node.op, Synapse)  # it shows what it held after the step before
    return lags


@op
class Late(Causal):
    """What an op over time gives that begins after ``wait`` steps, when the first slice comes to it: zeros until then.

    Running means and recurrent cells behind the chip would otherwise count steps in which nothing has come yet. It is
    in no graph but that which a program runs.
    """

    kind: ClassVar[str] = "late"
    arity: ClassVar[int | None] = None
    op: Causal
    wait: int

    def infer(self, *inputs: TensorType) -> TensorType:
        return self.op.infer(*inputs)

    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        return {**self.op.start(inputs, rng), "waited": np.zeros((), dtype=np.int64)}

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        if state["waited"][0] < self.wait:
            state["waited"] += 1
            shape = self.op.infer(*(TensorType(x.shape[1:]) for x in inputs)).shape
            return np.zeros((len(inputs[0]), *shape), dtype=np.float32)
        return self.op.step(state, dt, *inputs)


def with_late_starts(graph: Graph) -> Graph:
    """Return the graph in which what remembers slices behind the chip begins when they come."""
    late = graph.copy()
    for name, lag in lags_of(graph).items():
        node = graph[name]
        if lag and isinstance(node.op, Causal):
            late.replace(name, Late(op=node.op, wait=lag))
    return late
