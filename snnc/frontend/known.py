"""What is known of a tensor before there is data: a shape, and what is computed from shapes and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Known:
    """Stands for a tensor of the model whose value does not depend on its inputs: numbers, in lists of lists."""

    value: Any


class BatchSizeError(ValueError):
    """Arithmetic with the size of the batch."""


class BatchSize(int):
    """The size of the batch, which no model says: as a number -1, which is what shapes want.

    Times one it is the same, less itself zero, and any other arithmetic raises BatchSizeError.
    """

    def __new__(cls) -> BatchSize:
        """Return it; there is nothing to choose."""
        return int.__new__(cls, -1)

    def _times(self, other: Any) -> BatchSize:
        if isinstance(other, BatchSize) or other != 1:
            raise BatchSizeError
        return self

    def _refused(self, *others: Any) -> Any:
        raise BatchSizeError

    def _minus(self, other: Any) -> int:
        if isinstance(other, BatchSize):
            return 0
        raise BatchSizeError

    __mul__ = __rmul__ = __floordiv__ = _times
    __sub__ = __rsub__ = _minus
    __add__ = __radd__ = __mod__ = __truediv__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = _refused
    __pow__ = _refused  # type: ignore[assignment]
