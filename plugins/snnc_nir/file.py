"""A NIR file: nodes with their fields, edges and metadata, as HDF5 stores them (neuroir.org; Pedersen et al. 2024).

Written and read by ourselves: the package ``nir`` knows no node types but its own, of 1.0.4 and 1.0.8 neither reads all
that the other writes, and what comes from elsewhere is read in a process that it cannot harm.
"""

from __future__ import annotations

import graphlib
import io
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from snnc.api import AnyArray, FileError, SafeHdf5
from snnc_nir.subgraphs import Edges, ends, spliced

Value: TypeAlias = "AnyArray | str | list[Any]"
MAGIC = b"\x89HDF\r\n\x1a\n"
BEGINNING = 4096
"""Bytes of a file that hold the names of its first groups."""
MOST_DEEP = 4
"""How deep graphs may be inside each other."""
MOST_NODES = 10_000
"""Of a file, those of graphs inside it counted as often as they are there."""
OWN = "snnc."
"""In front of the types of nodes that NIR does not have: plain readers refuse them."""
VERSION = "1.0.4"
"""Of the package whose files these are: the oldest that readers still ask for."""


@dataclass(frozen=True)
class NirNode:
    """A node: its type, such as ``Conv2d``, its fields by name, and metadata. Arrays have any shape, ``()`` too."""

    type: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class NirFile:
    """A graph: nodes by name, edges (from, to), of which several into one node add up, and metadata."""

    nodes: Mapping[str, NirNode]
    edges: tuple[tuple[str, str], ...]
    metadata: Mapping[str, Value] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the HDF5 file: the same bytes for the same graph, in whatever order it was put together."""
        import h5py

        stream = io.BytesIO()
        with h5py.File(stream, "w", track_order=False) as file:
            _put(file, "version", VERSION)
            root = file.create_group("node")
            _put(root, "type", "NIRGraph")
            pairs = np.array([list(pair) for pair in sorted(self.edges)], dtype=object).reshape(-1, 2)
            root.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())
            _put_all(root, "metadata", self.metadata)
            nodes = root.create_group("nodes", track_order=True)
            for name in self.in_order():
                node = self.nodes[name]
                group = nodes.create_group(name)
                _put(group, "type", node.type)
                for key, value in sorted(node.fields.items()):
                    _put(group, key, value)
                _put_all(group, "metadata", node.metadata)
        return stream.getvalue()

    def in_order(self) -> list[str]:
        """Return the names of the nodes, each behind what it reads, equals by name: snnTorch takes no other order."""
        reads: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            reads[target].append(source)
        sorter = graphlib.TopologicalSorter(reads)
        try:
            sorter.prepare()
        except graphlib.CycleError:
            return sorted(self.nodes)
        order: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            order += ready
            sorter.done(*ready)
        return order


def _put_all(group: Any, name: str, values: Mapping[str, Value]) -> None:
    if values:
        inside = group.create_group(name)
        for key, value in sorted(values.items()):
            _put(inside, key, value)


def _put(group: Any, name: str, value: Value) -> None:
    import h5py

    if isinstance(value, str):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
    elif np.ndim(value):
        group.create_dataset(name, data=value, compression="gzip")
    else:
        group.create_dataset(name, data=value)


def read(path: Path) -> NirFile:
    """Return a file's graph; what is in a graph inside it, with one input and one output, stands in its place.

    Raises:
        FileError: it cannot be read, is no NIR file, or is damaged or hostile.

    """
    with SafeHdf5(path, path) as file:
        if "node/nodes" not in file or not file.is_array("node/type") or file.text("node/type") != "NIRGraph":
            raise FileError(f"{path}: is no NIR graph: there is no group 'node' of the type NIRGraph in it")
        nodes, edges = _graph(file, "node", path, MOST_DEEP, itertools.count())
        return NirFile(nodes, edges, _values(file, "node/metadata"))


def _graph(
    file: SafeHdf5, group: str, path: Path, deeper: int, count: Iterator[int]
) -> tuple[dict[str, NirNode], Edges]:
    """Return the nodes and edges of a graph, without graphs inside it; ``count`` counts all nodes that are read."""
    nodes: dict[str, NirNode] = {}
    for name in file.groups(f"{group}/nodes"):
        nodes[name] = _node(file, f"{group}/nodes/{name}", path)
        if next(count) > MOST_NODES:
            raise FileError(f"{path}: has more than {MOST_NODES:,} nodes, with all graphs inside it")
    edges = _edges(file, group, path)
    for pair in edges:
        for name in pair:
            if name not in nodes:
                raise FileError(f"{path}: an edge of it ends at {name!r}, which is no node of it")
    for name in [name for name, node in nodes.items() if node.type == "NIRGraph"]:
        place = f"{group}/nodes/{name}"
        if not deeper:
            raise FileError(f"{path}: has graphs inside graphs {MOST_DEEP} deep and more")
        if f"{place}/nodes" not in file:
            continue  # who reads it says so
        inner, inner_edges = _graph(file, place, path, deeper - 1, count)
        if len(ends(inner, "Input")) != 1 or len(ends(inner, "Output")) != 1:
            continue
        del nodes[name]
        if sum(b == name for _, b in edges) * sum(a == name for a, _ in edges) > MOST_NODES:
            raise FileError(f"{path}: too many edges lead through its node {name!r}")
        edges = spliced(name, edges, inner, inner_edges)
        for key, node in inner.items():
            if node.type not in ("Input", "Output"):
                if f"{name}.{key}" in nodes:
                    raise FileError(f"{path}: two of its nodes are {name}.{key}")
                nodes[f"{name}.{key}"] = node
    return nodes, edges


def looks_like(path: Path) -> bool:
    """Return whether a path is a NIR file by its name, or an HDF5 file that holds a NIR graph."""
    try:
        with open(path, "rb") as stream:
            beginning = stream.read(BEGINNING)
        if not beginning.startswith(MAGIC) or b"node" not in beginning:
            return False
        if path.suffix == ".nir":
            return True
        with SafeHdf5(path, path) as file:
            return bool(file.text("node/type") == "NIRGraph")
    except (OSError, FileError):
        return False


def _node(file: SafeHdf5, group: str, path: Path) -> NirNode:
    if file.is_array(group):
        raise FileError(f"{path}: {group!r} is an array, not a node")
    if not file.is_array(f"{group}/type") or not isinstance(kind := file.text(f"{group}/type"), str):
        raise FileError(f"{path}: its node {group.rpartition('/')[2]!r} has no type")
    fields = {name: value for name, value in _values(file, group).items() if name != "type"}
    return NirNode(kind, fields, _values(file, f"{group}/metadata"))


def _values(file: SafeHdf5, group: str) -> dict[str, Value]:
    """Return the numbers and texts of a group, without the groups inside it."""
    found: dict[str, Value] = {}
    for name in file.groups(group):
        place = f"{group}/{name}"
        if file.is_array(place):
            text = file.text(place)
            found[name] = file.array(place) if text is None else text
    return found


def _edges(file: SafeHdf5, group: str, path: Path) -> Edges:
    if not file.is_array(f"{group}/edges"):
        raise FileError(f"{path}: it has no edges; is it a complete file?")
    pairs = file.text(f"{group}/edges")
    if pairs is None and not file.array(f"{group}/edges").size:
        return ()
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise FileError(f"{path}: its edges are no pairs of names")
    if not all(isinstance(name, str) for pair in pairs for name in pair):
        raise FileError(f"{path}: its edges are no pairs of names")
    return tuple((a, b) for a, b in pairs)
