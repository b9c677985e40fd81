"""Compile trained Keras models to spiking neural networks, with proof of how close they are.

Importing this imports nothing heavy; the functions load what they need when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snnc._version import __version__
from snnc.errors import SnncError

if TYPE_CHECKING:
    from snnc import keras, nir
    from snnc.compiled import Compiled
    from snnc.compiler import compile, import_model, load
    from snnc.ir.graph import Graph

_LAZY = {
    "Compiled": "snnc.compiled",
    "Graph": "snnc.ir.graph",
    "compile": "snnc.compiler",
    "import_model": "snnc.compiler",
    "keras": "snnc",
    "load": "snnc.compiler",
    "nir": "snnc",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        if _LAZY[name] == "snnc":
            return importlib.import_module(f"snnc.{name}")
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'snnc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])


__all__ = ["Compiled", "Graph", "SnncError", "__version__", "compile", "import_model", "keras", "load", "nir"]
