"""Forms in which a compiled network leaves for other tools, each one file: the base class, and what is handed over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from snnc._version import __version__
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.store import Kinds

WRITTEN_BY = f"snnc {__version__}"
"""What a file says of who wrote it."""


@dataclass(frozen=True)
class Network:
    """A compiled network with all that it takes to run it elsewhere."""

    graph: Graph
    """As lowered, with what is applied to the read-out alone."""
    dt: float
    """Seconds a step."""
    steps: int
    """How many steps a sample is shown."""
    seed: int
    """Of random initial states."""
    read_out: str
    """How the outputs of all steps become one answer, in its text form."""
    notes: Sequence[str] = field(default=(), compare=False)
    """What is not exact, where the network comes from a file."""
    plain: bool = field(default=False, compare=False)
    """Whether it is for readers that know nothing of snnc."""


class Exporter(ABC):
    """A file format for compiled networks, whatever backend they were compiled for."""

    name: ClassVar[str]
    what: ClassVar[str]
    """What to call a file: ``"a NIR file"``."""
    portable: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Ways to do without what tools cannot that know nothing of snnc: the arguments of ``compile``, by a few words."""

    @abstractmethod
    def to_bytes(self, network: Network) -> bytes:
        """Return the file: the same bytes for the same network, with ``snnc.outputs.MARK`` in its first or last ones.

        Raises:
            LoweringError: names every layer that the format cannot say, why, and what to do.

        """

    def notes(self, network: Network) -> Sequence[str]:
        """Return what is only approximately so for those who read the file, one line each."""
        return ()

    def accepts(self, path: Path) -> bool:
        """Return whether a file looks like one of this format; must be cheap."""
        return False

    def read(self, path: Path, kinds: Kinds) -> Network:
        """Return the network in a file, from that alone, so that it can be held against what was to be written.

        Raises:
            FileError: it cannot be read, or is none.
            UsageError: the format cannot be read back.

        """
        raise UsageError(f"{self.what} cannot be read back")
