"""Choose the block shapes of all layers so that every core is within its limits, on as few cores as possible.

From the last layer to the first, since how many axons leave a core depends on how the next layers are cut; the best
few choices so far are followed side by side, so that a layer for which a good choice leaves no room does not end the
search. All counts are exact: what nengo-loihi finds when it has built the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import networkx

from snnc.api import LoweringError
from snnc_loihi.core_connections import CoreConnection, ResetEdge, edge
from snnc_loihi.layer_costs import Demand, Ints, Layer, Limits
from snnc_loihi.placement import CORES_PER_CHIP, Block, Placed, Plan
from snnc_loihi.tilings import Shape, Tiling

FOLLOWED = 12
"""Partial plans that are followed side by side."""
TRIED = 5
"""Tilings of a layer with which each of them goes on."""


@dataclass
class _Partial:
    """Tilings for the layers looked at so far."""

    demands: dict[Layer, Demand] = field(default_factory=dict)
    out_axons: dict[Layer, Ints] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, float]:
        """Return (cores, how full the fullest core of each layer is, added up): the less the better."""
        fullest = (
            max(demand.fullness, float(self.out_axons[layer].max()) / layer.limits.out_axons)
            for layer, demand in self.demands.items()
        )
        return sum(d.tiling.blocks for d in self.demands.values()), sum(fullest)


def plan(network: Any, chips: int | None = None, dt: float = 0.001, like: Plan | None = None) -> Plan:
    """Return block shapes for every ensemble on the chip; those that have one in the network's config keep it.

    Args:
        network: a ``nengo.Network`` with nengo-loihi's config, connected from neurons to neurons.
        chips: how many chips there are; None for as many as it takes.
        dt: seconds a step.
        like: the plan of a network of the same layers, which is taken again where it fits, without a search.

    Raises:
        LoweringError: there is no way to place the network; names the layer, the limit, and what helps.
    """
    layers = _layers(network, dt)
    best = _again(layers, like) or _search(layers)
    placed = tuple(_placed(layer, best) for layer in layers if layer in best.demands)
    result = Plan(placed)
    if chips is not None and result.chips > chips:
        raise LoweringError(_too_many_cores(result, chips))
    return result


def _again(layers: list[Layer], like: Plan | None) -> _Partial | None:
    """Return the plan of a network of the same layers for these, or None where there is none or it does not fit."""
    blocks = {(placed.name, placed.shape): placed.block for placed in (like.layers if like else ())}
    partial = _Partial()
    for layer in _last_to_first(layers):
        block = blocks.get((layer.name, layer.shape))
        grown = None if block is None else next(_grow(partial, layer, [Tiling(layer.shape, block)]), None)
        if grown is None:
            return None
        partial = grown
    return partial


def _search(layers: list[Layer]) -> _Partial:
    """Return the best plan that was found; raise LoweringError where there is none."""
    partials = [_Partial()]
    for layer in _last_to_first(layers):
        grown = [p for partial in partials for p in _grow(partial, layer, layer.tilings)]
        if not grown:
            raise LoweringError(_why_not(layer, partials))
        partials = sorted(grown, key=lambda p: p.rank)[:FOLLOWED]
    return partials[0]


def _layers(network: Any, dt: float) -> list[Layer]:
    import nengo

    on_chip = [e for e in network.all_ensembles if network.config[e].on_chip is not False]
    conns = [
        c
        for c in network.all_connections
        if isinstance(c.post_obj, nengo.ensemble.Neurons)
        and isinstance(c.pre_obj, nengo.ensemble.Neurons)
        and network.config[c.post_obj.ensemble].on_chip is not False
    ]
    limits = Limits.of_loihi()
    by_ensemble = {}
    for ensemble in on_chip:
        fixed = network.config[ensemble].block_shape
        shape = tuple(fixed.ensemble_shape) if fixed else _shape(ensemble, conns)
        by_ensemble[ensemble] = Layer(ensemble, shape, tuple(fixed.shape) if fixed else None, limits)
    resets = [ResetEdge(e) for e in on_chip if hasattr(e.neuron_type, "by_population")]
    for made in [*(edge(network, conn, dt) for conn in conns), *resets]:
        by_ensemble[made.target].inputs.append(made)
        if made.source in by_ensemble:
            by_ensemble[made.source].outputs.append(made)
    return list(by_ensemble.values())


def _shape(ensemble: Any, conns: list[Any]) -> Shape:
    """Return how the neurons lie: as the convolutions into the ensemble say, or those out of it."""
    for conn in conns:
        if conn.post_obj.ensemble is ensemble and hasattr(conn.transform, "output_shape"):
            return tuple(int(n) for n in conn.transform.output_shape.shape)
    for conn in conns:
        if conn.pre_obj.ensemble is ensemble and hasattr(conn.transform, "input_shape"):
            return tuple(int(n) for n in conn.transform.input_shape.shape)
    return (int(ensemble.n_neurons),)


def _last_to_first(layers: list[Layer]) -> list[Layer]:
    """Return the layers so that each comes after those that it feeds, as far as loops allow."""
    number = {layer.ensemble: i for i, layer in enumerate(layers)}
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(layers)))
    graph.add_edges_from((number[e.source], number[e.target]) for layer in layers for e in layer.outputs)
    loops = networkx.condensation(graph)
    order = [
        i for part in networkx.lexicographical_topological_sort(loops) for i in sorted(loops.nodes[part]["members"])
    ]
    return [layers[i] for i in reversed(order)]


def _grow(partial: _Partial, layer: Layer, tilings: list[Tiling]) -> Iterator[_Partial]:
    """Yield a partial plan with each of the best tilings of one more layer."""
    found = 0
    for tiling in tilings:
        if layer.out_axons(tiling, _fans(partial, layer)).max() > layer.limits.out_axons:
            continue
        demand = layer.demand(tiling)
        if demand is None:
            continue
        grown = _Partial({**partial.demands, layer: demand}, dict(partial.out_axons))
        for touched in [layer, *(p for p in partial.demands if any(e.source is p.ensemble for e in layer.inputs))]:
            grown.out_axons[touched] = touched.out_axons(grown.demands[touched].tiling, _fans(grown, touched))
        if all(out.max() <= layer.limits.out_axons for out in grown.out_axons.values()):
            yield grown
            found += 1
            if found == TRIED:
                return


def _fans(partial: _Partial, layer: Layer) -> dict[CoreConnection, Ints]:
    """Return, for the connections out of a layer to layers that are placed, how many blocks need each axon."""
    return {e: d.fans[e] for e in layer.outputs for d in partial.demands.values() if e in d.fans}


def _placed(layer: Layer, best: _Partial) -> Placed:
    demand, out = best.demands[layer], best.out_axons[layer]
    rows = zip(demand.tiling.sizes, demand.in_axons, out, demand.synapse_bits, strict=True)
    blocks = tuple(Block(*(int(n) for n in row)) for row in rows)
    return Placed(layer.ensemble, layer.name, layer.shape, demand.tiling.block, blocks)


def _why_not(layer: Layer, partials: list[_Partial]) -> str:
    """Return what keeps a layer from being placed, told from its smallest blocks."""
    limits, finest = layer.limits, layer.tilings[-1]
    position = finest.position(finest.middle)
    parts = [(edge, edge.part(position, int(finest.sizes[finest.middle]))) for edge in layer.inputs]
    in_axons = sum(int(p.needed.sum()) for _, p in parts)
    what = "a single neuron" if finest.sizes.max() == 1 else f"a block of shape {finest.block}"
    if in_axons > limits.in_axons:
        worst = max(parts, key=lambda part: int(part[1].needed.sum()))[0]
        return (
            f"layer {layer.name!r} does not fit a core: {what} needs {in_axons} input axons, and a core has "
            f"{limits.in_axons} ({in_axons - limits.in_axons} too many); make what feeds it smaller, as pooling or a "
            f"stride before it does: {worst.source.label!r} has {worst.source.n_neurons} neurons"
        )
    bits = sum(p.bits for _, p in parts)
    if bits > limits.synapse_bits:
        return (
            f"layer {layer.name!r} does not fit a core: the weights of {what} take {bits} bits of synapse memory, and "
            f"a core has {limits.synapse_bits} ({bits / limits.synapse_bits:.2f} times as many); use a smaller kernel "
            f"or fewer channels before it"
        )
    if not all(p.fits for _, p in parts):
        return (
            f"layer {layer.name!r}: population axons of 16 bits need a multiple of 4 channels on each core, and "
            f"{layer.shape[-1]} channels cannot be cut so; give it a multiple of 4 filters or use pop_type 32"
        )
    out = min(int(layer.out_axons(finest, _fans(p, layer)).max()) for p in partials)
    targets = {
        e.target.label: d.tiling.blocks
        for p in partials[:1]
        for e in layer.outputs
        for d in p.demands.values()
        if e in d.fans
    }
    readers = ", ".join(f"{name!r} on {blocks} cores" for name, blocks in targets.items())
    return (
        f"layer {layer.name!r} does not fit a core: {what} needs {out} output axons, and a core has {limits.out_axons} "
        f"({out - limits.out_axons} too many), because it feeds {readers}; make what it feeds smaller"
    )


def _too_many_cores(result: Plan, chips: int) -> str:
    largest = max(result.layers, key=lambda placed: len(placed.blocks))
    return (
        f"the network needs {result.cores} cores, {result.cores - chips * CORES_PER_CHIP} more than {chips} chip(s) "
        f"have; use --backend 'loihi{{chips={result.chips}}}', or make its layers smaller, of which "
        f"{largest.name!r} takes most ({len(largest.blocks)} cores)"
    )
