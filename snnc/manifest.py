"""What the manifest of an artifact holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_type_hints

from snnc.analysis.errors import rounded
from snnc.evaluation.verify import VerifyReport
from snnc.passes.pipeline import JournalEntry


@dataclass(frozen=True)
class Settings:
    """The settings of a compilation, as the manifest keeps them."""

    backend: str
    """With its options: ``"loihi{chips=2}"``."""
    level: int
    seed: int
    dt: float
    steps: int | None
    read_out: str = "mean"
    """How the outputs of all steps become one answer, in its text form."""


MANIFEST: Mapping[str, Any] = {
    **get_type_hints(Settings),
    "source": Mapping[str, str | None],
    "call": Mapping[str, Any],
    "journal": tuple[JournalEntry, ...],
    "checks": tuple[str, ...],
    "notes": tuple[str, ...],
    "report": VerifyReport | None,
}
"""The types of what is read from a manifest, by name."""


def without_time(entry: JournalEntry) -> dict[str, Any]:
    """Return a journal entry for the manifest, which must not differ between two equal compilations."""
    document = asdict(entry)
    del document["seconds"]
    return dict(rounded(document, digits=2))
