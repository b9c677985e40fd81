"""The measures of difference that the reports use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.ir.types import AnyArray

NOISE = 1e-6
"""Relative errors below this are those of float32."""


@dataclass
class LargestError:
    """The largest difference, relative to the largest wanted value, of arrays that come part by part."""

    difference: float = 0.0
    wanted: float = 0.0

    def add(self, got: AnyArray, want: AnyArray) -> None:
        """Take in a part; arrays of different shapes are infinitely far apart."""
        if got.shape != want.shape:
            self.difference = np.inf
            return
        difference = np.abs(got.astype(np.float64) - want).max(initial=0.0)
        # maxima of numpy, which keep NaN
        self.difference = float(np.maximum(self.difference, difference))
        self.wanted = float(np.maximum(self.wanted, np.abs(want).max(initial=0.0)))

    @property
    def value(self) -> float:
        """Return the error; infinity where there is a NaN."""
        error = self.difference / max(self.wanted, 1e-12) if self.difference else 0.0
        return error if np.isfinite(error) else float("inf")


@dataclass
class RmsError:
    """The root of the mean squared difference, relative to that of the wanted values, of what comes part by part."""

    difference: float = 0.0
    wanted: float = 0.0
    """Sums of squares."""
    count: int = 0

    def add(self, got: AnyArray, want: AnyArray) -> None:
        """Take in a part, ``(batch, ...)``."""
        self.difference += squares(got - want)
        self.wanted += squares(want)
        self.count += want.size

    @property
    def value(self) -> float:
        """Return the error."""
        return relative_rms(self.difference, self.wanted, self.count)


def squares(x: AnyArray) -> float:
    """Return the sum of the squares of ``(batch, ...)``; samples are added up in double precision."""
    rows = x.reshape(len(x), -1)
    return float(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64))


def relative_rms(difference: float, wanted: float, count: int) -> float:
    """Return the root mean square of so many values, relative to that of the wanted ones, from sums of squares."""
    count = max(count, 1)
    return math.sqrt(difference / count) / max(math.sqrt(wanted / count), 1e-12)


def relative_error(got: Mapping[str, AnyArray], want: Mapping[str, AnyArray]) -> float:
    """Return the largest difference over all named arrays, each relative to its largest wanted value."""
    errors = {name: LargestError() for name in want}
    for name, error in errors.items():
        error.add(got[name], want[name])
    return max((error.value for error in errors.values()), default=0.0)


def rms_error(got: AnyArray, want: AnyArray) -> float:
    """Return the root of the mean squared difference, relative to that of the wanted values."""
    error = RmsError()
    error.add(got, want)
    return error.value


def rounded(value: Any, digits: int = 3) -> Any:
    """Return numbers inside dicts and lists to so many digits, for files: more is noise, and no number is None.

    Small ones have two digits at most, and less than a millionth is none: there the rounding of the arithmetic begins,
    which is another on another processor.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return 0.0 if abs(value) < NOISE else float(f"{value:.{min(digits, 2) if abs(value) < 0.01 else digits}g}")
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    return [rounded(v, digits) for v in value] if isinstance(value, (list, tuple)) else value


def interval(share: float, samples: float, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share among samples, 95 % by default (Wilson 1927)."""
    middle = share + z * z / (2 * samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def grouped_interval(shares: AnyArray, units: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of shares, one a sample, each of as many decisions.

    Decisions about one sample, such as its pixels, go together: they count as so many independent ones as would scatter
    as the shares do from sample to sample, but not as fewer than there are samples (Kish 1965).
    """
    mean, samples = float(np.mean(shares)), len(shares)
    count = float(samples)
    if units > 1 and samples > 1:
        scatter = float(np.var(shares, ddof=1)) / samples
        if scatter > 0:
            count = min(max(mean * (1 - mean) / scatter, count), count * units)
    return interval(mean, count)
