"""A built nengo-loihi model as plain arrays: populations and integer weights.

Written for models of the form that the lowering makes: spikes come from neurons on the host, ensembles on the chip are
connected from neurons to neurons, and the host reads spikes. Nothing learns and nothing is noisy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from snnc.api import LoweringError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Population:
    """An ensemble on the chip; arrays are ``(neurons,)``, in the integer units of the chip."""

    ensemble: Any
    """The ``nengo.Ensemble``."""
    decay_current: Ints
    """Of 4096 parts, how many of the current stay from one step to the next."""
    decay_voltage: Ints
    """The same of the voltage."""
    threshold: Ints
    bias: Ints
    lowest: Ints
    highest: Ints
    refractory: Ints
    """Steps, this one included, for which a neuron that fired stays at zero."""

    @property
    def name(self) -> str:
        """Return the ensemble's label."""
        return str(self.ensemble.label or self.ensemble)


@dataclass(frozen=True)
class Arc:
    """All synapses from one ensemble, on the host or on the chip, to one on the chip."""

    source: Any
    target: Any
    weights: Any
    """``scipy.sparse.csr_matrix``, ``(target neurons, source neurons)``, integers."""


@dataclass(frozen=True)
class Wiring:
    """A whole model."""

    dt: float
    populations: tuple[Population, ...]
    arcs: tuple[Arc, ...]

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Return the ensembles on the host whose spikes the chip needs."""
        on_chip = {id(p.ensemble) for p in self.populations}
        return tuple({id(a.source): a.source for a in self.arcs if id(a.source) not in on_chip}.values())


def read_wiring(model: Any) -> Wiring:
    """Read a ``nengo_loihi.builder.Model`` that was built, split and discretised: ``simulator.model``.

    Raises:
        LoweringError: it holds what the lowering never makes: decoded connections, learning, noise, real weights.
    """
    places = _places(model)
    owners = {id(s): block for block in model.blocks for s in block.synapses}
    populations = tuple(_population(e, parts) for e, parts in _by_ensemble(places).items())
    return Wiring(
        dt=float(model.dt),
        populations=populations,
        arcs=tuple(_arcs(model, places, owners)),
    )


def ensembles_of(model: Any) -> dict[Any, Any]:
    """Return the ensemble that each block of a built model is part of."""
    import nengo

    found = {}
    for key, built in model.objs.items():
        if isinstance(key, nengo.Ensemble):
            found.update(dict.fromkeys(built["out"] if isinstance(built["out"], list) else [built["out"]], key))
    return found


def _places(model: Any) -> dict[int, tuple[Any, Ints, Any]]:
    """Return (ensemble, its neurons in the block, block) by the identity of the block."""
    ensembles = ensembles_of(model)
    for block in model.blocks:
        if block not in ensembles:
            raise LoweringError(
                f"{block.label!r} on the chip belongs to no ensemble: connect neurons, not decoded values"
            )
        _require_plain(block)
    return {
        id(block): (ensemble, np.asarray(list(model.block_comp_map[block]), dtype=np.int64), block)
        for block, ensemble in ensembles.items()
    }


def _require_plain(block: Any) -> None:
    compartment = block.compartment
    if compartment.vth.dtype != np.int32:
        raise LoweringError(f"{block.label!r} is not discretised: build it for target 'sim', not 'simreal'")
    if np.any(compartment.enable_noise) or any(s.learning for s in block.synapses):
        raise LoweringError(f"{block.label!r} learns or is noisy, which only nengo-loihi's emulator runs")


def _by_ensemble(places: dict[int, tuple[Any, Ints, Any]]) -> dict[Any, list[tuple[Ints, Any]]]:
    parts: dict[Any, list[tuple[Ints, Any]]] = {}
    for ensemble, neurons, block in places.values():
        parts.setdefault(ensemble, []).append((neurons, block))
    return parts


def _population(ensemble: Any, parts: list[tuple[Ints, Any]]) -> Population:
    arrays = {name: np.zeros(ensemble.n_neurons, dtype=np.int64) for name in _COMPARTMENT}
    for neurons, block in parts:
        for name, (attribute, offset, sign) in _COMPARTMENT.items():
            arrays[name][neurons] = offset + sign * np.asarray(getattr(block.compartment, attribute), dtype=np.int64)
    return Population(ensemble=ensemble, **arrays)


_COMPARTMENT = {
    # the chip takes one more off the current than off the voltage
    "decay_current": ("decay_u", 4095, -1),
    "decay_voltage": ("decay_v", 4096, -1),
    "threshold": ("vth", 0, 1),
    "bias": ("bias", 0, 1),
    "lowest": ("vmin", 0, 1),
    "highest": ("vmax", 0, 1),
    "refractory": ("refract_delay", 0, 1),
}


def _arcs(model: Any, places: dict[int, tuple[Any, Ints, Any]], owners: dict[int, Any]) -> Iterator[Arc]:
    entries: dict[tuple[Any, Any], list[tuple[Ints, Ints, Ints]]] = {}
    for block in model.blocks:
        ensemble, neurons, _ = places[id(block)]
        for axon in block.axons:
            target, where, _ = places[id(owners[id(axon.target)])]
            entries.setdefault((ensemble, target), []).extend(_synapses(axon, neurons, where))
    for ensemble, neurons, spikes in _host_sources(model):
        for axon in spikes.axons:
            target, where, _ = places[id(owners[id(axon.target)])]
            entries.setdefault((ensemble, target), []).extend(_synapses(axon, neurons, where))
    for (source, target), parts in entries.items():
        rows, columns, values = (
            np.concatenate(p) if p else np.zeros(0, dtype=np.int64) for p in zip(*parts, strict=True)
        )
        shape = (target.n_neurons, source.n_neurons)
        yield Arc(
            source=source,
            target=target,
            weights=scipy.sparse.csr_matrix((values, (columns, rows)), shape=shape),
        )


def _synapses(axon: Any, sources: Ints, targets: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield (source neuron, target neuron, weight) arrays, of neurons together that share an entry of the memory."""
    synapse = axon.target
    compartments = np.arange(len(sources))
    ids = np.asarray(axon.map_axon(compartments))
    if synapse.pop_type == 0:  # without atoms and bases, and most often each axon has an entry of its own
        used = np.flatnonzero(ids >= 0)
        if len(used):
            own = [synapse.axon_weight_idx(i) for i in ids[used]]
            rows = [synapse.weights[k][0] for k in own]
            reached = np.concatenate([synapse.indices[k][0] for k in own])
            lengths = [len(row) for row in rows]
            yield np.repeat(sources[used].astype(np.int32), lengths), targets[reached], np.concatenate(rows)
        return
    atoms, bases = np.asarray(axon.map_atoms(compartments)), np.asarray(synapse.axon_compartment_bases)
    entries = np.array([synapse.axon_weight_idx(i) for i in range(synapse.n_axons)], dtype=np.int64)
    used = np.flatnonzero((ids >= 0) & (bases[ids] >= 0))
    order = used[np.argsort(entries[ids[used]], kind="stable")]
    starts = np.flatnonzero(np.diff(entries[ids[order]], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else ():
        entry = entries[ids[members[0]]]
        weights = synapse.weights[entry][atoms[members]]
        reached = targets[bases[ids[members]][:, None] + synapse.indices[entry][atoms[members]]].astype(np.int32)
        yield (
            np.repeat(sources[members].astype(np.int32), weights.shape[1]),
            reached.ravel(),
            weights.ravel(),
        )


def _host_sources(model: Any) -> Iterator[tuple[Any, Ints, Any]]:
    """Yield (ensemble on the host, its neurons, spike input of the chip)."""
    for sender, receiver in model.host2chip_senders.items():
        conn = next(c for m in (model.host_pre, model.host) for c in _connections(m) if c.post_obj is sender)
        ensemble = conn.pre_obj.ensemble
        yield ensemble, np.arange(ensemble.n_neurons)[conn.pre_slice], model.spike_targets[receiver]


def _connections(model: Any) -> Iterator[Any]:
    import nengo

    return (key for key in model.params if isinstance(key, nengo.Connection))
