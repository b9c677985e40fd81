"""Lowerings, each of one op for one backend, and what a lowering is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snnc.engine.read_out import MeanReadOut, ReadOut
from snnc.errors import UnsupportedOpError
from snnc.ir.graph import Graph
from snnc.ir.op import Op


@dataclass(frozen=True)
class Lowering:
    """How one backend builds one op."""

    backend: str
    op: type[Any]
    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Return ``backend:kind``, or ``backend:Class`` of a class that others inherit from."""
        return f"{self.backend}:{getattr(self.op, 'kind', self.op.__name__)}"


def lowering(backend: str, op: type[Any]) -> Callable[[Callable[..., Any]], Lowering]:
    """Make a lowering of a function; nothing is registered, a hook must return it.

    It is also that of the classes that inherit from ``op``, as far as they have none themselves and inherit what they
    compute, too. That of ``Op`` itself takes whatever else there is: it computes it on the host, with op.evaluate.
    What the function is given, and what it returns, is the backend's own contract.
    """
    return lambda function: Lowering(backend, op, function)


@dataclass(frozen=True)
class Lowerings:
    """The lowerings of a backend and of those that it extends, nearest first."""

    backend: str
    table: Mapping[type[Op], Callable[..., Any]]

    def get(self, op: Op) -> Callable[..., Any] | None:
        """Return the lowering of an op's class, or of the nearest that it inherits from, or None."""
        return self.table.get(self._nearest(op))

    def lower(self, op: Op, site: Any) -> Any:
        """Return the lowered form of an op at a site of the backend's; raise KeyError where there is none."""
        return self.table[self._nearest(op)](op, site)

    def on_host(self, op: Op) -> bool:
        """Return whether an op has no lowering but that for all ops, which computes it on the host."""
        return Op in self.table and self._nearest(op) is Op

    def _nearest(self, op: Op) -> type[Op]:
        own = False  # whether it has a rule of its own, so that another op's lowering is not for it
        for cls in type(op).__mro__:
            if cls in self.table and not (own and "kind" in vars(cls)):
                return cls
            if "rule" not in vars(cls) and not {"evaluate", "step"}.isdisjoint(vars(cls)):
                break  # what it computes is not what those compute that it inherits from
            own = own or "rule" in vars(cls)
        return Op

    def require(self, graph: Graph) -> None:
        """Raise UnsupportedOpError naming every node that has no lowering."""
        missing = [
            (n.name, n.op.kind, "drop the layer, or add a lowering with the hook snnc_register_lowerings")
            for n in graph
            if n.op.arity != 0 and self.get(n.op) is None
        ]
        if missing:
            raise UnsupportedOpError(self.backend, missing)


@dataclass(frozen=True)
class LoweringContext:
    """The lowerings and settings with which a backend lowers a graph."""

    lowerings: Lowerings
    dt: float = 0.001
    """Seconds a step."""
    seed: int = 0
    read_out: ReadOut = field(default_factory=MeanReadOut)
    """How the outputs of all steps become one answer."""
    others: Mapping[str, Lowerings] = field(default_factory=dict)
    """The lowerings of the backends that this one uses, by name."""
    rehearsed: Any = None
    """The program of much the same graph before it was measured, where there is one: see ``Backend.rehearses``."""
