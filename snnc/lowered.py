"""A graph with its settings, and the program that a backend makes of it, which threads may share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from snnc.backend import Backend
from snnc.engine.read_out import ReadOut
from snnc.errors import UsageError, unknown
from snnc.ir.graph import Graph
from snnc.lowering import LoweringContext, Lowerings
from snnc.manifest import Settings
from snnc.ops.read_out_activation import stepwise
from snnc.program import Program
from snnc.registry import Registry


@dataclass(eq=False, repr=False)
class Lowered:
    """A graph that is lowered when its program is first asked for; it is pickled and copied without that."""

    graph: Graph
    """The graph as lowered."""
    source: Graph
    """The graph as imported."""
    settings: Settings
    registry: Registry
    """The plugins that it was compiled with, or loaded."""

    def __post_init__(self) -> None:
        self._turn = threading.RLock()
        self._lowered: Program | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the lowered program, which is built again: it holds open simulators."""
        return {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self.__post_init__()

    @cached_property
    def backend(self) -> Backend:
        """Return the backend, with its options."""
        return self.registry.build_backend(self.settings.backend)

    @cached_property
    def read_out(self) -> ReadOut:
        """Return how the outputs of all steps become one answer."""
        return self.registry.read_out(self.settings.read_out)

    @property
    def program(self) -> Program:
        """Return the lowered program; built when first asked for.

        Its own methods are for one thread at a time, unless it is ``shareable``. Those of this class take turns.
        """
        return self.lower()

    def lower(self, rehearsed: Program | None = None) -> Program:
        """Return the lowered program; if it has to be built, the backend is told of one of much the same graph."""
        with self._turn:
            if self._lowered is None:
                self._lowered = self._lower(rehearsed)
            return self._lowered

    def _lower(self, rehearsed: Program | None) -> Program:
        lowerings = self.registry.lowerings_for(self.backend.name)
        others = {name: self.registry.lowerings_for(name) for name in self.backend.uses}
        graph = stepwise(self.graph)
        self.backend.require_accepted(graph)
        return self.backend.lower(graph, replace(self._context(lowerings, others), rehearsed=rehearsed))

    def engine(self, name: str) -> Program:
        """Return the program that one of the backend's engines runs; for ``"numpy"`` nothing needs to be lowered.

        Raises:
            UsageError: the backend has no such engine.
        """
        if name not in self.backend.engines:
            raise UsageError(unknown("engine", name, self.backend.engines))
        if name == "numpy":
            return Program(stepwise(self.graph), self._context(Lowerings(name, {}), {}))
        return self.program.using(name)

    def _context(self, lowerings: Lowerings, others: Mapping[str, Lowerings]) -> LoweringContext:
        dt, seed = self.settings.dt, self.settings.seed
        return LoweringContext(lowerings, dt=dt, seed=seed, read_out=self.read_out, others=others)

    @contextmanager
    def alone(self, program: Program) -> Iterator[Program]:
        """Give the program when no other thread runs it, unless threads may share it."""
        if program.shareable:
            yield program
        else:
            with self._turn:
                yield program

    @property
    def network(self) -> Any:
        """Return the ``nengo.Network``, or None where the backend has none."""
        return self.program.network

    @property
    def network_map(self) -> Mapping[str, Any]:
        """Return the backend's object for each layer of the model, by name."""
        return self.program.network_map
