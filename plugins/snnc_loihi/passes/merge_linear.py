"""Make one map of everything linear between two populations of the chip."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.api import AnyArray, Context, Graph, LoweringError, Node, Op, Shape, Stateful, SynapseModel, fuse_linear, ops
from snnc.api import MergeLinear as MergeLinearOps
from snnc.api import linear_maps as maps
from snnc_loihi.placement_queries import populations

AXONS = 4096 - 2
"""The most sources of a matrix that a core takes, beside a neuron's own spike and the one that brings its bias. Those
of a convolution are positions, whatever their channels, so that a wider matrix becomes one with one position."""
MOST_ATOMS = 64


@dataclass(frozen=True)
class MergeLinear(MergeLinearOps):
    """Turn the linear ops before each population of the chip into one op a source, added up.

    What merge-linear does, for populations of the chip alone: two that read the same layer have a map each, and two
    branches that a neuron reads are two connections that share one filter, the slower of theirs: a core has one.

    Before::

        %x = input() {shape=(10,10,8)} : rate[10,10,8]
        %a = neurons(%x) {model=loihi-signed-if} : spikes[10,10,8]
        %b = neurons(%x) {model=loihi-signed-if} : spikes[10,10,8]
        %sum = add(%a, %b) : spikes[10,10,8]
        %conv = conv(%sum) {kernel=f32[3,3,8,16] ...} : spikes[8,8,16]
        %pool = avg-pool(%conv) {size=(2,2) strides=(2,2)} : spikes[4,4,16]
        %c = neurons(%pool) {model=loihi-signed-if} : spikes[4,4,16]

    After::

        %a = neurons(%x) {model=loihi-signed-if} : spikes[10,10,8]
        %b = neurons(%x) {model=loihi-signed-if} : spikes[10,10,8]
        %pool.part = conv(%a) {kernel=f32[4,4,8,16] strides=(2,2) ...} : spikes[4,4,16]
        %pool.part_1 = conv(%b) {kernel=f32[4,4,8,16] strides=(2,2) ...} : spikes[4,4,16]
        %pool = add(%pool.part, %pool.part_1) : spikes[4,4,16]
        %c = neurons(%pool) {model=loihi-signed-if} : spikes[4,4,16]
    """

    name: ClassVar[str] = "loihi-merge-linear"
    after: ClassVar[tuple[str, ...]] = ("loihi-write-scales",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)

    def apply(self, graph: Graph, context: Context) -> None:
        sums = self.sums(graph)
        feeds = [(node.name, graph[graph.sources(node.name)[0]]) for node in populations(graph)]
        convolving = {t.root for _, feed in feeds for t in sums[feed.name].terms if self._is_convolution(t.map)}
        for name, feed in feeds:
            # the op right before a population keeps the name by which people know it, where nothing else reads that
            alone = graph.sole_reader(feed.name) == name and feed.op.is_linear and not isinstance(feed.op, Stateful)
            head = self.write(graph, feed, _as_on_a_core(sums[feed.name], convolving), in_place=alone)
            if graph.sources(name) != (head,):
                graph.rebuild(name, graph[name].op, [head])
        graph.prune()
        fuse_linear(graph)

    def filtered(self, node: Node, synapse: SynapseModel, before: maps.LinearSum) -> maps.LinearSum:
        if any(term.synapse is not None for term in before.terms):
            raise LoweringError(
                f"{node.name!r} is a second filter between two layers, and a core has one; leave --synapse out if that "
                "is one of them, or compile for another backend, such as nengo"
            )
        return replace(before, terms=tuple(replace(term, synapse=synapse) for term in before.terms))

    def dense_ops(self, weight: AnyArray, given: Shape, wanted: Shape) -> list[Op]:
        outputs, inputs = weight.shape
        if inputs <= AXONS:
            return super().dense_ops(weight, given, wanted)
        seen = maps.grid(given) or (1, 1, inputs)
        if seen[2] > MOST_ATOMS or seen[0] * seen[1] > AXONS or seen[2] == 1:
            channels = max(c for c in range(1, MOST_ATOMS + 1) if inputs % c == 0)
            seen = (inputs // channels, 1, channels)
        kernel = weight.T.reshape(*seen, outputs)
        conv = ops.Conv(
            kernel=kernel, bias=np.zeros(outputs, dtype=np.float32), strides=(1, 1), padding="valid", dilation=(1, 1)
        )
        return [*maps.reshaped(given, seen), conv, *maps.reshaped((1, 1, outputs), wanted)]

    def _is_convolution(self, form: maps.LinearMap) -> bool:
        return (
            isinstance(form, maps.Correlation)
            and form.output[:2] != (1, 1)
            and float(np.mean(form.kernel != 0)) > self.sparse
            and maps.as_same(form) is not None
        )

    def postcondition(self, graph: Graph) -> Iterator[str]:
        yield from ()


def _as_on_a_core(wanted: maps.LinearSum, convolving: Collection[str]) -> maps.LinearSum:
    """Return a sum with the slowest of its filters on all of its terms, and without mixtures of axons.

    A layer that feeds a convolution has population axons; a sparse matrix, as which the skip connection beside it would
    be written, would need others.
    """
    synapses = [term.synapse for term in wanted.terms if term.synapse is not None]
    slowest = max(synapses, key=lambda synapse: synapse.tau, default=None)
    terms = (replace(term, synapse=slowest, stored=term.root in convolving) for term in wanted.terms)
    return replace(wanted, terms=tuple(terms))
