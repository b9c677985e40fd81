"""An activation that is applied once, to the read-out of an output, and not in every step."""

from __future__ import annotations

from typing import ClassVar

from snnc.ir.graph import Graph
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType
from snnc.ops.activations import Activation
from snnc.ops.layers import Identity


@op
class ReadOutActivation(Op):
    """y = activation(x), applied to the mean over the read-out window; from step to step it passes x on.

    A softmax of what jumps with every spike says little; the softmax of the mean is what the model computes.
    """

    kind: ClassVar[str] = "deferred"
    activation: Activation

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(self.activation.infer(*inputs).shape, inputs[0].signal)

    def evaluate(self, *inputs: Array) -> Array:
        return self.activation.evaluate(*inputs)


def stepwise(graph: Graph) -> Graph:
    """Return the graph as it runs step by step, in which read-out activations pass their inputs on.

    This is what backends lower and the evaluator runs, so that neither needs to know of deferring.
    """
    running = graph.copy()
    for node in graph:
        if isinstance(node.op, ReadOutActivation):
            running.replace(node.name, Identity())
    return running
