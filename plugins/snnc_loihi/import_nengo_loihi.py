"""Import nengo-loihi, which takes some care."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from snnc.api import MissingExtraError

UNUSED = ("tensorflow", "nengo_dl")
"""What nengo-loihi imports, where it is installed, to be able to train with NengoDL: 15 seconds that nothing needs."""


def load() -> Any:
    """Return nengo-loihi; raise MissingExtraError where it is not installed."""
    if "nengo_loihi" in sys.modules:
        return sys.modules["nengo_loihi"]
    with _without(UNUSED), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has not been tested with your")
        try:
            module = importlib.import_module("nengo_loihi")
        except ImportError as error:
            raise MissingExtraError("loihi", error) from error
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        for name in ("nengo_loihi.block", "nengo_loihi.neurons"):
            sys.modules[name].np = _Numpy1()  # type: ignore[attr-defined]
    return module


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Let modules that nobody has imported yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class _Numpy1:
    """numpy as nengo-loihi 1.1 knows it: ``array(copy=False)`` copies where it must, which numpy 2 calls an error.

    Here it always copies.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def array(self, value: Any, *args: Any, **options: Any) -> Any:
        """Return ``numpy.array``, without the option."""
        options.pop("copy", None)
        return np.array(value, *args, **options)
