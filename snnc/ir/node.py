"""The nodes of a graph, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic

from snnc.ir.op import Op
from snnc.ir.types import TensorType

if TYPE_CHECKING:
    from typing_extensions import TypeVar
else:  # typing's has a default from Python 3.13 on, and only type checkers look
    import typing

    def TypeVar(name: str, *, default: Any, **options: Any) -> Any:
        """Return a type variable without its default."""
        return typing.TypeVar(name, **options)


OpT = TypeVar("OpT", bound=Op, covariant=True, default=Op)


@dataclass(frozen=True)
class Origin:
    """Where a node comes from: the layers of the source model it realises, and who made or changed it, in order."""

    layers: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()

    def by(self, author: str | None) -> Origin:
        """Return the origin after another change, unless the author is the last one already."""
        if author is None or self.passes[-1:] == (author,):
            return self
        return replace(self, passes=(*self.passes, author))

    def joined(self, others: Iterable[Origin]) -> Origin:
        """Return the origin of a node that takes the place of this one and the others."""
        layers, passes = dict.fromkeys(self.layers), dict.fromkeys(self.passes)
        for other in others:
            layers |= dict.fromkeys(other.layers)
            passes |= dict.fromkeys(other.passes)
        return Origin(tuple(layers), tuple(passes))

    def __str__(self) -> str:
        return " <- ".join((*reversed(self.passes), *(f"keras:{layer}" for layer in self.layers)))


@dataclass(frozen=True)
class Node(Generic[OpT]):
    """One node as it is now: ``Node[Dense]`` where the class of its op is known. It is replaced, never edited."""

    name: str
    op: OpT
    type: TensorType
    origin: Origin
