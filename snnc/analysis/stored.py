"""What hardware makes of weights and other numbers that it stores in few bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from snnc.ir.types import Array


class StoredInput(ABC):
    """How hardware computes the mean input of a population, with weights and other numbers as it stores them."""

    sources: tuple[str, ...]
    """The populations that it reads."""

    @abstractmethod
    def __call__(self, values: Mapping[str, Array]) -> Array:
        """Return the input in the units of the graph, ``(batch, *shape)``, for what the sources give, by name."""
