"""How a network that was made to spike is meant to run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MadeFor:
    """The settings that a spiking network was made for, where its file says: they are a compilation's defaults.

    A graph that has one is a finished network, which is translated as it is.
    """

    dt: float | None = None
    """Seconds a step."""
    steps: int | None = None
    """How many steps a sample is shown."""
    read_out: str | None = None
    """In text form, such as ``"mean{start=0}"``."""
    seed: int | None = None
    """Of states that are random at the start."""
    notes: tuple[str, ...] = ()
    """What was read otherwise than it is written, a line each."""
