"""Ways to cut a layer into blocks, one core each."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tiling:
    """A layer of a shape cut into blocks of a shape, in nengo-loihi's order; the last ones may be smaller."""

    shape: Shape
    block: Shape

    @functools.cached_property
    def counts(self) -> Shape:
        """Return the number of blocks along each dimension."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.block, strict=True))

    @functools.cached_property
    def blocks(self) -> int:
        """Return the number of blocks."""
        return prod(self.counts)

    @property
    def whole(self) -> bool:
        """Return whether the layer is not cut at all."""
        return self.blocks == 1

    @functools.cached_property
    def block_of(self) -> Ints:
        """Return the block of each neuron."""
        along = [np.arange(n) // b for n, b in zip(self.shape, self.block, strict=True)]
        number = np.zeros(self.shape, dtype=np.int64)
        for axis, (places, count) in enumerate(zip(along, self.counts, strict=True)):
            number = number * count + places.reshape([-1 if i == axis else 1 for i in range(len(self.shape))])
        return number.ravel()

    @property
    def middle(self) -> int:
        """Return the number of a block away from the borders, where a block needs most."""
        number = 0
        for count in self.counts:
            number = number * count + (count - 1) // 2
        return number

    def position(self, block: int) -> Ints:
        """Return each neuron's place in a block, -1 for those outside."""
        inside = self.block_of == block
        return np.where(inside, np.cumsum(inside) - 1, -1)

    @functools.cached_property
    def sizes(self) -> Ints:
        """Return the number of neurons of each block."""
        return np.bincount(self.block_of, minlength=self.blocks)


def tilings(shape: Shape, most: int) -> list[Tiling]:
    """Return the tilings whose blocks have ``most`` neurons or fewer: fewest blocks first, then the most compact."""
    sides = [sorted({-(-n // k) for k in range(1, n + 1)}) for n in shape]
    found = [Tiling(shape, block) for block in itertools.product(*sides) if prod(block) <= most]
    return sorted(found, key=lambda t: (t.blocks, _border(t), t.block))


def _border(tiling: Tiling) -> int:
    """Return how far the blocks reach in space: a convolution's blocks share the axons along their borders."""
    return sum(tiling.block[:2]) if len(tiling.block) > 2 else 0


def contained(small: Shape, large: Shape) -> bool:
    """Return whether a block fits inside another."""
    return all(a <= b for a, b in zip(small, large, strict=True))
