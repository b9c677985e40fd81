"""What a search of settings looks for and finds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from snnc.analysis.trade_off import Goal
from snnc.analysis.trade_off import front as front_of
from snnc.compiled import Compiled
from snnc.errors import DataError
from snnc.evaluation.evaluate import Evaluation
from snnc.samples import Samples
from snnc.text_form import write


@dataclass(frozen=True)
class Outcome:
    """The results of one setting on the samples that it was not calibrated with."""

    settings: dict[str, Any]
    accuracy: float
    drop: float
    """Percentage points below the model on the same samples."""
    steps: int
    spikes: float
    """Per input."""
    energy: float
    """Joules per input, 45 nm; see ``snnc.analysis.cost``."""


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


def outcome(settings: Mapping[str, Any], found: Evaluation) -> Outcome:
    """Return what an evaluation says about settings; a silent network loses everything, whatever it spares."""
    drop = 100.0 if found.silent else 100 * (found.model_accuracy - found.accuracy)
    return Outcome(dict(settings), found.accuracy, drop, found.steps, found.spikes, found.cost.energy_45nm)


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


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """Return the first half, to calibrate with, and the second, to decide with."""
    if samples.labels is None:
        raise DataError("tune needs labels: put them into the .npz as 'y', or give --labels")
    if len(samples) < 40:
        raise DataError(f"{len(samples)} labelled samples are too few to tune with: give at least 40, better 500")
    half = len(samples) // 2
    second = Samples({name: x[half:] for name, x in samples.inputs.items()}, samples.labels[half:])
    return samples.head(half), second


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``compile`` for settings of a search: its own, and options by the pass's name."""
    own = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    passes = {key: dict(value) for key, value in settings.items() if isinstance(value, Mapping)}
    return {"level": 2, **own, "options": passes}


def command(settings: Mapping[str, Any], model: str, calibration: str, samples: int, seed: int, output: str) -> str:
    """Return the command line that compiles the same artifact."""
    words = ["snnc", "compile", model, "--level", "2"]
    words += ["--calibration", calibration, "--calibration-limit", str(samples)]
    for key, value in settings.items():
        if isinstance(value, Mapping):
            words += ["--pass", write(key, value)]
        elif value is not None:
            words += ["--" + key.replace("_", "-"), str(value)]
    return shlex.join([*words, "--seed", str(seed), "-o", output])
