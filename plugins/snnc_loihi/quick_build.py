"""Build with nengo-loihi in less time: it works on each axon's weights by themselves, of which there are 10^5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from nengo_loihi.block import Synapse
from nengo_loihi.builder import discretize, split_blocks, validate

_discretize_synapse = discretize.discretize_synapse
_split_synapse = split_blocks.split_synapse
_validate_axon = validate.validate_axon


@contextmanager
def quick() -> Iterator[None]:
    """Let nengo-loihi split, round and check synapses in fewer steps inside a block; the numbers are the same."""
    discretize.discretize_synapse = _discretize_together
    split_blocks.split_synapse = _split
    validate.validate_axon = _require_atoms
    try:
        yield
    finally:
        discretize.discretize_synapse = _discretize_synapse
        split_blocks.split_synapse = _split_synapse
        validate.validate_axon = _validate_axon


def _discretize_together(synapse: Any, *args: Any) -> None:
    """Give nengo-loihi a synapse as that of one axon, and put the weights back where they belong."""
    weights, indices = synapse.weights, synapse.indices
    synapse.weights, synapse.indices = ([np.concatenate([x.ravel() for x in xs])[None]] for xs in (weights, indices))
    _discretize_synapse(synapse, *args)
    ends = np.cumsum([w.size for w in weights])[:-1]
    parts = np.split(synapse.weights[0][0], ends)
    synapse.weights = [part.reshape(w.shape) for part, w in zip(parts, weights, strict=True)]
    synapse.indices = indices


def _split(block: Any, synapse: Any, blocks: Mapping[Any, Any], validate: Any) -> dict[Any, list[int]]:
    """Return the synapses of the blocks that take the place of one, with the axons that each of them has.

    Which blocks an axon leads to is looked up for each axon, in place of trying all blocks. What an axon leads to there
    only counts, as nengo-loihi puts the weights together itself.
    """
    owner = np.full(block.n_neurons, -1)
    for number, ids in enumerate(blocks.values()):
        owner[list(ids)] = number
    axons: dict[int, Any] = {}
    reached: list[dict[int, Any]] = [{} for _ in blocks]
    for axon in range(synapse.n_axons):
        base = synapse.axon_compartment_base(axon)
        if base is None:
            continue
        number = synapse.axon_weight_idx(axon)
        targets = base + synapse.indices[number][0]
        axons[axon] = number, base, targets, None
        owners = owner[targets]
        if len(owners) and (owners == owners[0]).all():  # as most are, and np.unique takes ten times as long
            reached[owners[0]][axon] = targets
            continue
        for each in np.unique(owners).tolist():
            reached[each][axon] = targets[owners == each]
    found: dict[Any, list[int]] = {}
    for number, (new, ids) in enumerate(blocks.items()):
        taken = list(reached[number])
        if taken:
            part = Synapse(len(taken), label=None if synapse.label is None else f"{synapse.label}[{number}]")
            new.add_synapse(part)
            split_blocks.set_new_synapse_weights(synapse, axons, part, ids, reached[number], taken, validate=validate)
            found[part] = taken
    return found


def _require_atoms(axon: Any) -> None:
    """Raise AssertionError where an atom of an axon is none of the populations that its synapse has weights for."""
    if isinstance(axon.target, Synapse) and axon.compartment_atoms is not None:
        atoms = np.asarray(axon.compartment_atoms)
        numbers = np.asarray(axon.map_axon(np.arange(len(atoms))))
        populations = np.array([w.shape[0] for w in axon.target.weights])
        if axon.target.axon_to_weight_map is not None:
            populations = populations[np.asarray(axon.target.axon_to_weight_map)]
        assert ((atoms >= 0) & (atoms < populations[numbers])).all(), f"{axon}: an atom that no weights are for"
