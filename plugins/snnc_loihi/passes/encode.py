"""Turn values of the host into spikes, which is all that a core takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from snnc.api import (
    Array,
    Context,
    Graph,
    Neurons,
    Node,
    Pass,
    Stage,
    UsageError,
    evaluate_nodes,
    neurons,
    ops,
    presentation,
    with_ideal_rates,
)
from snnc_loihi.models import LoihiEncoder
from snnc_loihi.ops import affine
from snnc_loihi.placement_queries import leads_to_chip, linear_sources, on_chip, populations, sends_spikes


@dataclass(frozen=True)
class Encode(Pass):
    """Put spiking neurons on the host between its values and the chip.

    ``pixel`` gives each value a neuron that fires at up to 1000 Hz, ``onoff`` two, one of them for what is below zero;
    ``first-layer`` lets the first populations be on the host, which has no limits. ``auto`` takes ``pixel`` for inputs
    that are never negative on the samples, and ``onoff`` for others.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if} : spikes[6,6,4]

    After::

        %x.spikes = neurons(%x) {model=loihi-encoder scale=0.000999501} : spikes[8,8,1]
        %conv.linear = conv(%x.spikes) {kernel=f32[3,3,1,4] ...} : spikes[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if} : spikes[6,6,4]
    """

    name: ClassVar[str] = "loihi-encode"
    stage: ClassVar[Stage] = Stage.FILTER
    after: ClassVar[tuple[str, ...]] = ("loihi-place", "insert-synapses")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    how: Literal["auto", "pixel", "onoff", "first-layer"] = "auto"

    def apply(self, graph: Graph, context: Context) -> None:
        if self.how == "first-layer":
            for node in _first(graph):
                graph.replace(node.name, Neurons(model=LoihiEncoder(), scale=node.op.scale))
        values = _values(graph)
        for node in graph.nodes(Neurons):
            if node.name in values and isinstance(node.op.model, neurons.RatesToSpikes):
                # what the chip is told as spikes, the host need not compute as spikes before
                graph.replace(node.name, replace(node.op, model=node.op.model.rates))
        seen = _seen(graph, values, context)
        for name in values:
            x = seen[name]
            low, high = float(x.min()), float(np.abs(x).max())
            signed = low < 0
            if signed and self.how == "pixel":
                raise UsageError(
                    f"loihi-encode: {name!r} goes down to {low:.3g}, and a rate cannot be negative; use "
                    "loihi-encode{how=onoff} or {how=first-layer}, or scale the inputs to 0 and above"
                )
            self._encode(graph, graph[name], scale=(high or 1.0) * context.dt, signed=signed or self.how == "onoff")

    def _encode(self, graph: Graph, node: Node, *, scale: float, signed: bool) -> None:
        encoder = Neurons(model=LoihiEncoder(), scale=scale)
        readers = [(r, slot) for r, slot in graph.readers(node.name) if leads_to_chip(graph, r)]
        layers = node.origin.layers
        spikes = graph.fresh_name(f"{node.name}.spikes")
        graph.add(spikes, encoder, [node.name], layers=layers)
        if signed:
            turned = affine(-1.0)
            below, off, back, both = (
                graph.fresh_name(f"{node.name}.{what}") for what in ("below", "off", "turned", "signed")
            )
            graph.add(below, turned, [node.name], layers=layers)
            graph.add(off, encoder, [below], layers=layers)
            graph.add(back, turned, [off], layers=layers)
            graph.add(both, ops.Add(), [spikes, back], layers=layers)
            spikes = both
        for reader, slot in readers:
            sources = [spikes if i == slot else s for i, s in enumerate(graph.sources(reader))]
            graph.rebuild(reader, graph[reader].op, sources)


def _values(graph: Graph) -> list[str]:
    """Return the nodes on the host whose values the chip reads, in topological order."""
    roots = (root for node in populations(graph) for root in linear_sources(graph, node.name))
    read = {root.name for root in roots if not sends_spikes(root)}
    return [node.name for node in graph if node.name in read]


def _first(graph: Graph) -> list[Node[Neurons]]:
    """Return the populations that read nothing of the chip."""
    return [node for node in populations(graph) if not any(on_chip(root) for root in linear_sources(graph, node.name))]


def _seen(graph: Graph, names: list[str], context: Context) -> dict[str, Array]:
    """Return what nodes give for the samples; without any, inputs are taken to be between 0 and 1."""
    samples = context.samples
    if samples is None:
        if names:
            context.note("without calibration samples, inputs are taken to be between 0 and 1 (--calibration x.npz)")
        axes = (1,) * len(presentation(graph).axes)
        samples = {name: np.ones((*axes, *graph[name].type.shape), dtype=np.float32) for name in graph.inputs}
    return evaluate_nodes(with_ideal_rates(graph), samples, set(names))
