"""Load NIR files into libraries, which are imported when they are first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnc.api import Kinds, MissingExtraError, ReadOut
from snnc_nir.description import describe


def load(
    path: Path, library: str, kinds: Kinds, read_out: Callable[[str], ReadOut], *, channels_first: bool = False
) -> Any:
    """Return a file as a ``Network`` of a library, ``snntorch``, ``sinabs`` or ``norse``; see ``snnc.nir``.

    Raises:
        MissingExtraError: the library is not installed.
        FileError: the file is not one that snnc wrote, or damaged.

    """
    try:
        for needed in ("torch", library):
            importlib.import_module(needed)
    except ImportError as error:
        raise MissingExtraError(library, error) from error
    described = describe(path, kinds, read_out)
    network = importlib.import_module("snnc_nir.torch_network")
    cells = importlib.import_module(f"snnc_nir.{library}")
    return network.Network(described, library, cells.cell, channels_first=channels_first)
