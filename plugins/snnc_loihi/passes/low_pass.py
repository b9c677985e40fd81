"""Let the low-pass filters of a temporal model be those of cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.api import Context, Graph, Node, Pass, Stage, Synapse, neurons, ops
from snnc_loihi.models import STEP
from snnc_loihi.placement_queries import leads_to_chip, linear_sources, on_chip

ALIKE = 0.01
"""How much time constants may differ, relative to their mean, without a word."""


@dataclass(frozen=True)
class LowPass(Pass):
    """Let a low-pass of the model between two layers of the chip be the filter of the core that reads it.

    A core has one filter, so that a layer whose time constants were trained gets their mean, and it starts at zero. A
    slice is a step of the chip however long the model says that it takes: time constants count in slices. A
    filter of the second order, or one that reads or feeds the host alone, stays, and is exact.

    Before::

        %x = input() {shape=(4) dt=0.001} : rate[4]
        %a = neurons(%x) {model=loihi-signed-if} : spikes[4]
        %slow = filter(%a) {op=time-filter{tau=f32[4] initial=f32[4] dt=0.001 order=1}} : rate[4]
        %b.linear = dense(%slow) {weight=f32[4,2] ...} : rate[2]
        %b = neurons(%b.linear) {model=loihi-signed-if} : spikes[2]

    After::

        %a = neurons(%x) {model=loihi-signed-if} : spikes[4]
        %slow = synapse(%a) {model=lowpass{tau=...}} : rate[4]
        %b.linear = dense(%slow) {weight=f32[4,2] ...} : rate[2]
        %b = neurons(%b.linear) {model=loihi-signed-if} : spikes[2]
    """

    name: ClassVar[str] = "loihi-low-pass"
    stage: ClassVar[Stage] = Stage.FILTER
    after: ClassVar[tuple[str, ...]] = ("insert-synapses",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph.nodes(ops.Filter):
            if node.op.op.order == 1 and _between_layers(graph, node):
                _replace(graph, node, context)


def _between_layers(graph: Graph, node: Node) -> bool:
    roots = list(linear_sources(graph, node.name))
    feeds = any(leads_to_chip(graph, reader) for reader, _ in graph.readers(node.name))
    return feeds and bool(roots) and all(on_chip(root) for root in roots)


def _replace(graph: Graph, node: Node[ops.Filter], context: Context) -> None:
    filter_ = node.op.op
    tau = filter_.tau.astype(np.float64) * STEP / filter_.dt
    mean = float(tau.mean())
    if np.any(np.abs(tau - mean) > ALIKE * mean):
        context.note(
            f"{node.name}: its time constants are {tau.min() / STEP:.3g} to {tau.max() / STEP:.3g} slices, and a core "
            f"has one filter: all have their mean, {mean / STEP:.3g}"
        )
    if np.any(filter_.initial):
        context.note(f"{node.name}: it begins at other values than zero in the model, and a core's filter at zero")
    (source,) = graph.sources(node.name)
    if isinstance(graph[source].op, Synapse) and graph.sole_reader(source) == node.name:
        (source,) = graph.sources(source)  # a core has one filter
    graph.rebuild(node.name, Synapse(model=neurons.Lowpass(tau=mean)), [source])
    graph.prune()
