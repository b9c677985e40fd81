"""A layer to be placed, with the costs of each way to cut it, remembered."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc_loihi.core_connections import CoreConnection
from snnc_loihi.placement import Block
from snnc_loihi.tilings import Shape, Tiling, contained, tilings

Ints = npt.NDArray[np.int64]


class Limits(Block):
    """The resources of a core, as nengo-loihi checks them."""

    @classmethod
    def of_loihi(cls) -> Limits:
        """Return nengo-loihi's own numbers."""
        from nengo_loihi import block

        return cls(block.MAX_COMPARTMENTS, block.MAX_IN_AXONS, block.MAX_OUT_AXONS, block.MAX_SYNAPSE_BITS)


@dataclass(frozen=True)
class Demand:
    """The costs of a tiling of a layer, whatever the tilings of the others are; arrays are ``(blocks,)``."""

    tiling: Tiling
    in_axons: Ints
    synapse_bits: Ints
    fans: dict[CoreConnection, Ints]
    """By connection into the layer: ``(axons,)``, how many blocks need each axon."""
    fits: bool
    """Whether each block is within the limits, and the chip has a form for the weights."""
    fullness: float
    """The largest share that a block takes of a resource, output axons left out."""


class Layer:
    """An ensemble on the chip with its connections."""

    def __init__(self, ensemble: Any, shape: Shape, fixed: Shape | None, limits: Limits) -> None:
        """Hold an ensemble of a shape; ``fixed`` is the shape of its blocks where the user chose it."""
        self.ensemble, self.shape, self.limits = ensemble, shape, limits
        self.inputs: list[CoreConnection] = []
        self.outputs: list[CoreConnection] = []
        self.tilings = [Tiling(shape, fixed)] if fixed else tilings(shape, limits.compartments)
        self._too_large: list[Shape] = []
        self._demands: dict[Shape, Demand | None] = {}
        self._out_pairs: dict[tuple[CoreConnection, Shape], tuple[Ints, Ints]] = {}

    @property
    def name(self) -> str:
        """Return the ensemble's label."""
        return str(self.ensemble.label or self.ensemble)

    def demand(self, tiling: Tiling) -> Demand | None:
        """Return the costs of a tiling, or None if a block of it does not fit a core."""
        if tiling.block not in self._demands:
            self._demands[tiling.block] = self._fitting(tiling)
        return self._demands[tiling.block]

    def _fitting(self, tiling: Tiling) -> Demand | None:
        if not self._has_room or any(contained(block, tiling.block) for block in self._too_large):
            return None
        if not tiling.whole and not self._block_fits(tiling):
            self._too_large.append(tiling.block)
            return None
        demand = self.count(tiling)
        return demand if demand.fits else None

    @functools.cached_property
    def _has_room(self) -> bool:
        """Return whether the smallest blocks fit: all others need more."""
        return self.tilings[-1].whole or self._block_fits(self.tilings[-1])

    def _block_fits(self, tiling: Tiling) -> bool:
        """Try a block from the middle: no other needs much more."""
        position = tiling.position(tiling.middle)
        parts = [edge.part(position, int(tiling.sizes[tiling.middle])) for edge in self.inputs]
        return (
            sum(int(p.needed.sum()) for p in parts) <= self.limits.in_axons
            and sum(p.bits for p in parts) <= self.limits.synapse_bits
        )

    def count(self, tiling: Tiling) -> Demand:
        """Return the costs of a tiling, exactly, whether it fits or not."""
        in_axons, bits = np.zeros((2, tiling.blocks), dtype=np.int64)
        form = True
        if tiling.whole:
            fans = {edge: np.ones(edge.axons, dtype=np.int64) for edge in self.inputs}
            in_axons[0] = sum(edge.axons for edge in self.inputs)
            bits[0] = sum(edge.whole_bits for edge in self.inputs)
            form = all(edge.fits_whole for edge in self.inputs)
        else:
            fans = {edge: np.zeros(edge.axons, dtype=np.int64) for edge in self.inputs}
            for block, size in enumerate(tiling.sizes):
                position = tiling.position(block)
                for edge in self.inputs:
                    part = edge.part(position, int(size))
                    fans[edge] += part.needed
                    in_axons[block] += part.needed.sum()
                    bits[block] += part.bits
                    form = form and part.fits
        limits = self.limits
        fullness = max(
            tiling.sizes.max() / limits.compartments,
            in_axons.max() / limits.in_axons,
            bits.max() / limits.synapse_bits,
        )
        return Demand(tiling, in_axons, bits, fans, form and bool(fullness <= 1), float(fullness))

    def out_axons(self, tiling: Tiling, fans: dict[CoreConnection, Ints]) -> Ints:
        """Return the output axons of each block, ``(blocks,)``, towards connections whose targets are cut."""
        total = np.zeros(tiling.blocks, dtype=np.int64)
        for edge, fan in fans.items():
            key = (edge, tiling.block)
            if key not in self._out_pairs:
                used = edge.axon_of >= 0
                pairs = np.unique(tiling.block_of[used] * edge.axons + edge.axon_of[used])
                self._out_pairs[key] = (pairs // edge.axons, pairs % edge.axons)
            block, axon = self._out_pairs[key]
            total += edge.slots * np.bincount(block, weights=fan[axon], minlength=tiling.blocks).astype(np.int64)
        return total
