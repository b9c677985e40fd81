"""The measures of difference that the reports use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnc.ir.types import AnyArray, Array


def relative_error(got: Mapping[str, AnyArray], want: Mapping[str, AnyArray]) -> float:
    """Return the largest difference over all named arrays, each relative to its largest wanted value."""
    return max((_relative(got[name], want[name]) for name in want), default=0.0)


def _relative(got: AnyArray, want: AnyArray) -> float:
    if got.shape != want.shape:
        return float("inf")
    difference = np.abs(got.astype(np.float64) - want).max(initial=0.0)
    error = float(difference / max(float(np.abs(want).max(initial=0.0)), 1e-12)) if difference else 0.0
    return error if np.isfinite(error) else float("inf")


def rms_error(got: AnyArray, want: AnyArray) -> float:
    """Return the root of the mean squared difference, relative to that of the wanted values."""
    want = want.astype(np.float64)
    scale = float(np.sqrt(np.mean(want**2)))
    return float(np.sqrt(np.mean((got - want) ** 2)) / max(scale, 1e-12))


def rounded(value: Any, digits: int = 3) -> Any:
    """Return numbers inside dicts and lists to so many digits, for files: more is noise, and no number is None."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    return [rounded(v, digits) for v in value] if isinstance(value, (list, tuple)) else value


def classes(outputs: Array) -> AnyArray:
    """Return the arg-max class of each sample of ``(batch, ..., classes)``, as ``(batch, ...)``."""
    return np.asarray(outputs.argmax(axis=-1))


def agreement(got: Array, want: Array) -> float | None:
    """Return the share of samples with the same arg-max, or None where the output is no choice among classes."""
    if want.ndim != 2 or want.shape[-1] < 2:
        return None
    return float(np.mean(classes(got) == classes(want)))


def interval(share: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share among samples, 95 % by default (Wilson 1927)."""
    middle = share + z * z / (2 * samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
