"""When the nodes of a graph are computed in a run: once, or in every step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from snnc.engine.presentation import is_temporal
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import Neurons
from snnc.ops.changes import Accumulate, Difference
from snnc.ops.stateful import Stateful


@dataclass(frozen=True)
class Schedule:
    """The nodes of a run, without the inputs; each tuple is in topological order."""

    static: tuple[str, ...]
    """Computed once, before the first step: they depend on nothing that changes."""
    dynamic: tuple[str, ...]
    """Computed in every step: they have a state, or read what changes."""
    driven: tuple[str, ...]
    """Those with a state whose inputs do not change: what of a step depends on its inputs alone is done once, too."""
    stateful: tuple[str, ...]
    """Those with a state."""


def has_state(node: Node) -> bool:
    """Return whether a node remembers anything from step to step."""
    return isinstance(node.op, Stateful) and node.op.stateful


def sending(graph: Graph, stateful: Iterable[str]) -> tuple[str, ...]:
    """Return the nodes whose silence in a step means that nothing changes ever after; none where no silence does.

    Those are neurons that send changes, and the differences of what they read, in a graph in which nothing else but
    the sums of such changes has a state.
    """
    found = []
    for name in stateful:
        op = graph[name].op
        if isinstance(op, Difference) or (isinstance(op, Neurons) and op.model.graded):
            found.append(name)
        elif not isinstance(op, Accumulate):
            return ()
    return tuple(found)


def schedule(graph: Graph, wanted: Iterable[str], external: Mapping[str, Sequence[str]] | None = None) -> Schedule:
    """Return when each node that the wanted ones depend on is computed.

    Args:
        graph: what is run. The inputs of a temporal graph change from step to step, those of others do not.
        wanted: the nodes whose values are asked for.
        external: nodes that something beside the engine computes in every step, with what it reads in place of their
            inputs, which are needed only where something else reads them.
    """
    external = external or {}
    sources = {node.name: tuple(external.get(node.name, graph.sources(node.name))) for node in graph}
    needed = {*wanted, *external}
    for name in reversed(sources):
        if name in needed:
            needed.update(sources[name])
    changing = set(graph.inputs) if is_temporal(graph) else set()
    static: list[str] = []
    dynamic: list[str] = []
    driven: list[str] = []
    stateful: list[str] = []
    for node in graph:
        name = node.name
        if name not in needed or node.op.arity == 0:
            continue
        constant = changing.isdisjoint(sources[name])
        remembers = name in external or has_state(node)
        if constant and not remembers:
            static.append(name)
            continue
        changing.add(name)
        dynamic.append(name)
        if remembers:
            stateful.append(name)
            if constant:
                driven.append(name)
    return Schedule(tuple(static), tuple(dynamic), tuple(driven), tuple(stateful))
