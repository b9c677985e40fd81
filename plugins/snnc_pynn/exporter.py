"""Populations and connection lists as a format to export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from snnc.api import MARK, Exporter, Kinds, Network, npz_bytes, read_out_tail
from snnc_pynn.network import looks_like
from snnc_pynn.read import read
from snnc_pynn.write import write


class PynnExporter(Exporter):
    """Integrate-and-fire populations for PyNN (Davison et al. 2009): ``snnc_pynn.network`` builds them anywhere."""

    name: ClassVar[str] = "pynn"
    what: ClassVar[str] = "populations and connection lists for PyNN"
    portable: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "neurons that send one spike a step, of one size": {"neurons": "soft-reset-if", "level": 2}
    }

    def to_bytes(self, network: Network) -> bytes:
        return npz_bytes(write(network), MARK)

    def notes(self, network: Network) -> Sequence[str]:
        tail = [node.op.kind for node in read_out_tail(network.graph) if node.op.arity != 0]
        notes = [
            "the neurons subtract the threshold when they fire; cells of PyNN's own forget what was above it, and send "
            "fewer spikes (docs/pynn.md)"
        ]
        if tail:
            notes.append(f"the loader leaves out {', '.join(tail)}, which is applied once, to what is read out")
        return notes

    def accepts(self, path: Path) -> bool:
        return looks_like(path)

    def read(self, path: Path, kinds: Kinds) -> Network:
        return read(path, kinds)
