"""Functions of one number as sums of ReLUs: what a population of plain integrate-and-fire neurons can give.

A function becomes ``constant + sum_k weight_k relu((x - knot_k) / reach_k)``; the values at the knots are those of
least squared error over the inputs that a channel sees. Knots are where inputs are and the function bends: with a
density of ``(p f''^2)^(1/5)`` the squared error of a piecewise linear function is least (Boor 1973).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from snnc.ir.types import AnyArray

Elementwise: TypeAlias = Callable[[AnyArray], AnyArray]
SEEN = (0.05, 99.95)
"""The percentiles between which inputs count."""
GRID = 257
"""Points at which a function is looked at."""
EVERYWHERE = 0.02
"""The share of the probability that is spread over the whole range: what was not seen may come all the same."""
LEAST_SPAN = 0.1
"""The least range of a channel, as a share of the largest."""
STRAY = 0.1
"""How far a sum may leave the function a whole range beyond an end, in parts of the function's own range."""


@dataclass(frozen=True)
class SumOfRelus:
    """Sums of as many ReLUs for each channel; arrays are ``(channels, relus)``."""

    knots: AnyArray
    reach: AnyArray
    """From a knot to the end of the range, on the side where the ReLU is not zero: negative, where that is below."""
    weights: AnyArray
    """What a ReLU adds at the end of its reach."""
    constant: AnyArray
    """``(channels,)``."""
    error: float
    """Root of the mean squared error over the inputs, relative to the deviation of the function."""

    @property
    def relus(self) -> int:
        """Return the number of ReLUs of a channel."""
        return int(self.knots.shape[1])

    def __call__(self, x: AnyArray) -> AnyArray:
        """Return the sums for ``(..., channels)`` inputs."""
        drive = np.maximum((x[..., None] - self.knots) / self.reach, 0)
        return np.asarray((drive * self.weights).sum(axis=-1) + self.constant)


def sum_of_relus(f: Elementwise, x: AnyArray, error: float, most: int) -> SumOfRelus:
    """Return the sum of the fewest linear pieces whose error is small enough, or of the most.

    An end gets a ReLU of its own where its piece, going on, would leave the function: what is bounded stays bounded.
    Of the sums that are the same between the ends, each channel gets the one with ReLUs for as few ends as the others
    need, and then the one whose ReLUs cancel least: some of them are not zero below their knots.

    Args:
        f: elementwise, ``(..., channels)`` to the same.
        x: inputs, ``(samples, channels)``.
        error: how large the relative error may be.
        most: linear pieces between the ends of the range.

    Raises:
        ValueError: the function is not finite anywhere in the range of a channel.
    """
    seen = _Seen.of(f, np.asarray(x, dtype=np.float64))
    if not np.isfinite(seen.values).all():
        raise ValueError("not finite on its inputs")
    found = seen.sum_of(1)
    for pieces in range(2, most + 1):
        if found.error <= error:
            break
        found = seen.sum_of(pieces)
    return found


