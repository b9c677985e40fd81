"""Leave out a softmax at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class DropFinalSoftmax(Pass):
    """Remove a softmax that gives an output: the class chosen stays the same, the outputs become logits.

    A softmax has no spiking form, so it would stay on the host. It does not run unless it is named, because it
    changes what the outputs mean; a note records each one that is dropped.

    Before::

        graph 'logits' -> %dense
        %x = input() {shape=(4)} : rate[4]
        %dense.linear = dense(%x) {weight=f32[4,10] ...} : rate[10]
        %dense = softmax(%dense.linear) : rate[10]

    After::

        graph 'logits' -> dense=%dense.linear
        %dense.linear = dense(%x) {weight=f32[4,10] ...} : rate[10]
    """

    name: ClassVar[str] = "drop-final-softmax"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    after: ClassVar[tuple[str, ...]] = ("drop-identities", "split-activations")

    def apply(self, graph: Graph, context: Context) -> None:
        for output, name in graph.output_nodes.items():
            op, last = graph[name].op, len(graph[name].type.shape) - 1
            if isinstance(op, (ops.Softmax, ops.LogSoftmax)) and op.axis in (-1, last) and not graph.readers(name):
                graph.remove(name)
                context.note(f"the final {op.kind} of output {output!r} is dropped: its values are logits now")
