"""Apply what is nonlinear at the end to the read-out, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.engine.presentation import is_temporal
from snnc.ir.graph import Graph
from snnc.ops.activations import SpikingActivation
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.ops.stateful import Stateful
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.decompose_activations import is_sum_of_relus


@dataclass(frozen=True)
class DeferFinalActivation(Pass):
    """Take what is nonlinear behind the last weights, and no ReLU, out of the time loop, with all that reads it.

    The network gives its arguments, the read-out averages those, and then it is applied: a spiking network need not
    compute a softmax every step, and its mean is what the model's softmax sees. So it is with a tanh, a layer
    normalisation, or the average of several softmaxes. A ReLU, and what is a sum of ReLUs, is left to neurons where
    nothing deferred is in front of it; so is, in a temporal model, what neurons of its own name can stand for.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %dense.linear = dense(%x) {weight=f32[4,10] ...} : rate[10]
        %dense = softmax(%dense.linear) : rate[10]

    After::

        %dense.linear = dense(%x) {weight=f32[4,10] ...} : rate[10]
        %dense = deferred(%dense.linear) {activation=softmax} : rate[10]
    """

    name: ClassVar[str] = "defer-final-activation"
    stage: ClassVar[Stage] = Stage.SPIKE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        own = set(context.neurons) if is_temporal(graph) else set()
        last = _behind_the_last_weights(graph, own)
        deferred: list[str] = []
        for node in graph:
            fed = any(isinstance(graph[source].op, ReadOutActivation) for source in graph.sources(node.name))
            if node.name in last and (fed or not (node.op.is_linear or is_sum_of_relus(node))):
                graph.replace(node.name, ReadOutActivation(activation=node.op))
                deferred.append(f"{node.op.kind} of {node.name!r}")
        if deferred:
            context.note(f"applied to the read-out, once, and not in every step: the final {', '.join(deferred)}")


def _behind_the_last_weights(graph: Graph, own: set[str]) -> set[str]:
    """Return the nodes that neither have weights nor do anything over time, and have no such node behind them.

    ``own`` are kinds of activations that are going to be neurons.
    """
    found: set[str] = set()
    for node in reversed(list(graph)):
        inputs = tuple(graph[source].type for source in graph.sources(node.name))
        timeless = not isinstance(node.op, (Stateful, SpikingActivation, ReadOutActivation)) and node.op.kind not in own
        ends = all(reader in found for reader, _ in graph.readers(node.name))
        if inputs and timeless and ends and (isinstance(node.op, ops.Multiply) or not node.op.multiply_adds(*inputs)):
            found.add(node.name)
    return found