@dataclass(frozen=True)
class _Seen:
    """A function over the range of inputs of each channel; arrays are ``(channels, GRID)``."""

    f: Elementwise
    grid: AnyArray
    probability: AnyArray
    values: AnyArray

    @classmethod
    def of(cls, f: Elementwise, x: AnyArray) -> _Seen:
        low, high = np.percentile(x, SEEN, axis=0)
        span = np.maximum(high - low, LEAST_SPAN * (float((high - low).max()) or 1.0))
        low = (low + high - span) / 2
        grid = low[:, None] + span[:, None] * np.linspace(0, 1, GRID)
        place = np.rint(np.clip((x - low) / span, 0, 1) * (GRID - 1)).astype(np.int64)
        counts = np.bincount((place + np.arange(len(low)) * GRID).ravel(), minlength=grid.size).reshape(grid.shape)
        probability = (1 - EVERYWHERE) * counts / len(x) + EVERYWHERE / GRID
        with np.errstate(all="ignore"):
            values = f(grid.T).T
        known = np.isfinite(values)
        for row in np.flatnonzero(~known.all(axis=1) & known.any(axis=1)):
            values[row] = np.interp(grid[row], grid[row][known[row]], values[row][known[row]])
        return cls(f, grid, probability * known, values)

    def sum_of(self, pieces: int) -> SumOfRelus:
        """Return the sum of so many pieces."""
        ends = self._ends(pieces)
        heights = self._heights(ends)
        beyond = self._beyond(ends, heights)
        stray = STRAY * np.ptp(self.values, axis=1, keepdims=True)
        sums = [_around(pivot, ends, heights, beyond, stray) for pivot in range(pieces + 1)]
        noise = np.stack([self._noise(each) for each in sums])
        own = np.stack([each.weights[:, pieces:] != 0 for each in sums])
        for allowed in (np.array(pair) for pair in ((0, 0), (1, 0), (0, 1), (1, 1))):
            fits = (own <= allowed).all(axis=2)
            if fits.any(axis=0).all():
                break
        best = np.where(fits, noise, np.inf).argmin(axis=0)
        rows = np.arange(len(best))
        knots, reach, weights = (
            np.stack([getattr(each, name) for each in sums])[best, rows] for name in ("knots", "reach", "weights")
        )
        constant = np.stack([each.constant for each in sums])[best, rows]
        kept = np.flatnonzero((np.arange(pieces + 2) < pieces) | weights.any(axis=0))
        found = SumOfRelus(knots[:, kept], reach[:, kept], weights[:, kept], constant, 0.0)
        missing = found(self.grid.T).T - self.values
        mean = (self.probability * self.values).sum(axis=1, keepdims=True)
        power = (self.probability * (self.values - mean) ** 2).sum()
        error = float(np.sqrt((self.probability * missing**2).sum() / power)) if power > 0 else 0.0
        return SumOfRelus(found.knots, found.reach, found.weights, constant, error)

    def _ends(self, pieces: int) -> AnyArray:
        """Return where pieces end, ``(channels, pieces + 1)``, the ends of the range among them."""
        bend = np.abs(np.diff(self.values, n=2, axis=1))
        bend = np.pad(bend, ((0, 0), (1, 1)), mode="edge")
        bend = np.maximum(bend, 1e-12) + 1e-5 * bend.max(axis=1, keepdims=True)
        density = (self.probability * bend**2) ** 0.2
        share = np.cumsum((density[:, 1:] + density[:, :-1]) / 2, axis=1)
        share = np.pad(share / share[:, -1:], ((0, 0), (1, 0)))
        wanted = np.linspace(0, 1, pieces + 1)
        return np.stack([np.interp(wanted, s, g) for s, g in zip(share, self.grid, strict=True)])

    def _heights(self, ends: AnyArray) -> AnyArray:
        """Return the values at the ends of pieces for which the squared error is least."""
        hats = _hats(self.grid, ends)
        weighted = hats * self.probability[..., None]
        normal = np.swapaxes(weighted, 1, 2) @ hats
        size = np.trace(normal, axis1=1, axis2=2)[:, None, None] / normal.shape[-1]
        normal += 1e-9 * size * np.eye(normal.shape[-1])
        return np.linalg.solve(normal, np.swapaxes(weighted, 1, 2) @ self.values[..., None])[..., 0]

    def _beyond(self, ends: AnyArray, heights: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Return the slopes with which the function goes on below and above, over a range as large as its own."""
        low, high = ends[:, 0], ends[:, -1]
        span = high - low
        with np.errstate(all="ignore"):
            below, above = (self.f(x) for x in (low - span, high + span))
        slopes = (heights[:, 0] - below) / span, (above - heights[:, -1]) / span
        inside = (np.diff(heights[:, :2], axis=1)[:, 0], np.diff(heights[:, -2:], axis=1)[:, 0])
        first, last = (d / w for d, w in zip(inside, (ends[:, 1] - low, high - ends[:, -2]), strict=True))
        # a logarithm has nothing below zero: the last piece goes on
        return np.where(np.isfinite(slopes[0]), slopes[0], first), np.where(np.isfinite(slopes[1]), slopes[1], last)

    def _noise(self, each: SumOfRelus) -> AnyArray:
        """Return, for each channel, the squares of what its ReLUs add at most, as often as they are not zero."""
        active = (self.grid[:, None, :] - each.knots[..., None]) * np.sign(each.reach)[..., None] > 0
        return ((active * self.probability[:, None, :]).sum(axis=2) * each.weights**2).sum(axis=1)


def _hats(x: AnyArray, ends: AnyArray) -> AnyArray:
    """Return ``(channels, x, ends)``: piecewise linear functions, each 1 at one end of a piece and 0 at the others."""
    width = np.diff(ends, axis=1)[:, None, :]
    along = np.clip((x[..., None] - ends[:, None, :-1]) / width, 0, 1)
    up = np.pad(along, ((0, 0), (0, 0), (1, 0)), constant_values=1)
    down = np.pad(along, ((0, 0), (0, 0), (0, 1)))
    return up - down


def _around(
    pivot: int, ends: AnyArray, heights: AnyArray, beyond: tuple[AnyArray, AnyArray], stray: AnyArray
) -> SumOfRelus:
    """Return the piecewise linear function as ReLUs above and below a pivot, the last two being those at the ends."""
    slopes = np.diff(heights, axis=1) / np.diff(ends, axis=1)
    below, above = slopes[:, :pivot], slopes[:, pivot:]
    flat = np.zeros_like(ends[:, :1])
    span = ends[:, -1:] - ends[:, :1]
    low = _going_on(below[:, :1] if pivot else flat, beyond[0][:, None], stray / span)
    high = _going_on(above[:, -1:] if above.size else flat, beyond[1][:, None], stray / span)
    falling = np.diff(np.concatenate([low, below, flat], axis=1), axis=1)
    rising = np.diff(np.concatenate([flat, above, high], axis=1), axis=1)
    down, up = ends[:, : pivot + 1], ends[:, pivot:]
    to_low, to_high = ends[:, :1] - down, ends[:, -1:] - up
    to_low[:, 0], to_high[:, -1] = -span[:, 0], span[:, 0]  # beyond the ends: as far again
    order = [*range(1, ends.shape[1]), 0, ends.shape[1]]
    knots, reach = (np.concatenate(pair, axis=1)[:, order] for pair in ((down, up), (to_low, to_high)))
    weights = np.concatenate([falling, rising], axis=1)[:, order] * np.abs(reach)
    return SumOfRelus(knots, reach, weights, heights[:, pivot], 0.0)


def _going_on(slope: AnyArray, wanted: AnyArray, least: AnyArray) -> AnyArray:
    """Return the slope beyond an end: the piece's own, but the function's where that turns flatter, or is not flat."""
    leaves = np.abs(slope - wanted) > least
    steeper = (slope * wanted > 0) & (np.abs(wanted) > np.abs(slope))
    return np.where(leaves & ~steeper, wanted, slope)
