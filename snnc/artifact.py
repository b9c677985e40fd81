"""The artifact: a folder with manifest.json, graph.json, source.json and weights.npz, written all or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError
from snnc.files import read_json, require_file, write_folder
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, SOURCE_FILE, Kinds, dump, load

MANIFEST_FILE = "manifest.json"
FORMAT, VERSION = "snnc-artifact", 1


@dataclass(frozen=True)
class Artifact:
    """The contents of an artifact folder."""

    manifest: Mapping[str, Any]
    graph: Graph
    source: Graph


def write(path: Path, artifact: Artifact) -> None:
    """Write an artifact: the same bytes for the same content. Replaces an artifact, never anything else."""
    manifest = {"format": FORMAT, "version": VERSION, **artifact.manifest}
    files = dump({GRAPH_FILE: artifact.graph, SOURCE_FILE: artifact.source})
    text = json.dumps(manifest, indent=1, allow_nan=False, default=str) + "\n"
    write_folder(path, {MANIFEST_FILE: text.encode(), **files}, mark=MANIFEST_FILE)


def read(path: Path, kinds: Kinds) -> Artifact:
    """Return the artifact in a folder; raise FileError where there is none, or a damaged one."""
    if path.is_file():
        raise FileError(f"{path}: is a file, not an artifact; make one with: snnc compile {path.name} -o FOLDER")
    if path.is_dir() and not (path / MANIFEST_FILE).exists():
        raise FileError(
            f"{path}: is no artifact, it has no {MANIFEST_FILE}; make one with: snnc compile MODEL -o {path}"
        )
    manifest = read_json(require_file(path / MANIFEST_FILE).read_bytes(), path / MANIFEST_FILE, "manifest")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FileError(f"{path / MANIFEST_FILE}: not the manifest of an snnc artifact")
    if manifest.get("version") != VERSION:
        raise FileError(f"{path}: has artifact version {manifest.get('version')!r}, this snnc reads {VERSION}")
    return Artifact(manifest, load(path, kinds, GRAPH_FILE), load(path, kinds, SOURCE_FILE))
