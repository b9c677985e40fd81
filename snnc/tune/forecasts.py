"""Search by forecast: all settings on a few samples held back, of which the best are simulated on those that decide.

For neurons that count, a forecast simulates nothing: errors, ways to spread them and numbers of steps are tried. For
sigma-delta neurons it is a run of a few samples for each number of spike sizes, which says all numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, get_args

import numpy as np

from snnc.analysis.sensitivity import plan
from snnc.analysis.trade_off import Candidate, Goal, front
from snnc.compiled import Compiled
from snnc.compiler import compile
from snnc.ir.graph import Graph
from snnc.neurons import SigmaDelta, SignedIf
from snnc.passes.choose_levels import FEWEST, LEVELS, ChooseLevels
from snnc.passes.choose_levels import Trials as Runs
from snnc.passes.choose_levels import Tried as Levels
from snnc.passes.choose_thresholds import MOST, ChooseThresholds, Trials, Tried
from snnc.samples import Samples
from snnc.tune.outcomes import Judged, Watched, outcome

FORECASTABLE = (SigmaDelta.kind, SignedIf.kind)
"""Neurons of which passes know beforehand what they come to."""
STEPS = (1, 2, 3, 4, 6, 8)
"""Time steps that are tried."""
FORECAST = 256
"""Samples, at most, of which half choose and the others judge."""
ERRORS = (0.28, 0.18, 0.12, 0.08, 0.055, 0.035)
"""Of the outputs, relative to their deviation, that are planned for."""


NEAR = 2.5
"""Times the target, or a part of it: where more than one way to a drop is tried."""
SIMULATED = 6
"""Members of the front, at most, from the cheapest whose drop is forecast near the target to those that lose less."""


class Setting(Candidate, Protocol):
    """A setting, and what is forecast of it."""

    @property
    def settings(self) -> dict[str, Any]:
        """Return what ``arguments`` and ``command`` take."""

    @property
    def made(self) -> dict[str, Any]:
        """Return arguments of ``compile`` for the same without the forecast being made again."""


@dataclass(frozen=True, eq=False)
class Counted:
    """A setting of ``choose-thresholds``, and its forecast."""

    spared: Goal
    """What the levels are spread for."""
    error: float
    """Of the outputs, that is planned for."""
    reconstruct: bool
    tried: Tried

    @property
    def settings(self) -> dict[str, Any]:
        """Return what ``arguments`` and ``command`` take."""
        options = {"minimise": self.spared, "error": self.error, "reconstruct": self.reconstruct}
        return {"steps": self.steps, ChooseThresholds.name: options}

    @property
    def made(self) -> dict[str, Any]:
        """Return arguments of ``compile``."""
        return {"steps": self.steps, "passes": [_choosing(partial(_return, self.tried))]}

    @property
    def drop(self) -> float:
        """Return the points of accuracy that are expected to be lost."""
        return self.tried.drop

    @property
    def steps(self) -> int:
        """Return the time steps that a sample is shown."""
        return self.tried.steps

    @property
    def spikes(self) -> float:
        """Return the spikes of a sample."""
        return self.tried.spikes

    @property
    def energy(self) -> float:
        """Return the joules of a sample, 45 nm."""
        return self.tried.energy


@dataclass(frozen=True)
class Graded:
    """A setting of ``choose-levels``: sizes of spikes, one a step, and steps.

    Both make spikes, and so stand for what they cost.
    """

    levels: int
    steps: int
    drop: float

    @property
    def settings(self) -> dict[str, Any]:
        """Return what ``arguments`` and ``command`` take."""
        return {"steps": self.steps, ChooseLevels.name: {"levels": self.levels, "spikes": 1}}

    @property
    def made(self) -> dict[str, Any]:
        """Return arguments of ``compile``."""
        return {"steps": self.steps, "options": {ChooseLevels.name: {"levels": self.levels, "spikes": 1}}}

    @property
    def spikes(self) -> float:
        """Return a number that grows with the spikes."""
        return float(self.levels * self.steps)

    @property
    def energy(self) -> float:
        """Return a number that grows with the energy."""
        return self.spikes


def search(
    graph: Graph,
    calibrating: Samples,
    deciding: Judged,
    watched: Watched,
    kind: str,
    fixed: Mapping[str, Any],
    *,
    target_drop: float,
    most: int,
    seed: int,
    options: Mapping[str, Any],
) -> int:
    """Simulate members of the forecast's front, and return how many settings there were.

    Args:
        graph: the model as imported.
        calibrating: samples for the passes.
        deciding: labelled samples on which the front is simulated.
        watched: takes in the outcomes.
        kind: of the neurons, one of ``FORECASTABLE``.
        fixed: settings that are not searched.
        target_drop: points of accuracy that may be lost; members that are forecast to lose more by far are left out.
        most: how many.
        seed: of every compilation.
        options: as for ``compile``.
    """
    found: list[Setting] = []

    def compiled(**own: Any) -> Compiled:
        made = {**options, **fixed, **own, "level": 2}
        return compile(graph, calibration=calibrating, seed=seed, verify=False, build=False, **made)

    if kind == SigmaDelta.kind:
        compiled(passes=[_grading(found)])
    else:

        def explored(trials: Trials) -> Tried:
            counted = explore(trials, watched.minimise, target_drop)
            found.extend(counted)
            return counted[0].tried

        compiled(passes=[_choosing(explored)])
    members = front(found, watched.minimise)
    within = [one for one in members if one.drop <= NEAR * target_drop] or members[-1:]
    count = min(most, SIMULATED, len(within))
    for i in np.linspace(0, len(within) - 1, count).round().astype(int):
        watched.add(outcome({**fixed, **within[i].settings}, deciding.evaluation(compiled(**within[i].made))))
    return len(found)


def explore(trials: Trials, minimise: Goal, target_drop: float) -> list[Counted]:
    """Return forecasts: of all errors, and near the target also with levels spread otherwise and plain weights."""
    found: dict[tuple[int, tuple[int, ...]], Counted] = {}

    def spread(spared: Goal, errors: Iterable[float]) -> None:
        for error in errors:
            planned = plan(trials.sensitive, spared, error, [(steps, MOST) for steps in STEPS])
            if planned is None:
                continue
            levels = planned[1]
            steps = next(steps for steps in STEPS if max(levels.values()) <= steps * MOST)
            key = steps, tuple(levels.values())
            if key not in found:
                found[key] = _setting(trials, spared, error, levels, steps, reconstruct=True)

    def near() -> list[Counted]:
        return [one for one in found.values() if target_drop / NEAR <= one.drop <= target_drop * NEAR]

    spread(minimise, ERRORS)
    for other in get_args(Goal):
        if other != minimise:
            spread(other, sorted({one.error for one in near()}))
    plain = [
        _setting(trials, one.spared, one.error, one.tried.levels, one.steps, reconstruct=False)
        for one in front(near(), minimise)
    ]
    return [*found.values(), *plain]


def _setting(
    trials: Trials, spared: Goal, error: float, levels: Mapping[str, int], steps: int, *, reconstruct: bool
) -> Counted:
    return Counted(spared, error, reconstruct, trials.tried(levels, steps, repair=reconstruct))


def _return(tried: Tried, trials: Trials) -> Tried:
    return tried


def _choosing(chooses: Callable[[Trials], Tried]) -> ChooseThresholds:
    """Return the pass that chooses as it is told."""

    class Told(ChooseThresholds):
        def chosen(self, trials: Trials) -> Tried:
            return chooses(trials)

    return Told()


def _grading(found: list[Setting]) -> ChooseLevels:
    """Return the pass that tries all sizes of spikes, for all steps, and keeps what comes of it."""

    class Grading(ChooseLevels):
        def search(self, trials: Runs) -> Levels:
            tried = [one for levels in LEVELS for one in trials.tried(levels, STEPS[-1], FEWEST)]
            found.extend(Graded(one.levels, one.steps, one.drop) for one in tried)
            return tried[0]

    return Grading()
