"""Average where the model takes a maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.ir.graph import Graph
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class MaxToAverage(Pass):
    """Replace max pooling by average pooling, which is linear, so that every chip can do it. Asked for by name only.

    It changes what the model computes, and costs accuracy unless the model was trained that way; level 2 corrects
    the means of the layers behind it as far as that goes.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %pool = max-pool(%x) {size=(2,2) strides=(2,2)} : rate[3,3,4]

    After::

        %pool = avg-pool(%x) {size=(2,2) strides=(2,2)} : rate[3,3,4]
    """

    name: ClassVar[str] = "max-to-average"
    stage: ClassVar[Stage] = Stage.CANONICALIZE

    def apply(self, graph: Graph, context: Context) -> None:
        changed = []
        for node in graph:
            op = node.op
            if isinstance(op, ops.MaxPool):
                graph.replace(node.name, ops.AvgPool(size=op.size, strides=op.strides, padding=op.padding))
            elif isinstance(op, ops.GlobalMaxPool):
                graph.replace(node.name, ops.GlobalAvgPool())
            else:
                continue
            changed.append(node.name)
        if changed:
            context.note(
                f"{', '.join(changed)}: average pooling instead of max pooling, as asked for; the network no longer "
                "computes what the model computes, so look at the rewrite error and recalibrate with --level 2"
            )
