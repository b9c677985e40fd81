"""Statistics of a graph: how much of it spikes, and which ops stay on the host."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.ir.graph import Graph
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import ReadOutActivation


@dataclass(frozen=True)
class Census:
    """Statistics of a graph: neurons, ops on the host, multiply-adds and the share that spikes drive."""

    neurons: int
    """All neurons, of all populations."""
    spiking_neurons: int
    populations: tuple[str, ...]
    host: tuple[str, ...]
    """Nonlinear ops that are no neurons, so that a host computes them every step: ``name (kind)``."""
    rate: tuple[str, ...]
    """Populations that give values, not spikes: ``name (model)``."""
    multiply_adds: int
    """Of one forward pass."""
    spiking_multiply_adds: int
    """Those whose input comes from spiking neurons, through linear ops alone."""

    @property
    def spiking_share(self) -> float:
        """Return the share of the multiply-adds that spikes drive (never the first layer: its input is analog)."""
        return self.spiking_multiply_adds / self.multiply_adds if self.multiply_adds else 0.0


def census(graph: Graph) -> Census:
    """Return the census of a graph."""
    spiking: set[str] = set()
    populations, host, rate = [], [], []
    neurons = firing = total = driven = 0
    for node in graph:
        op, sources = node.op, graph.sources(node.name)
        if isinstance(op, Neurons):
            populations.append(node.name)
            neurons += node.type.size
            if op.model.spiking:
                firing += node.type.size
                spiking.add(node.name)
            else:
                rate.append(f"{node.name} ({op.model.kind})")
            continue
        if not op.is_linear and op.arity != 0 and not isinstance(op, ReadOutActivation):
            host.append(f"{node.name} ({op.kind})")
        fed = bool(sources) and all(source in spiking for source in sources)
        if fed and op.is_linear:
            spiking.add(node.name)
        count = op.multiply_adds(*(graph[s].type for s in sources))
        total += count
        driven += count if fed else 0
    return Census(
        neurons=neurons,
        spiking_neurons=firing,
        populations=tuple(populations),
        host=tuple(host),
        rate=tuple(rate),
        multiply_adds=total,
        spiking_multiply_adds=driven,
    )
