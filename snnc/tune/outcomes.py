"""What a search of settings looks for and finds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from snnc.analysis.trade_off import Goal
from snnc.analysis.trade_off import front as front_of
from snnc.compiled import Compiled
from snnc.errors import DataError
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.tasks import Asked
from snnc.notebook import Table, shown
from snnc.quantities import joules, number
from snnc.samples import Samples
from snnc.text_form import write


@dataclass(frozen=True)
class Outcome:
    """The results of one setting on the samples that it was not calibrated with."""

    settings: dict[str, Any]
    accuracy: float | None
    """None where the task is no choice."""
    drop: float
    """Points, hundredths of the score, below the model on the same samples; of several outputs the most."""
    steps: int
    spikes: float
    """Per input."""
    energy: float
    """Joules per input, 45 nm; see ``snnc.analysis.cost``."""
    score: float | None = None
    """Accuracy, or R2 where numbers are values."""
    measure: str = "accuracy"
    """What the score is."""

    @property
    def shown_score(self) -> str:
        """Return the score in words."""
        if self.accuracy is not None:
            return number(self.accuracy, share=True)
        return f"{self.measure} {number(self.score)}"

    @property
    def shown_settings(self) -> str:
        """Return the settings as words, those of a pass without its name, and without the steps."""
        flat: dict[str, Any] = {}
        for key, value in self.settings.items():
            flat.update(value if isinstance(value, Mapping) else {key: value})
        return " ".join(f"{key}={value}" for key, value in flat.items() if key != "steps" and value is not None)


Watch: TypeAlias = Callable[[Outcome, tuple[Outcome, ...]], object]
"""Called with each outcome and the front so far."""


@dataclass(frozen=True)
class Tuned:
    """The result of a search."""

    front: tuple[Outcome, ...]
    """The settings that no other beats in both accuracy and cost, cheapest first."""
    best: Outcome
    """The cheapest that meets the target, or the one that loses least where none does."""
    met: bool
    """Whether it meets the target."""
    trials: int
    """Settings that were tried."""
    stopped: int
    """Trials that were not simulated on all samples: the forecast, or a few images, said that others are better."""
    calibrated: int
    """The samples that calibrate, the first."""
    compiled: Compiled
    """The best setting, compiled."""

    def __repr__(self) -> str:
        return f"<Tuned: {self._said}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                *(each.shown_settings, str(each.steps), f"{each.spikes:,.0f}"),
                *(joules(each.energy), each.shown_score, f"{each.drop:.2f}"),
            )
            for each in self.front
        ]
        best = self.front.index(self.best) if self.best in self.front else None
        head = ("setting", "steps", "spikes", "energy", "score", "points lost")
        table = Table(f"the front, of {self.trials} settings", head, rows, "front", best)
        return shown(self._said, tables=[table], calls={"tuned.compiled": "is the best setting, compiled"})

    @property
    def _said(self) -> str:
        best = self.best
        words = f"{best.shown_score} in {best.steps} steps with {best.spikes:,.0f} spikes, {best.drop:.2f} points lost"
        return f"{'the target is met' if self.met else 'no setting meets the target'}; the best: {words}"


def outcome(settings: Mapping[str, Any], found: Evaluation) -> Outcome:
    """Return what an evaluation says about settings; a silent network loses everything, whatever it spares."""
    drop = 100.0 if found.silent else found.drop
    energy = found.cost.energy_45nm
    return Outcome(dict(settings), found.accuracy, drop, found.steps, found.spikes, energy, found.score, found.measure)


class Watched:
    """Outcomes as they come in, told to whoever watches."""

    def __init__(self, minimise: Goal, watch: Watch | None) -> None:
        """Begin with none."""
        self.minimise, self.watch = minimise, watch
        self.outcomes: list[Outcome] = []

    def add(self, found: Outcome) -> None:
        """Take in an outcome."""
        self.outcomes.append(found)
        if self.watch is not None:
            self.watch(found, self.front)

    @property
    def front(self) -> tuple[Outcome, ...]:
        """Return the front so far."""
        return front_of(self.outcomes, self.minimise)


@dataclass(frozen=True)
class Judged:
    """What is judged, on the samples that decide."""

    samples: Samples
    task: Asked
    output: str | None

    def evaluation(self, compiled: Compiled, limit: int | None = None) -> Evaluation:
        """Return the evaluation on all samples, or on the first."""
        return compiled.evaluate(self.samples.head(limit), output=self.output, task=self.task)


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """Return the first half, to calibrate with, and the second, to decide with."""
    if len(samples) < 40:
        raise DataError(f"{len(samples)} labelled samples are too few to tune with: give at least 40, better 500")
    half = len(samples) // 2
    return samples.head(half), samples.part(slice(half, None))


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``compile`` for settings of a search: its own, and options by the pass's name."""
    own = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    passes = {key: dict(value) for key, value in settings.items() if isinstance(value, Mapping)}
    return {"level": 2, **own, "options": passes}


def command(
    settings: Mapping[str, Any],
    model: str,
    calibration: str,
    samples: int,
    seed: int,
    output: str,
    further: Sequence[str] = (),
) -> str:
    """Return the command line that compiles the same artifact."""
    words = ["snnc", "compile", model, "--level", "2"]
    words += ["--calibration", calibration, "--calibration-limit", str(samples)]
    for key, value in settings.items():
        if isinstance(value, Mapping):
            words += ["--pass", write(key, value)]
        elif value is not None:
            words += ["--" + key.replace("_", "-"), str(value)]
    return shlex.join([*words, *further, "--seed", str(seed), "-o", output])
