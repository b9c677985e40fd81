"""Apply the final activation to the read-out, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.ir.graph import Graph
from snnc.ops.activations import Activation
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class DeferFinalActivation(Pass):
    """Take an activation that gives an output, and that no neurons stand for, out of the time loop.

    The network gives its argument, the read-out averages that, and then the activation is applied: a spiking
    network need not compute a softmax every step, and its mean is what the model's softmax sees.

    Before::

        %dense = softmax(%dense.linear) : rate[10]

    After::

        %dense = deferred(%dense.linear) {activation=softmax{axis=-1}} : rate[10]
    """

    name: ClassVar[str] = "defer-final-activation"
    stage: ClassVar[Stage] = Stage.SPIKE
    after: ClassVar[tuple[str, ...]] = ("swap-activations",)
    default: ClassVar[bool] = True
    level: ClassVar[int] = 1
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for name in dict.fromkeys(graph.output_nodes.values()):
            node = graph[name]
            if isinstance(node.op, Activation) and not graph.readers(name):
                graph.replace(name, ReadOutActivation(activation=node.op))
                context.note(
                    f"the final {node.op.kind} of {name!r} is applied to the averaged read-out, not every step"
                )
