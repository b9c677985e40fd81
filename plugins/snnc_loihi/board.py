"""Whether a built model fits on a board: nengo-loihi's allocators and checks, which need no NxSDK.

The emulator looks at cores one by one and knows no chips; what the board would refuse on top of that is a warning here
where the emulator runs all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from snnc.api import LoweringError
from snnc_loihi.chip_model import ensembles_of
from snnc_loihi.placement import CORES_PER_CHIP

Allocation = Literal["greedy", "greedy-interchip", "round-robin"]

SPIKES_PER_STEP = 50
"""Spikes that nengo-loihi sends to a chip in a step while the host takes part in every step; it drops what is more."""

UNPLACED = (
    "nengo-loihi cannot put this network on a board, where the last axon of a connection leads to no synapse; the "
    "emulator runs it all the same, and cores are told in the order of the layers"
)


@dataclass(frozen=True)
class BoardFit:
    """A model on the chips of a board."""

    chips: tuple[tuple[Any, ...], ...]
    """By chip and core: the block."""
    between_chips: float
    """Share of the traffic between cores that leaves its chip: of spikes where rates were given, else of axons."""
    warnings: tuple[str, ...]
    """What hardware may refuse, or do otherwise than the emulator."""


def fit(
    model: Any,
    chips: int | None = None,
    allocation: Allocation = "greedy-interchip",
    rates: Mapping[Any, Any] | None = None,
) -> BoardFit:
    """Put the blocks of a model on chips.

    Args:
        model: a ``nengo_loihi.builder.Model`` that was built and discretised.
        chips: how many chips there are; None for as few as have the cores.
        allocation: ``"greedy"`` fills chip after chip in the order of the layers, ``"greedy-interchip"`` puts what
            talks most to a chip on it next, as hardware does by default, and ``"round-robin"`` deals them out.
        rates: spikes a second, ``(neurons,)``, by ensemble: what the traffic is estimated with.

    Raises:
        LoweringError: the chips do not have the cores, or a core breaks a rule of the hardware; names the layer.
    """
    from nengo_loihi.hardware.allocators import Greedy, GreedyInterchip, RoundRobin, estimate_interchip_activity

    cores = len(model.blocks)
    wanted = -(-cores // CORES_PER_CHIP) if chips is None else chips
    if cores > wanted * CORES_PER_CHIP:
        raise LoweringError(
            f"the network takes {cores} cores, and {wanted} chip(s) have {wanted * CORES_PER_CHIP}; give it "
            f"{-(-cores // CORES_PER_CHIP)} chips"
        )
    allocators = {"greedy": Greedy, "greedy-interchip": GreedyInterchip, "round-robin": RoundRobin}
    try:
        board = allocators[allocation]()(model, n_chips=wanted)
    except TypeError:  # it adds to the number of an axon that has none
        blocks = list(model.blocks)
        in_order = tuple(tuple(blocks[i : i + CORES_PER_CHIP]) for i in range(0, cores, CORES_PER_CHIP))
        return BoardFit(chips=in_order, between_chips=0.0, warnings=(UNPLACED,))
    layers = ensembles_of(model)
    for chip in board.chips:
        for core in chip.cores:
            _validate(core, layers[core.blocks[0]].label)
    block_rates = None if rates is None else _by_block(model, rates)
    traffic = estimate_interchip_activity(board, block_rates)
    total = traffic["interchip"] + traffic["intrachip"]
    return BoardFit(
        chips=tuple(tuple(core.blocks[0] for core in chip.cores) for chip in board.chips),
        between_chips=float(traffic["interchip"] / total) if total else 0.0,
        warnings=tuple(dict.fromkeys(_warnings(model, board))),
    )


def _by_block(model: Any, rates: Mapping[Any, Any]) -> dict[Any, Any]:
    found = {}
    for ensemble, rate in rates.items():
        blocks = model.objs[ensemble]["out"]
        for block in blocks if isinstance(blocks, list) else [blocks]:
            found[block] = np.asarray(rate)[list(model.block_comp_map[block])]
    return found


def _validate(core: Any, name: str) -> None:
    from nengo_loihi.hardware.nxsdk_objects import MAX_COMPARTMENT_CFGS, MAX_VTH_CFGS
    from nengo_loihi.hardware.validate import validate_core

    different = (
        (len(core.compartment_cfgs), MAX_COMPARTMENT_CFGS - 1, "decays and refractory periods"),
        (len(core.vth_cfgs), MAX_VTH_CFGS - 1, "thresholds"),
        (len(core.synapse_cfgs), 16, "formats of synapses"),
    )
    for count, limit, what in different:
        if count > limit:
            raise LoweringError(
                f"layer {name!r}: {count} different {what} on one core, which has {limit}; use the same for all"
            )
    try:
        validate_core(core)
    except AssertionError as error:
        raise LoweringError(
            f"layer {name!r}: the hardware refuses this core: {error or 'a register is out of range'}"
        ) from error


def _warnings(model: Any, board: Any) -> Iterator[str]:
    layers = ensembles_of(model)
    for chip in board.chips:
        for core in chip.cores:
            yield from _core_warnings(core, layers[core.blocks[0]].label)
    for layer, kinds in _axon_kinds(model).items():
        if 0 in kinds and len(kinds) > 1:
            yield (
                f"{layer}: feeds a convolution and a dense or sparse connection; boards have refused such a mixture "
                "(nengo-loihi issue 242)"
            )
    if model.host2chip_senders and not model.split.precompute:
        yield (
            f"the host takes part in every step, and nengo-loihi then sends a chip {SPIKES_PER_STEP} spikes a step at "
            "most and drops the others: raise snip_max_spikes_per_step"
        )


def _core_warnings(core: Any, name: str) -> Iterator[str]:
    for synapse, ids in core.synapse_axons.items():
        last = max((i for i in ids if i is not None), default=0)
        if last > 2 ** synapse.axon_bits():
            yield (
                f"{name}: an axon has number {last} on its core, and {synapse.axon_bits()} bits hold no more than "
                f"{2 ** synapse.axon_bits()}; use pop_type 32 or smaller blocks"
            )
        if synapse.atom_bits_extra() > 0:
            yield f"{name}: population axons of 16 bits with more than 32 channels before it run in the emulator only"
    refractory = core.blocks[0].compartment.refract_delay
    if refractory.min() < 1 or refractory.max() > 63:
        yield f"{name}: a refractory period of {refractory.max()} steps; the chip has 1 to 63"


def _axon_kinds(model: Any) -> dict[str, set[int]]:
    kinds: dict[str, set[int]] = {}
    for block, ensemble in ensembles_of(model).items():
        kinds.setdefault(ensemble.label, set()).update(axon.pop_type for axon in block.axons)
    return kinds
