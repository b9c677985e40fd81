"""The artifact: a folder with manifest.json, graph.json, source.json and weights.npz, written all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError
from snnc.files import read_json_file
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, SOURCE_FILE, WEIGHTS_FILE, Kinds, dump, load
from snnc.outputs import Kind, write_folder
from snnc.replacing import as_one, recover
from snnc.schema import misfits

MANIFEST_FILE = "manifest.json"
FORMAT, VERSION = "snnc-artifact", 1
FILES = (MANIFEST_FILE, GRAPH_FILE, SOURCE_FILE, WEIGHTS_FILE)
KIND = Kind("an snnc artifact", MANIFEST_FILE, FORMAT, FILES)


@dataclass(frozen=True)
class Artifact:
    """The contents of an artifact folder."""

    manifest: Mapping[str, Any]
    graph: Graph
    source: Graph


def write(path: Path, artifact: Artifact, reads: Iterable[Path] = ()) -> None:
    """Write an artifact: the same bytes for the same content.

    Replaces an artifact, never anything else, and nothing that ``reads`` names.
    """
    manifest = {"format": FORMAT, "version": VERSION, **artifact.manifest}
    files = dump({GRAPH_FILE: artifact.graph, SOURCE_FILE: artifact.source})
    text = json.dumps(manifest, indent=1, allow_nan=False, default=str) + "\n"
    write_folder(path, {MANIFEST_FILE: text.encode(), **files}, KIND, reads)


def read(path: Path, kinds: Kinds, types: Mapping[str, Any]) -> Artifact:
    """Return the artifact in a folder; raise FileError where there is none, or a damaged one.

    Args:
        path: the folder.
        kinds: the classes that its graphs may name.
        types: of the manifest's entries, by name.

    """
    recover(path)
    return as_one(path, lambda: _read(path, kinds, types))


def _read(path: Path, kinds: Kinds, types: Mapping[str, Any]) -> Artifact:
    if path.is_file():
        raise FileError(f"{path}: is a file, not an artifact; make one with: snnc compile {path.name} -o FOLDER")
    if path.is_dir() and not (path / MANIFEST_FILE).exists():
        raise FileError(
            f"{path}: is no artifact, it has no {MANIFEST_FILE}; make one with: snnc compile MODEL -o {path}"
        )
    file = path / MANIFEST_FILE
    manifest = read_json_file(file, "manifest")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FileError(f"{file}: not the manifest of an snnc artifact")
    if manifest.get("version") != VERSION:
        raise FileError(f"{path}: has artifact version {manifest.get('version')!r}, this snnc reads {VERSION}")
    for name, hint in types.items():
        for wrong in misfits(manifest[name], hint, name) if name in manifest else ():
            raise FileError(f"{file}: damaged: {wrong}; compile the model again")
    read = Artifact(manifest, load(path, kinds, GRAPH_FILE), load(path, kinds, SOURCE_FILE))
    if _ends(read.graph) != _ends(read.source):
        raise FileError(
            f"{path}: damaged: {GRAPH_FILE} and {SOURCE_FILE} have other inputs or outputs; compile the model again"
        )
    return read


def _ends(graph: Graph) -> tuple[Any, ...]:
    """Return the inputs and outputs of a graph, which no pass changes."""
    return {name: graph[name].type.shape for name in graph.inputs}, set(graph.outputs)
