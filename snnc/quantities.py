"""Numbers as people read them, the same in tables, notebooks and reports."""

from __future__ import annotations


def number(value: float | None, *, share: bool = False) -> str:
    """Return a number of three digits, or a share in per cent; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.2%}" if share else f"{value:.3g}"


def joules(value: float) -> str:
    """Return an energy of so many joules in microjoules."""
    return f"{value * 1e6:.3g} uJ"


def thousands(value: float) -> str:
    """Return a whole number with its thousands apart, or a small one with three digits."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
