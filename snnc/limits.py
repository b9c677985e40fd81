"""The budget: how much a model, an artifact or data may ask for. What asks for more is refused before memory is taken.

Every limit is a generous multiple of the largest genuine models (docs/decisions/hostile-files.md has the numbers).
``SNNC_BUDGET=4`` in the environment multiplies all of them, where something genuine is larger.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import MappingProxyType

from snnc.errors import BudgetError, UsageError

VARIABLE = "SNNC_BUDGET"
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "layers and nodes": 20_000,
        "elements of a tensor": 1 << 27,
        "elements of all tensors": 1 << 34,
        "bytes of JSON": 64 << 20,
        "values in JSON": 1 << 22,
        "bytes unpacked": 16 << 30,
        "steps": 1 << 22,
        "elements of outputs over all steps": 1 << 30,
    }
)
"""The most that there may be of each, by what is counted."""


def limit(what: str) -> int:
    """Return the most that there may be; raise UsageError where the environment asks for no number."""
    text = os.environ.get(VARIABLE, "1")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < 1e6:
        raise UsageError(f"{VARIABLE} must be a factor of the budget such as 4, not {text!r}")
    return int(LIMITS[what] * factor)


def require(what: str, asked: int, where: object) -> None:
    """Raise BudgetError where more is asked for than there may be.

    Args:
        what: what is counted, a key of ``LIMITS``.
        asked: how many there would be.
        where: the file, model or node that asks; the error begins with it.

    """
    most = limit(what)
    if asked > most:
        factor = min(math.ceil(asked / LIMITS[what]), 1 << 60) if asked < 1 << 1000 else 1 << 60
        said = f"{asked:,}" if asked < 1 << 100 else "far more"
        raise BudgetError(
            f"{where}: asks for {said} {what}, the budget is {most:,}; if it is genuine, set {VARIABLE}={factor} in "
            "the environment"
        )
