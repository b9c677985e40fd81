"""A graph as ``graph.json`` and ``weights.npz``, both ways. Loading adds node by node, so all is checked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from snnc.errors import FileError, GraphError, SnncError, unknown
from snnc.files import npz_bytes, read_json_file, read_npz
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.node import Origin
from snnc.ir.op import Op, Record
from snnc.ir.types import AnyArray, Array
from snnc.schema import hints_of, misfits

FORMAT, VERSION = "snnc-graph", 1
GRAPH_FILE, SOURCE_FILE, WEIGHTS_FILE = "graph.json", "source.json", "weights.npz"


@dataclass(frozen=True)
class Kinds:
    """The classes that a stored graph may name, by kind."""

    op: Mapping[str, type[Op]]
    neuron: Mapping[str, type[Record]]
    synapse: Mapping[str, type[Record]]


@dataclass(frozen=True)
class _Entry:
    """A node in a graph file."""

    name: str
    attrs: Mapping[str, Any]
    inputs: tuple[str, ...]
    layers: tuple[str, ...]
    passes: tuple[str, ...]


@dataclass(frozen=True)
class _Document:
    """A graph file."""

    name: str
    outputs: Mapping[str, str]
    nodes: tuple[_Entry, ...]


def dump(graphs: Mapping[str, Graph]) -> dict[str, bytes]:
    """Return the files of one or more graphs by file name: the same bytes for the same graphs, each array once."""
    arrays: dict[str, Array] = {}
    names: dict[int, str] = {}

    def encode(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if id(value) not in names:
                names[id(value)] = f"w{len(names)}"
                arrays[names[id(value)]] = value
            return {"array": names[id(value)]}
        if isinstance(value, Record):
            return {value.family: value.kind, "attrs": {k: encode(v) for k, v in value.attrs().items()}}
        if isinstance(value, tuple):
            return [encode(v) for v in value]
        if isinstance(value, np.generic):
            return value.item()
        return value

    files = {name: (json.dumps(_document(graph, encode), indent=1) + "\n").encode() for name, graph in graphs.items()}
    return {**files, WEIGHTS_FILE: npz_bytes(arrays)}


def _document(graph: Graph, encode: Callable[[Any], Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "outputs": dict(graph.output_nodes),
        "nodes": [
            {
                "name": node.name,
                **encode(node.op),
                "inputs": list(graph.sources(node.name)),
                "layers": list(node.origin.layers),
                "passes": list(node.origin.passes),
            }
            for node in graph
        ],
    }


def load(folder: Path, kinds: Kinds, name: str = GRAPH_FILE) -> Graph:
    """Return a graph in a folder; raise FileError or GraphError for a damaged one."""
    path = folder / name
    document = read_json_file(path, "graph file")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileError(f"{path}: not a graph that snnc saved")
    if document.get("version") != VERSION:
        raise FileError(f"{path}: has format version {document.get('version')!r}, this snnc reads {VERSION}")
    arrays = read_npz(folder / WEIGHTS_FILE) if (folder / WEIGHTS_FILE).exists() else {}
    try:
        for wrong in misfits(document, _Document, "graph"):
            raise GraphError(wrong)
        return _build(document, arrays, kinds)
    except GraphError as error:
        raise FileError(f"{path}: damaged: {error}") from error
    except SnncError:
        raise
    except Exception as error:  # whatever values of the right type but out of place make an op raise
        raise FileError(f"{path}: damaged: {type(error).__name__} {' '.join(str(error).split())[:200]}") from error


def _build(document: dict[str, Any], arrays: Mapping[str, AnyArray], kinds: Kinds) -> Graph:
    graph = Graph(document["name"])
    frozen: dict[str, Array] = {}

    def decode(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(decode(v) for v in value)
        if not isinstance(value, dict):
            return value
        if "array" in value:
            name = value["array"]
            if name not in frozen:
                if arrays[name].dtype != np.float32:
                    raise GraphError(f"the array {name!r} is {arrays[name].dtype}, not float32")
                frozen[name] = np.array(arrays[name], dtype=np.float32)
                frozen[name].flags.writeable = False
            return frozen[name]
        return record(value)

    def record(value: dict[str, Any]) -> Record:
        for family in fields(kinds):
            if family.name in value:
                known: Mapping[str, type[Record]] = getattr(kinds, family.name)
                if value[family.name] not in known:
                    raise GraphError(unknown(f"{family.name} kind", value[family.name], known))
                cls = known[value[family.name]]
                attrs = {k: decode(v) for k, v in value["attrs"].items()}
                for name, hint in hints_of(cls).items():
                    for wrong in misfits(attrs[name], hint, f"{cls.kind}.{name}") if name in attrs else ():
                        raise GraphError(wrong)
                return cls(**attrs)
        raise GraphError(f"a graph file holds an unknown kind of record: {sorted(value)}")

    for entry in document["nodes"]:
        op = record(entry)
        if not isinstance(op, Op):
            raise GraphError(f"node {entry['name']!r} holds no op")
        graph.add(entry["name"], op, entry["inputs"])
        graph.set_origin(entry["name"], Origin(tuple(entry["layers"]), tuple(entry["passes"])))
    graph.set_outputs(document["outputs"])
    check(graph)
    return graph
