"""NIR as a format to export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from snnc.api import MARK, WRITTEN_BY, Exporter, FileError, Kinds, MadeFor, Network, is_temporal
from snnc_nir.file import Value, looks_like, read
from snnc_nir.read import graph_of
from snnc_nir.sayable import notes
from snnc_nir.write import write


class NirExporter(Exporter):
    """The Neuromorphic Intermediate Representation (Pedersen et al. 2024), which snnTorch, Sinabs and others read."""

    name: ClassVar[str] = "nir"
    what: ClassVar[str] = "a NIR file"
    portable: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "neurons that start at 0": {"neurons": "soft-reset-if", "level": 2, "skip": ("initial-voltage",)},
        "neurons that start at 0, with a bias instead": {
            "neurons": "soft-reset-if",
            "level": 2,
            "passes": ("spread-voltage",),
        },
    }

    def to_bytes(self, network: Network) -> bytes:
        about: dict[str, Value] = {
            "name": network.graph.name,
            "steps": np.array(network.steps),
            "seed": np.array(network.seed),
            "temporal": np.array(int(is_temporal(network.graph))),
            "read_out": network.read_out,
            "written_by": WRITTEN_BY,
        }
        return write(network.graph, about, network.dt, plain=network.plain).to_bytes() + b"\n" + MARK + b"\n"

    def notes(self, network: Network) -> Sequence[str]:
        return notes(network)

    def accepts(self, path: Path) -> bool:
        return looks_like(path)

    def read(self, path: Path, kinds: Kinds) -> Network:
        graph = graph_of(read(path), path, kinds)
        made_for = graph.made_for or MadeFor()
        if made_for.dt is None or made_for.read_out is None:
            raise FileError(f"{path}: says neither dt nor read_out")
        return Network(graph, made_for.dt, made_for.steps or 0, made_for.seed or 0, made_for.read_out, made_for.notes)
