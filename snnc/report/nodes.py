"""What a report tells of each node of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snnc.analysis.census import Census, inside_populations
from snnc.evaluation.layers import LayerEvaluation
from snnc.ir.drawing import rows
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.text import line
from snnc.neurons import Neurons
from snnc.program import CoreUse

GROUPS = {
    "input": "input",
    "spikes": "spiking population",
    "rate": "population that gives values",
    "host": "computed by a host in every step",
    "inside": "part of the population behind it",
    "weights": "weights and other linear ops",
    "output": "read-out",
}
"""By class in style sheets, what the nodes of each group are."""


@dataclass(frozen=True)
class NodeFacts:
    """One node."""

    anchor: str
    """Its place in the page."""
    name: str
    kind: str
    shape: str
    group: str
    """One of ``GROUPS``."""
    where: str
    """Where it runs, in words."""
    does: str
    """Of a population what it computes, otherwise its line in the printed graph."""
    layers: tuple[str, ...]
    """Of the Keras model."""
    passes: tuple[str, ...]
    """That made or changed it, in their order."""
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    measured: LayerEvaluation | None

    @property
    def beside(self) -> str:
        """Return what the drawing shows at the right end of its box."""
        if self.measured is None:
            return self.shape
        return f"{self.measured.neurons:,} neurons, {self.measured.spikes:,.0f} spikes"


def nodes(
    graph: Graph, found: Census, layers: Sequence[LayerEvaluation], cores: Sequence[CoreUse], backend: str
) -> list[NodeFacts]:
    """Return the nodes of a graph in the order in which it is drawn.

    Args:
        graph: that ran.
        found: its census.
        layers: the measurements of its populations.
        cores: of the hardware, if any.
        backend: its name.
    """
    measured = {row.layer: row for row in layers}
    inside = inside_populations(graph)
    host = {entry.rsplit(" (", 1)[0] for entry in found.host}
    place = _places(cores)
    facts = []
    for i, name in enumerate(rows(graph)):
        node = graph[name]
        group = _group(graph, node, inside, host)
        facts.append(
            NodeFacts(
                anchor=f"node-{i}",
                name=name,
                kind=node.op.kind,
                shape=" x ".join(map(str, node.type.shape)) or "1",
                group=group,
                where=place.get(name) or _where(group, backend, bool(cores)),
                does=found.forms.get(name) or line(graph, node),
                layers=node.origin.layers,
                passes=node.origin.passes,
                reads=tuple(graph.sources(name)),
                read_by=tuple(dict.fromkeys(reader for reader, _ in graph.readers(name))),
                measured=measured.get(name),
            )
        )
    return facts


def _group(graph: Graph, node: Node, inside: set[str], host: set[str]) -> str:
    if isinstance(node.op, Neurons):
        return "spikes" if node.op.model.spiking else "rate"
    if node.op.arity == 0:
        return "input"
    if node.name in host:
        return "host"
    if node.name in inside:
        return "inside"
    return "output" if graph.is_output(node.name) else "weights"


def _where(group: str, backend: str, hardware: bool) -> str:
    if group == "host":
        return f"on the host, beside {backend}"
    if hardware:
        return {"spikes": "on the host, as spikes", "rate": "on the host", "input": "on the host"}.get(
            group, "in the synapses of the chip, or on the host in front of it"
        )
    return f"in {backend}"


def _places(cores: Sequence[CoreUse]) -> Mapping[str, str]:
    """Return on which cores each layer is, in words."""
    by_layer: dict[str, dict[int, list[int]]] = {}
    for core in cores:
        by_layer.setdefault(core.layer, {}).setdefault(core.chip, []).append(core.core)
    return {
        layer: "; ".join(f"chip {chip}, {_ranges(numbers)}" for chip, numbers in chips.items())
        for layer, chips in by_layer.items()
    }


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as ranges: ``cores 0-3, 7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"core{'s' if len(numbers) > 1 else ''} {said}"
