"""Put passes into one order: by stage, then what they name in ``after``, then by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import networkx as nx

from snnc.errors import PassOrderError
from snnc.passes.base import Pass

P = TypeVar("P", Pass, type[Pass])


def order(passes: Sequence[P]) -> list[P]:
    """Return the passes in the order in which they run, whatever order they come in.

    Raises:
        PassOrderError: two wait for each other, or one wants to follow a pass of a later stage.

    """
    by_name = {p.name: p for p in passes}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(by_name)
    for p in passes:
        for name in p.after:
            earlier = by_name.get(name)
            if earlier is None:
                continue
            if earlier.stage > p.stage:
                raise PassOrderError(
                    f"pass {p.name!r} of stage {p.stage.name} cannot come after {name!r}, which is of the later "
                    f"stage {earlier.stage.name}"
                )
            if earlier.stage == p.stage:
                graph.add_edge(name, p.name)
    try:
        names = list(nx.lexicographical_topological_sort(graph, key=lambda n: (by_name[n].stage, n)))
    except nx.NetworkXUnfeasible:
        cycle: list[tuple[str, str]] = list(nx.find_cycle(graph))
        raise PassOrderError(
            f"passes wait for each other: {' -> '.join([cycle[0][0], *(e[1] for e in cycle)])}"
        ) from None
    return [by_name[name] for name in sorted(names, key=lambda n: by_name[n].stage)]
