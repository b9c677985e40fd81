"""What notebooks show of our objects: one form for all of them, made by the template ``notebook.html``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snnc.html import render

OPEN, ROWS = 24, 100
"""The most rows of a table that is shown unfolded, and the most that are shown at all."""


@dataclass(frozen=True)
class Table:
    """A table under a title: the first column is text, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    of: str
    """The field of the object that has all rows."""
    marked: int | None = None
    """The row to look at first."""


@dataclass(frozen=True)
class Curve:
    """Numbers of 0 to 1, and what they are to reach."""

    title: str
    values: Sequence[float]
    reference: float


@dataclass(frozen=True)
class Drawing:
    """An SVG element that we made ourselves, under a title."""

    title: str
    svg: str
    open: bool


def shown(
    title: str,
    *,
    curve: Curve | None = None,
    facts: Sequence[tuple[str, str]] = (),
    lists: Mapping[str, Sequence[str]] | None = None,
    tables: Sequence[Table] = (),
    drawing: Drawing | None = None,
    calls: Mapping[str, str] | None = None,
) -> str:
    """Return an object as HTML for a notebook; whatever is a text stays one.

    Args:
        title: what it is, or what it says, in a sentence.
        curve: a small picture below that.
        facts: names and values.
        lists: texts, by what they are; one without texts is left out.
        tables: each is left out where it has no rows.
        drawing: a large picture.
        calls: what may be asked next, and what for.
    """
    return render(
        "notebook.html",
        title=title,
        curve=curve,
        facts=facts,
        lists=lists or {},
        tables=tables,
        drawing=drawing,
        calls=calls or {},
        most_open=OPEN,
        most_rows=ROWS,
        polyline=polyline,
    )


def polyline(shares: Sequence[float], width: int, height: int) -> str:
    """Return numbers of 0 to 1 as the points of an SVG polyline, 0 at the bottom; no more than fit its width."""
    last = max(len(shares) - 1, 1)
    finite = [(i, min(max(y, 0.0), 1.0)) for i, y in enumerate(shares) if math.isfinite(y)]
    few = [*finite[: -1 : math.ceil(len(finite) / width) or 1], *finite[-1:]]
    return " ".join(f"{i / last * width:.4g},{(1 - y) * height:.4g}" for i, y in few)
