"""Choose among settings by what they lose and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias, TypeVar, get_args

from snnc.errors import UsageError

Goal: TypeAlias = Literal["steps", "spikes", "energy"]
"""What is cheap."""
TOLERANCE = 1e-6
"""Points of accuracy that are no difference: a drop of 1 point may come out as 1.0000000000000009."""


class Candidate(Protocol):
    """A setting, measured or forecast."""

    @property
    def drop(self) -> float:
        """Return the points of accuracy that it loses against the model."""

    @property
    def steps(self) -> int:
        """Return the time steps that a sample is shown."""

    @property
    def spikes(self) -> float:
        """Return the spikes of a sample."""

    @property
    def energy(self) -> float:
        """Return the joules of a sample, 45 nm (``snnc.analysis.cost``)."""


C = TypeVar("C", bound=Candidate)


def require_goal(minimise: str) -> None:
    """Raise UsageError for anything that is no goal."""
    if minimise not in get_args(Goal):
        raise UsageError(f"minimise must be {', '.join(get_args(Goal)[:-1])} or {get_args(Goal)[-1]}, not {minimise!r}")


def cost_of(candidate: Candidate, minimise: Goal) -> tuple[float, ...]:
    """Return what is compared: the goal's number, and then the others."""
    costs = {"steps": float(candidate.steps), "spikes": candidate.spikes, "energy": candidate.energy}
    return (costs.pop(minimise), *costs.values())


def meets(drop: float, target_drop: float) -> bool:
    """Return whether a drop is within the target."""
    return drop <= target_drop + TOLERANCE


def choose(candidates: Iterable[C], target_drop: float, minimise: Goal) -> C:
    """Return the cheapest candidate that meets the target, or else the one that loses least.

    Of those with equal steps, where steps are minimised, it is the one of fewest spikes.
    """
    every = list(candidates)
    meeting = [c for c in every if meets(c.drop, target_drop)]
    if meeting:
        return min(meeting, key=lambda c: (cost_of(c, minimise), c.drop))
    least = min(c.drop for c in every)
    return min((c for c in every if meets(c.drop, least)), key=lambda c: cost_of(c, minimise))


def front(candidates: Iterable[C], minimise: Goal) -> tuple[C, ...]:
    """Return the candidates that no other beats in both drop and cost, cheapest first, equal ones once.

    Where steps are minimised, one of as many steps and fewer spikes is not beaten.
    """
    compared = 2 if minimise == "steps" else 1
    best: list[C] = []
    for candidate in sorted(candidates, key=lambda c: (cost_of(c, minimise)[:compared], c.drop, cost_of(c, minimise))):
        cost = cost_of(candidate, minimise)[:compared]
        if not any(
            meets(b.drop, candidate.drop) and all(x <= y for x, y in zip(cost_of(b, minimise), cost, strict=False))
            for b in best
        ):
            best.append(candidate)
    return tuple(best)
