"""How much of a network's error each population makes, and so where spikes are worth most.

The squared error of the outputs is nearly the sum of what each population alone makes of it, and that falls with the
square of its levels, while spikes and energy grow with them. For a given error the least cost is then where the levels
are as the cube root of error over cost, a Lagrange multiplier's result as in bit allocation (Shoham & Gersho 1988).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.analysis.cost import AC_45NM
from snnc.analysis.forecast import forecast
from snnc.analysis.trade_off import C, Goal, meets
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array

LEVELS = 16
"""At which each population is tried."""
SAMPLES = 24
"""With which each population is tried."""
FEWEST = 2
"""Levels that a population has at least."""
TINY = 1e-30
ERROR = 0.08
"""Of the outputs, relative to their deviation, that is planned for first."""
CLOSE = 0.85
"""A share of the target from which on a drop is as good as it."""
TRIES = 6
"""Forecasts of a search, at most."""
SAME = 0.98
"""A share of the cost from which on fewer spikes are not worth more steps."""


@dataclass(frozen=True)
class Sensitivity:
    """One population, alone quantised."""

    error: float
    """The square of the error of the outputs that it makes times the square of its levels."""
    spikes: float
    """A sample, for each level."""
    energy: float
    """Joules a sample, for each level."""


def sensitivities(
    graph: Graph,
    names: Collection[str],
    samples: Mapping[str, Array],
    behind: Mapping[str, AnyArray],
    ranges: Mapping[str, AnyArray] | None = None,
) -> dict[str, Sensitivity]:
    """Return the sensitivity of each population by name.

    Args:
        graph: with populations, before anything is scaled.
        names: the populations.
        samples: inputs by name, of which the first few are looked at.
        behind: the synapses behind each neuron, as ``fan_out`` says.
        ranges: as for ``forecast``.
    """
    few = {name: x[:SAMPLES] for name, x in samples.items()}
    found = {}
    for name in names:
        alone = forecast(graph, {name: LEVELS}, few, few, ranges=ranges)
        energy = AC_45NM * alone.synops(behind)
        found[name] = Sensitivity((alone.error * LEVELS) ** 2, alone.spikes / LEVELS, energy / LEVELS)
    return found


def allocate(sensitive: Mapping[str, Sensitivity], minimise: Goal, error: float, most: int) -> dict[str, int] | None:
    """Return the levels of each population that make an error at the least cost, or None where ``most`` are too few.

    Where steps are minimised, spikes and energy count alike.
    """
    own = np.array([max(s.error, TINY) for s in sensitive.values()])
    spikes, energy = (np.array([getattr(s, cost) for s in sensitive.values()]) for cost in ("spikes", "energy"))
    shares = spikes / max(spikes.sum(), TINY), energy / max(energy.sum(), TINY)
    costs = {"spikes": shares[0], "energy": shares[1], "steps": shares[0] + shares[1]}[minimise]
    worth = np.cbrt(own / np.maximum(costs, 1e-6))
    if np.sum(own / most**2) > error**2:
        return None
    low, high = 0.0, most / worth.min()
    for _ in range(60):
        middle = (low + high) / 2
        enough = np.sum(own / np.clip(middle * worth, FEWEST, most) ** 2) <= error**2
        low, high = (low, middle) if enough else (middle, high)
    levels = np.clip(np.round(high * worth), FEWEST, most).astype(int)
    return dict(zip(sensitive, levels.tolist(), strict=True))


def plan(
    sensitive: Mapping[str, Sensitivity], minimise: Goal, error: float, limits: Sequence[tuple[int, int]]
) -> tuple[int, dict[str, int]] | None:
    """Return the steps and the levels of each population for an error, or None where no limits allow it.

    Args:
        sensitive: the sensitivities by name.
        minimise: steps take the first limits that do; spikes and energy those of least cost.
        error: of the outputs.
        limits: the steps, and the most spikes a step, in the order in which they are preferred.
    """
    best: tuple[float, int, dict[str, int]] | None = None
    for steps, gamma in limits:
        levels = allocate(sensitive, minimise, error, steps * gamma)
        if levels is None:
            continue
        if minimise == "steps":
            return steps, levels
        cost = sum(levels[name] * getattr(s, minimise) for name, s in sensitive.items())
        if best is None or cost < SAME * best[0]:
            best = cost, steps, levels
    return None if best is None else best[1:]


def all_levels(names: Iterable[str], limits: Sequence[tuple[int, int]]) -> tuple[int, dict[str, int]]:
    """Return the steps, and for each population the levels, of the last limits."""
    steps, gamma = limits[-1]
    return steps, dict.fromkeys(names, steps * gamma)


def search(
    sensitive: Mapping[str, Sensitivity],
    tried: Callable[[Mapping[str, int], int], C],
    target_drop: float,
    minimise: Goal,
    limits: Sequence[tuple[int, int]],
) -> list[C]:
    """Return what was tried until the target was just met, or missed with all levels that there are.

    Args:
        sensitive: the sensitivities by name.
        tried: from levels by population and steps: what they lose and cost.
        target_drop: points of accuracy that may be lost.
        minimise: what is cheap.
        limits: as for ``plan``.
    """
    found: list[C] = []
    seen: list[tuple[int, dict[str, int]]] = []
    error, errors, power = ERROR, list[float](), 1.0
    while len(found) < TRIES:
        planned = plan(sensitive, minimise, error, limits) or all_levels(sensitive, limits)
        if planned in seen:
            break
        seen.append(planned)
        found.append(tried(planned[1], planned[0]))
        drop = found[-1].drop
        if meets(drop, target_drop) and drop >= CLOSE * target_drop:
            break
        errors.append(error)
        if len(found) > 1 and found[-2].drop > 0 < drop != found[-2].drop:  # how the drop follows the error planned for
            power = math.log(drop / found[-2].drop) / math.log(errors[-1] / errors[-2])
        change = ((1 + CLOSE) / 2 * target_drop / max(drop, TINY)) ** (1 / min(max(power, 0.5), 4.0))
        error *= min(max(change, 1 / 16), 4.0)
    return found
