"""Pool before the activation, where there is less to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class PoolBeforeActivation(Pass):
    """Take the maximum of the arguments of a rising activation, not of its values: max f(x) = f(max x).

    The neurons that are going to stand for the activation are a quarter then for windows of 2 x 2, as are their
    spikes; and behind the first layer, whose argument does not change, max pooling stays exact and is done once.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = relu(%x) : rate[6,6,4]
        %pool = max-pool(%conv) {size=(2,2) strides=(2,2)} : rate[3,3,4]

    After::

        %pool.max = max-pool(%x) {size=(2,2) strides=(2,2)} : rate[3,3,4]
        %pool = relu(%pool.max) : rate[3,3,4]
    """

    name: ClassVar[str] = "pool-before-activation"
    stage: ClassVar[Stage] = Stage.FUSE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph.nodes(ops.MaxPool, ops.GlobalMaxPool):
            activation = graph[graph.sources(node.name)[0]]
            monotone = isinstance(activation.op, ops.Activation) and activation.op.is_monotone
            if not monotone or graph.sole_reader(activation.name) != node.name:
                continue
            graph.split(node.name, graph.fresh_name(f"{node.name}.max"), node.op, activation.op)
            graph.set_origin(node.name, activation.origin.joined([graph[node.name].origin]))
            graph.remove(activation.name)
