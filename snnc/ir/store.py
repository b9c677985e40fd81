"""A graph as ``graph.json`` and ``weights.npz``, both ways. Loading adds node by node, so all is checked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from snnc.errors import FileError, GraphError, SnncError, unknown
from snnc.files import npz_bytes, read_json_file, read_npz
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.made_for import MadeFor
from snnc.ir.node import Origin
from snnc.ir.op import Op, Record
from snnc.ir.types import AnyArray, Array
from snnc.outputs import Kind
from snnc.schema import hints_of, misfits

FORMAT, VERSION = "snnc-graph", 1
GRAPH_FILE, SOURCE_FILE, WEIGHTS_FILE = "graph.json", "source.json", "weights.npz"
FOLDER = Kind("a saved graph", GRAPH_FILE, FORMAT, (GRAPH_FILE, WEIGHTS_FILE))


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
    made_for: MadeFor | None = None


class _Encoder:
    """Values of a graph file as JSON has them, with arrays set aside: each once, whoever holds it."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, str] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if id(value) not in self._names:
                self._names[id(value)] = f"w{len(self._names)}"
                self.arrays[self._names[id(value)]] = value
            return {"array": self._names[id(value)]}
        if isinstance(value, Record):
            return {value.family: value.kind, "attrs": {k: self(v) for k, v in value.attrs().items()}}
        if isinstance(value, tuple):
            return [self(v) for v in value]
        if isinstance(value, np.generic):
            return value.item()
        return value


def dump(graphs: Mapping[str, Graph]) -> dict[str, bytes]:
    """Return the files of one or more graphs by file name: the same bytes for the same graphs, each array once."""
    encode = _Encoder()
    files = {name: (json.dumps(_document(graph, encode), indent=1) + "\n").encode() for name, graph in graphs.items()}
    return {**files, WEIGHTS_FILE: npz_bytes(encode.arrays)}


def op_text(op: Op) -> tuple[str, dict[str, Array]]:
    """Return an op as JSON, and the arrays that it names."""
    encode = _Encoder()
    return json.dumps(encode(op)), encode.arrays


def graph_text(graph: Graph) -> tuple[str, dict[str, Array]]:
    """Return a graph as JSON, and the arrays that it names."""
    encode = _Encoder()
    return json.dumps(_document(graph, encode)), encode.arrays


def op_from_text(text: str, arrays: Mapping[str, AnyArray], kinds: Kinds, where: object) -> Op:
    """Return the op of ``op_text``; raise FileError that says where for a damaged one, or of a kind unknown here."""
    with _damage(where):
        op = _Decoder(arrays, kinds).record(json.loads(text))
        if not isinstance(op, Op):
            raise GraphError(f"{text[:80]!r} is no op")
        return op


def graph_from_text(text: str, arrays: Mapping[str, AnyArray], kinds: Kinds, where: object) -> Graph:
    """Return the graph of ``graph_text``; raise FileError that says where for a damaged one."""
    with _damage(where):
        return _checked_graph(json.loads(text), arrays, kinds)


def _document(graph: Graph, encode: Callable[[Any], Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        **({} if graph.made_for is None else {"made_for": asdict(graph.made_for)}),
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
    with _damage(path):
        return _checked_graph(document, arrays, kinds)


@contextmanager
def _damage(where: object) -> Iterator[None]:
    """Say where of what a damaged graph raises."""
    try:
        yield
    except GraphError as error:
        raise FileError(f"{where}: damaged: {error}") from error
    except SnncError:
        raise
    except Exception as error:  # whatever values of the right type but out of place make an op raise
        raise FileError(f"{where}: damaged: {type(error).__name__} {' '.join(str(error).split())[:200]}") from error


def _checked_graph(document: Any, arrays: Mapping[str, AnyArray], kinds: Kinds) -> Graph:
    for wrong in misfits(document, _Document, "graph"):
        raise GraphError(wrong)
    decoder = _Decoder(arrays, kinds)
    graph = Graph(document["name"])
    if document.get("made_for") is not None:
        graph.made_for = MadeFor(**{**document["made_for"], "notes": tuple(document["made_for"].get("notes", ()))})
    for entry in document["nodes"]:
        op = decoder.record(entry)
        if not isinstance(op, Op):
            raise GraphError(f"node {entry['name']!r} holds no op")
        graph.add(entry["name"], op, entry["inputs"])
        graph.set_origin(entry["name"], Origin(tuple(entry["layers"]), tuple(entry["passes"])))
    graph.set_outputs(document["outputs"])
    check(graph)
    return graph


class _Decoder:
    """What an encoder wrote, back as values and records; an array is one object, whoever holds it."""

    def __init__(self, arrays: Mapping[str, AnyArray], kinds: Kinds) -> None:
        self._arrays = arrays
        self._kinds = kinds
        self._frozen: dict[str, Array] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self(v) for v in value)
        if not isinstance(value, dict):
            return value
        return self._array(value["array"]) if "array" in value else self.record(value)

    def _array(self, name: str) -> Array:
        if name not in self._frozen:
            stored = self._arrays[name]
            if stored.dtype != np.float32:
                raise GraphError(f"the array {name!r} is {stored.dtype}, not float32")
            self._frozen[name] = np.array(stored, dtype=np.float32)
            self._frozen[name].flags.writeable = False
        return self._frozen[name]

    def record(self, value: dict[str, Any]) -> Record:
        """Return the record of an encoded one; raise GraphError for an unknown kind, or attributes that misfit."""
        for family in fields(self._kinds):
            if family.name in value:
                known: Mapping[str, type[Record]] = getattr(self._kinds, family.name)
                if value[family.name] not in known:
                    raise GraphError(unknown(f"{family.name} kind", value[family.name], known))
                cls = known[value[family.name]]
                attrs = {k: self(v) for k, v in value["attrs"].items()}
                for name, hint in hints_of(cls).items():
                    for wrong in misfits(attrs[name], hint, f"{cls.kind}.{name}") if name in attrs else ():
                        raise GraphError(wrong)
                return cls(**attrs)
        raise GraphError(f"a graph file holds an unknown kind of record: {sorted(value)}")
