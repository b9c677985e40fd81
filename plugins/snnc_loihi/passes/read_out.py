"""Let the host read the spikes of the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.api import Context, Graph, Node, Pass, Stage, Synapse, ops
from snnc_loihi.ops import ChipOutput
from snnc_loihi.placement_queries import is_link, leads_to_chip, populations


@dataclass(frozen=True)
class ReadOut(Pass):
    """Let what stays on the host read spikes, not a core's filter, and through a node where it must.

    The chip sends spikes, weighted by a matrix at most. A Dense layer that gives an output needs no more, and no
    filter: the read-out averages. Other linear ops get a node of their own on the host that receives the spikes; before
    an op that is not linear, the filter is on the host too, since such an op would misread single spikes.

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

    def apply(self, graph: Graph, context: Context) -> None:
        for node in populations(graph):
            filters = [r for r, _ in graph.readers(node.name) if isinstance(graph[r].op, Synapse)]
            for name in (node.name, *filters):
                _read(graph, node, graph[name])
        graph.prune()


def _read(graph: Graph, population: Node, given: Node) -> None:
    """Rewire what reads a population, or its filter, on the host."""
    readers = [
        (reader, slot)
        for reader, slot in graph.readers(given.name)
        if not leads_to_chip(graph, reader) and not (given is population and isinstance(graph[reader].op, Synapse))
    ]
    layers = population.origin.layers
    received: str | None = None
    filtered: str | None = None
    for reader, slot in readers:
        smooth = isinstance(given.op, Synapse) and _meets_nonlinear(graph, reader)
        source = population.name
        if smooth or not _is_matrix(graph, reader):
            if received is None:
                received = graph.fresh_name(f"{population.name}.received")
                graph.add(received, ChipOutput(), [population.name], layers=layers)
            source = received
        if smooth:
            if filtered is None:
                filtered = graph.fresh_name(f"{population.name}.filtered")
                graph.add(filtered, given.op, [received or population.name], layers=layers)
            source = filtered
        sources = [source if i == slot else s for i, s in enumerate(graph.sources(reader))]
        if tuple(sources) != graph.sources(reader):
            graph.rebuild(reader, graph[reader].op, sources)
    outputs = {name: node for name, node in graph.output_nodes.items() if node == given.name}
    if outputs and given is not population:
        graph.set_outputs({**graph.output_nodes, **dict.fromkeys(outputs, population.name)})


def _meets_nonlinear(graph: Graph, name: str) -> bool:
    node = graph[name]
    return not is_link(node) or any(_meets_nonlinear(graph, reader) for reader, _ in graph.readers(name))


def _is_matrix(graph: Graph, name: str) -> bool:
    """Return whether the first op that a reader leads to, past scales and shapes, multiplies a vector by a matrix."""
    op = graph[name].op
    if isinstance(op, ops.Dense):
        return op.activation is None and len(graph[graph.sources(name)[0]].type.shape) == 1
    if isinstance(op, (ops.Affine, ops.Reshape)):
        reader = graph.sole_reader(name)
        return reader is not None and _is_matrix(graph, reader)
    return False
