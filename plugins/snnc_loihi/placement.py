"""Where each layer goes: a plan for the chip, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snnc_loihi.tilings import Shape

CORES_PER_CHIP = 128


@dataclass(frozen=True)
class Block:
    """The resources that a block takes of its core."""

    compartments: int
    in_axons: int
    out_axons: int
    synapse_bits: int


@dataclass(frozen=True)
class Placed:
    """A layer cut into blocks."""

    ensemble: Any
    name: str
    shape: Shape
    block: Shape
    """The shape of its blocks; the last ones may be smaller."""
    blocks: tuple[Block, ...]
    """In nengo-loihi's order."""


@dataclass(frozen=True)
class Plan:
    """Block shapes for every layer on the chip."""

    layers: tuple[Placed, ...]

    @property
    def cores(self) -> int:
        """Return the number of cores: one a block."""
        return sum(len(layer.blocks) for layer in self.layers)

    @property
    def chips(self) -> int:
        """Return the number of chips that have so many cores."""
        return -(-self.cores // CORES_PER_CHIP)

    def apply(self, network: Any) -> None:
        """Write the block shapes into the config of the network that was planned."""
        from nengo_loihi import BlockShape

        for layer in self.layers:
            network.config[layer.ensemble].block_shape = BlockShape(layer.block, layer.shape)
