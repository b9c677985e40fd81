"""The edges of a NIR file: what each node reads, in an order in which that is there before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx as nx

from snnc.api import FrontendError
from snnc_nir.file import NirFile


@dataclass(frozen=True)
class Links:
    """Who reads whom, of the nodes that an output depends on."""

    order: tuple[str, ...]
    """All of them, each behind what it reads."""
    sources: Mapping[str, tuple[str, ...]]
    readers: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def links_of(file: NirFile, path: Path, inputs: Sequence[str] = ()) -> Links:
    """Return the links of a file; raise FrontendError for what is no feed-forward graph from inputs to outputs.

    Args:
        file: what is in it.
        path: what errors name.
        inputs: the order of inputs, where the file says one.

    """
    kinds = {name: node.type for name, node in file.nodes.items()}
    if "Output" not in kinds.values() or "Input" not in kinds.values():
        raise FrontendError(f"{path}: it has no {'Input' if 'Output' in kinds.values() else 'Output'} node")
    twice = [pair for pair, count in Counter(file.edges).items() if count > 1]
    if twice:
        raise FrontendError(f"{path}: the edge {twice[0][0]!r} -> {twice[0][1]!r} is there twice; NIR has each once")
    for source, target in file.edges:
        if kinds[target] == "Input" or kinds[source] == "Output":
            raise FrontendError(
                f"{path}: an edge goes from {source!r} to {target!r}, into an input or out of an output"
            )
    graph: nx.DiGraph[str] = nx.DiGraph()
    wished = [*inputs, *sorted(name for name, kind in kinds.items() if kind == "Input"), *(b for _, b in file.edges)]
    graph.add_nodes_from(dict.fromkeys(name for name in (*wished, *kinds) if name in kinds))
    graph.add_edges_from(file.edges)
    rank = {name: k for k, name in enumerate(graph)}
    outputs = [name for name, kind in kinds.items() if kind == "Output"]
    needed = set(outputs).union(*(nx.ancestors(graph, name) for name in outputs))
    dead = sorted(name for name in kinds if name not in needed and kinds[name] != "Input")
    graph.remove_nodes_from(dead)
    if not nx.is_directed_acyclic_graph(graph):
        ring = [a for a, _ in nx.find_cycle(graph)]
        raise FrontendError(
            f"{path}: it is recurrent: {' -> '.join(map(repr, [*ring, ring[0]]))}; only networks without are read, "
            "so remove the edge that goes back, or unroll it"
        )
    for name in graph:
        if kinds[name] != "Input" and not graph.pred[name]:
            raise FrontendError(f"{path}: node {name!r} ({kinds[name]}): no edge leads to it; is the file complete?")
    sources: dict[str, list[str]] = {name: [] for name in graph}
    readers: dict[str, list[str]] = {name: [] for name in graph}
    for source, target in file.edges:
        if source in sources and target in sources:
            sources[target].append(source)
            readers[source].append(target)
    notes = (f"no output depends on {', '.join(map(repr, dead))}, which is left out",) if dead else ()
    return Links(
        tuple(nx.lexicographical_topological_sort(graph, key=rank.__getitem__)),
        {name: tuple(found) for name, found in sources.items()},
        {name: tuple(found) for name, found in readers.items()},
        notes,
    )


__all__ = ["Links", "links_of"]
