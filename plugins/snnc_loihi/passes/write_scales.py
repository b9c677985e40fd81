"""Write scales into the weights: a core has one threshold and no gains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.api import AnyArray, Context, Graph, Neurons, Pass, Stage, fuse_linear, ops
from snnc_loihi.ops import affine
from snnc_loihi.placement_queries import is_encoder, on_chip, synapse_of


@dataclass(frozen=True)
class WriteScales(Pass):
    """Give every population of the chip, and every encoder, the scale 1, and put its scale into the weights.

    scale * rate(x / scale): the weights before are divided by it, those behind multiplied. What they cannot take, such
    as a sum, gets an affine, which loihi-merge-linear takes further.

    Before::

        %conv.linear = conv(%x.spikes) {...} : spikes[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if{...} scale=f32[4]} : spikes[6,6,4]
        %pool = global-avg-pool(%conv) : spikes[4]

    After::

        %conv.linear = conv(%x.spikes) {...} : spikes[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if{...} scale=1} : spikes[6,6,4]
        %conv.times = affine(%conv) {scale=f32[4] shift=f32[1]} : spikes[6,6,4]
        %pool = global-avg-pool(%conv.times) : spikes[4]
    """

    name: ClassVar[str] = "loihi-write-scales"
    stage: ClassVar[Stage] = Stage.TARGET
    after: ClassVar[tuple[str, ...]] = ("loihi-encode", "loihi-place")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        for node in list(graph):
            op = node.op
            if (
                not (on_chip(node) or is_encoder(node))
                or not isinstance(op, Neurons)
                or np.all(np.asarray(op.scale) == 1)
            ):
                continue
            scale = np.atleast_1d(np.asarray(op.scale, dtype=np.float64))
            _divide(graph, node.name, scale)
            graph.replace(node.name, replace(op, scale=1.0))
            graph.insert_after(synapse_of(graph, node.name), graph.fresh_name(f"{node.name}.times"), affine(scale))
        fuse_linear(graph)


def _divide(graph: Graph, name: str, scale: AnyArray) -> None:
    """Divide what a population reads, in the weights before it where they are its alone."""
    (feed,) = graph.sources(name)
    op = graph[feed].op
    if graph.sole_reader(feed) == name and isinstance(op, ops.Dense) and op.activation is None:
        graph.replace(feed, replace(op, weight=op.weight / scale, bias=op.bias / scale))
    elif graph.sole_reader(feed) == name and isinstance(op, ops.Conv) and op.activation is None:
        graph.replace(feed, replace(op, kernel=op.kernel / scale, bias=op.bias / scale))
    else:
        graph.insert_before(name, 0, graph.fresh_name(f"{name}.divide"), affine(1 / scale))
