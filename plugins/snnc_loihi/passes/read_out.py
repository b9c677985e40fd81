"""Let the host read the spikes of the chip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from snnc.api import Context, Graph, Node, Pass, Stage, Synapse, UsageError, is_temporal, neurons, ops
from snnc_loihi.lags import lags_of
from snnc_loihi.ops import ChipOutput
from snnc_loihi.placement_queries import is_link, leads_to_chip, populations


@dataclass(frozen=True)
class ReadOut(Pass):
    """Let what stays on the host read spikes, not a core's filter, and through a node where it must.

    The chip sends spikes, weighted by a matrix at most. A Dense layer that gives an output needs no more, and no
    filter: the read-out averages. Other linear ops get a node of their own on the host that receives the spikes; before
    an op that is not linear, the filter is on the host too, since such an op would misread single spikes.

    A temporal model answers every slice, which no read-out averages: the host reads through a low-pass of ``tau``
    seconds there, or a slower one that there is, unless a filter or a running mean of the model's own follows.

    Before::

        %x = input() {shape=(64)} : rate[64]
        %dense = neurons(%x) {model=loihi-signed-if} : spikes[64]
        %dense.synapse = synapse(%dense) {model=lowpass{tau=0.002}} : rate[64]
        %logits = dense(%dense.synapse) {weight=f32[64,10] ...} : rate[10]

    After::

        %dense = neurons(%x) {model=loihi-signed-if} : spikes[64]
        %logits = dense(%dense) {weight=f32[64,10] ...} : spikes[10]
    """

    name: ClassVar[str] = "loihi-read-out"
    stage: ClassVar[Stage] = Stage.TARGET
    after: ClassVar[tuple[str, ...]] = ("loihi-merge-linear",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True
    tau: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.tau < math.inf:
            raise UsageError(f"loihi-read-out: tau is in seconds and at least 0, not {self.tau}")

    def apply(self, graph: Graph, context: Context) -> None:
        usual = Synapse(model=neurons.Lowpass(tau=self.tau)) if is_temporal(graph) and self.tau else None
        for node in populations(graph):
            filters = [r for r, _ in graph.readers(node.name) if isinstance(graph[r].op, Synapse)]
            for name in (node.name, *filters):
                _read(graph, node, graph[name], usual)
        graph.prune()
        late = {output: lags[node] for output, node in graph.output_nodes.items() if (lags := lags_of(graph))}
        if late:
            rows = ", ".join(f"{steps} steps for {output!r}" for output, steps in late.items())
            context.note(
                f"spikes take a step from core to core: {rows}; run, evaluate and trace show what comes then beside "
                "the slice that it is of"
            )


def _read(graph: Graph, population: Node, given: Node, usual: Synapse | None) -> None:
    """Rewire what reads a population, or its filter, on the host; ``usual`` is the filter of what has none."""
    filters = [op for op in (given.op, usual) if isinstance(op, Synapse)]
    filter_ = max(filters, key=lambda op: op.model.tau, default=None)
    readers = [
        (reader, slot)
        for reader, slot in graph.readers(given.name)
        if not leads_to_chip(graph, reader) and not (given is population and isinstance(graph[reader].op, Synapse))
    ]
    for reader, slot in readers:
        source = population.name
        if filter_ is not None and _needs_filter(graph, reader, each_step=usual is not None):
            source = _filtered(graph, population, filter_)
        elif not _is_matrix(graph, reader):
            source = _received(graph, population)
        sources = [source if i == slot else s for i, s in enumerate(graph.sources(reader))]
        if tuple(sources) != graph.sources(reader):
            graph.rebuild(reader, graph[reader].op, sources)
    outputs = {name: node for name, node in graph.output_nodes.items() if node == given.name}
    if outputs:
        source = population.name if usual is None or filter_ is None else _filtered(graph, population, filter_)
        graph.set_outputs({**graph.output_nodes, **dict.fromkeys(outputs, source)})


def _received(graph: Graph, population: Node) -> str:
    """Return the node on the host that receives the spikes of a population, which is added where there is none."""
    name = f"{population.name}.received"
    if name not in graph:
        graph.add(name, ChipOutput(), [population.name], layers=population.origin.layers)
    return name


def _filtered(graph: Graph, population: Node, filter_: Synapse) -> str:
    """Return the filter on the host behind a population, which is added where there is none."""
    name = f"{population.name}.filtered"
    if name not in graph:
        graph.add(name, filter_, [_received(graph, population)], layers=population.origin.layers)
    return name


def _needs_filter(graph: Graph, name: str, *, each_step: bool) -> bool:
    """Return whether single spikes would be misread: by an op that is not linear, or as the answer of each step."""
    node = graph[name]
    if isinstance(node.op, (ops.Filter, ops.Running)) and node.op.is_linear:
        return False
    if not is_link(node) or (each_step and graph.is_output(name)):
        return True
    return any(_needs_filter(graph, reader, each_step=each_step) for reader, _ in graph.readers(name))


def _is_matrix(graph: Graph, name: str) -> bool:
    """Return whether the first op that a reader leads to, past scales and shapes, multiplies a vector by a matrix."""
    op = graph[name].op
    if isinstance(op, ops.Dense):
        return op.activation is None and len(graph[graph.sources(name)[0]].type.shape) == 1
    if isinstance(op, (ops.Affine, ops.Reshape)):
        reader = graph.sole_reader(name)
        return reader is not None and _is_matrix(graph, reader)
    return False
