"""Write scales into the weights: a core has one threshold and no gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.api import AnyArray, Graph, Node
from snnc.api import WriteScales as WriteAllScales
from snnc_loihi.ops import affine
from snnc_loihi.placement_queries import sends_spikes, synapse_of


@dataclass(frozen=True)
class WriteScales(WriteAllScales):
    """Give every population of the chip, and every encoder, the scale 1, and put its scale into the weights.

    What write-scales does, but the factor behind a population waits as an affine for loihi-merge-linear, which makes
    one map of it and all that follows, rounded once.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %x.spikes = neurons(%x) {model=loihi-encoder} : spikes[8,8,1]
        %conv.linear = conv(%x.spikes) {kernel=f32[3,3,1,4] ...} : spikes[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if scale=f32[4]} : spikes[6,6,4]
        %pool = global-avg-pool(%conv) : spikes[4]

    After::

        %x.spikes = neurons(%x) {model=loihi-encoder} : spikes[8,8,1]
        %conv.linear = conv(%x.spikes) {kernel=f32[3,3,1,4] ...} : spikes[6,6,4]  ; loihi-write-scales
        %conv = neurons(%conv.linear) {model=loihi-signed-if} : spikes[6,6,4]
        %conv.times = affine(%conv) {scale=f32[4] shift=0} : spikes[6,6,4]
        %pool = global-avg-pool(%conv.times) : spikes[4]
    """

    name: ClassVar[str] = "loihi-write-scales"
    after: ClassVar[tuple[str, ...]] = ("loihi-encode", "loihi-place")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)

    def concerns(self, node: Node) -> bool:
        return sends_spikes(node)

    def multiply(self, graph: Graph, name: str, scale: AnyArray) -> None:
        graph.insert_after(synapse_of(graph, name), graph.fresh_name(f"{name}.times"), affine(scale))
