"""A pass of our own: it makes the op spike."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.api import Context, Graph, Pass, Stage, ops
from snnc_example.ops import Distance


@dataclass(frozen=True)
class SplitDistance(Pass):
    """Write |x - c| as relu(x - c) + relu(c - x), which neurons can stand for.

    ``gain`` scales the result.

    Before::

        %x = input() {shape=(3)} : rate[3]
        %y = distance(%x) {centre=f32[3]} : rate[3]

    After::

        %y.above.in = affine(%x) {scale=f32[3] shift=f32[3]} : rate[3]
        %y.above = relu(%y.above.in) : rate[3]
        %y.below.in = affine(%x) {scale=f32[3] shift=f32[3]} : rate[3]
        %y.below = relu(%y.below.in) : rate[3]
        %y = add(%y.above, %y.below) : rate[3]
    """

    name: ClassVar[str] = "split-distance"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    exact: ClassVar[bool] = True
    gain: float = 1.0

    def apply(self, graph: Graph, context: Context) -> None:
        """Rewrite every distance."""
        for node in graph.nodes(Distance):
            (source,) = graph.sources(node.name)
            parts = []
            for side, sign in (("above", 1.0), ("below", -1.0)):
                scale = np.full(node.op.centre.shape, sign * self.gain)
                shift = -sign * self.gain * node.op.centre
                affine = graph.fresh_name(f"{node.name}.{side}.in")
                graph.add(affine, ops.Affine(scale=scale, shift=shift), [source], layers=node.origin.layers)
                part = graph.fresh_name(f"{node.name}.{side}")
                graph.add(part, ops.Relu(), [affine], layers=node.origin.layers)
                parts.append(part)
            graph.rebuild(node.name, ops.Add(), parts)
