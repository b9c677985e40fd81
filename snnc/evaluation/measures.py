"""What a network makes of one output's task: sums over samples that come part by part."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from snnc.analysis.errors import grouped_interval
from snnc.analysis.task import Task
from snnc.ir.types import AnyArray, Array

CLOSE = 0.01
"""How far below the model's a score may be to count as come close."""
ByStep: TypeAlias = "tuple[float, ...] | None"


@dataclass(frozen=True)
class OutputEvaluation:
    """What the network makes of one output's task. Where there are no labels, only how far it is from the model."""

    output: str
    task: str
    """Its kind: classes, binary, multi-label, regression, pixels, sequences, reconstruction or undecided."""
    said: str
    """The task in one line, and by what it was chosen."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the network after all steps, by name, the score first; none without labels."""
    model_metrics: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    """The first metric, of which more is better: the accuracy, or R2 where numbers are values."""
    score_interval: tuple[float, float] | None = None
    """Its 95 % confidence interval; decisions about one sample are not taken to be independent. None for a single
    value."""
    score_by_step: ByStep = None
    """Of the read-out after 1, 2, … steps; of an answer for each step, of that step."""
    score_interval_by_step: tuple[tuple[float, float], ...] | None = None
    model_score: float | None = None
    agreement: float | None = None
    """Share of what network and model decide alike; None where nothing is decided."""
    agreement_by_step: ByStep = None
    error: float | None = None
    """Of values: root mean squared difference from the model, relative to the deviation of its outputs."""
    error_by_step: ByStep = None
    steps_to_model: int | None = None
    """The first step from which on the score stays within one point of the model's; None if it never does."""

    @property
    def measure(self) -> str | None:
        """Return what the score is."""
        return next(iter(self.metrics), None)

    @property
    def drop(self) -> float:
        """Return the points, hundredths of the score, that the network is below the model; 0 without labels."""
        if self.score is None or self.model_score is None:
            return 0.0
        return 100 * (self.model_score - self.score)


class Measure(ABC):
    """The evaluation of one output, which samples are added to part by part."""

    def __init__(self, task: Task) -> None:
        """Begin without samples."""
        self.task = task

    @abstractmethod
    def add(self, every: Array, model: Array, target: AnyArray | None) -> None:
        """Take in samples.

        Args:
            every: what the network answers after each step, ``(batch, steps, *shape)``.
            model: the model's answers, ``(batch, *shape)``; of a task of each step, like ``every``.
            target: what is right, as ``Task.targets`` gives it; None without labels.
        """

    @abstractmethod
    def result(self) -> OutputEvaluation:
        """Return what came of all samples."""

    def _over_steps(self, by_step: AnyArray) -> float:
        """Return a number for the whole run: that after the last step, or the mean where each step has an answer."""
        return float(by_step.mean() if self.task.each_step else by_step[-1])


def measure_of(task: Task) -> Measure:
    """Return the measure of a task: of decisions, or of values."""
    return _Values(task) if task.choice is None else _Decisions(task)


class _Decisions(Measure):
    """Shares of decisions that are right, or the model's; every sample counts alike."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.right: list[AnyArray] = []
        self.agree: list[AnyArray] = []
        self.model_right: list[AnyArray] = []
        self.network, self.model = _Confusion(task), _Confusion(task)

    def add(self, every: Array, model: Array, target: AnyArray | None) -> None:
        chosen, theirs = self.task.decide(every), self.task.decide(model)
        steps = chosen.shape[1]

        def shares(wanted: AnyArray) -> AnyArray:
            """Return the share of a sample's positions that are as wanted, ``(batch, steps)``."""
            same = chosen == (wanted if self.task.each_step else wanted[:, None])
            return np.asarray(same.reshape(len(same), steps, -1).mean(axis=-1))

        self.agree.append(shares(theirs))
        if target is not None:
            self.right.append(shares(target))
            right = (theirs == target).reshape(len(target), -1)
            self.model_right.append(right.mean(axis=-1))
            self.network.add(chosen if self.task.each_step else chosen[:, -1], target)
            self.model.add(theirs, target)

    def result(self) -> OutputEvaluation:
        agree = np.concatenate(self.agree)
        agreement = agree.mean(axis=0)
        found = OutputEvaluation(
            output=self.task.output,
            task=self.task.kind,
            said=str(self.task),
            agreement=self._over_steps(agreement),
            agreement_by_step=tuple(agreement.tolist()),
        )
        if not self.right:
            return found
        right, model = np.concatenate(self.right), float(np.concatenate(self.model_right).mean())
        accuracy = right.mean(axis=0)
        score = self._over_steps(accuracy)
        each = right.mean(axis=1) if self.task.each_step else right[:, -1]
        positions, steps = int(np.prod(self.task.positions)), right.shape[1]
        return replace(
            found,
            metrics={"accuracy": score, **self.network.metrics()},
            model_metrics={"accuracy": model, **self.model.metrics()},
            score=score,
            score_interval=grouped_interval(each, positions * (steps if self.task.each_step else 1)),
            score_by_step=tuple(accuracy.tolist()),
            score_interval_by_step=tuple(grouped_interval(right[:, t], positions) for t in range(steps)),
            model_score=model,
            steps_to_model=None if self.task.each_step else stays_from(accuracy.tolist(), model - CLOSE),
        )


class _Confusion:
    """What is right and wrong by class, for the mean IoU of pixels, and for the F1 of labels."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.both, self.ours, self.theirs = (np.zeros(task.classes) for _ in range(3))
        self.exact: list[AnyArray] = []

    def add(self, chosen: AnyArray, target: AnyArray) -> None:
        count = self.task.classes
        self.both += np.bincount(chosen[chosen == target].ravel(), minlength=count)
        self.ours += np.bincount(chosen.ravel(), minlength=count)
        self.theirs += np.bincount(target.ravel(), minlength=count)
        self.exact.append((chosen == target).reshape(len(target), -1).all(axis=1))

    def metrics(self) -> dict[str, float]:
        """Return further metrics; a class that neither network nor labels have does not count."""
        if self.task.kind == "pixels":
            union = self.ours + self.theirs - self.both
            return {"mean IoU": float((self.both[union > 0] / union[union > 0]).mean())}
        if self.task.kind == "multi-label":
            all_yes = self.ours[1] + self.theirs[1]
            f1 = float(2 * self.both[1] / all_yes) if all_yes else 1.0
            return {"exact match": float(np.concatenate(self.exact).mean()), "F1": f1}
        return {}


class _Values(Measure):
    """Errors of values against what is right, and against the model."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.network, self.model, self.distance = _Deviation(task, keep=True), _Deviation(task), _Deviation(task)
        self.labelled = False

    def add(self, every: Array, model: Array, target: AnyArray | None) -> None:
        self.distance.add(every, model)
        if target is not None:
            self.labelled = True
            self.network.add(every, target)
            self.model.add(model if self.task.each_step else model[:, None], target)

    def result(self) -> OutputEvaluation:
        error = np.sqrt(self.distance.unexplained)
        found = OutputEvaluation(
            output=self.task.output,
            task=self.task.kind,
            said=str(self.task),
            error=math.sqrt(self._over_steps(self.distance.unexplained)),
            error_by_step=tuple(error.tolist()),
        )
        if not self.labelled:
            return found
        r2 = 1 - self.network.unexplained
        score, model = self._over_steps(r2), self._over_steps(1 - self.model.unexplained)
        intervals = self.network.intervals()
        return replace(
            found,
            metrics={"R2": score, **self._errors(self.network)},
            model_metrics={"R2": model, **self._errors(self.model)},
            score=score,
            score_interval=None if intervals is None else intervals[-1],
            score_by_step=tuple(r2.tolist()),
            score_interval_by_step=None if intervals is None else intervals[:-1],
            model_score=model,
            steps_to_model=None if self.task.each_step else stays_from(r2.tolist(), model - CLOSE),
        )

    def _errors(self, of: _Deviation) -> dict[str, float]:
        return {"MSE": self._over_steps(of.squares / of.count), "MAE": self._over_steps(of.absolute / of.count)}


class _Deviation:
    """Sums of how far values are from wanted ones, by step, and of how far these are from their own means."""

    def __init__(self, task: Task, *, keep: bool = False) -> None:
        self.each_step, self.keep = task.each_step, keep
        self.samples = self.count = 0
        """Wanted values of a step."""
        self.squares: AnyArray = np.zeros(1)
        self.parts: list[tuple[AnyArray, AnyArray]] = []
        """Where they are kept, of each part of the samples the wanted values, and the squares ``(batch, steps)``."""
        self.absolute: AnyArray = np.zeros(1)
        self.origin: AnyArray | None = None
        """The first wanted values, which are taken off: large means would cost digits."""
        self.sums: AnyArray = np.zeros(1)
        self.powers: AnyArray = np.zeros(1)

    def add(self, every: AnyArray, wanted: AnyArray) -> None:
        """Take in values ``(batch, steps, *shape)``, and wanted ones, which may have no axis of steps."""
        wanted = wanted.astype(np.float64)
        every = every.reshape(*every.shape[:2], -1)
        apart = every - (wanted.reshape(every.shape) if self.each_step else wanted.reshape(len(wanted), 1, -1))
        squares = np.square(apart).sum(axis=2)
        self.squares = self.squares + squares.sum(axis=0)
        self.absolute = self.absolute + np.abs(apart).sum(axis=(0, 2))
        if self.origin is None:
            self.origin = wanted[:1]
        off = wanted - self.origin
        self.samples += len(off)
        self.count += every[:, 0].size
        self.sums = self.sums + off.sum(axis=0)
        self.powers = self.powers + np.square(off).sum(axis=0)
        if self.keep:
            self.parts.append((wanted, squares))

    @property
    def unexplained(self) -> AnyArray:
        """Return the share of the variance that is left, by step: 1 is what the mean of the wanted values leaves.

        Of values that do not differ it is nothing where they are met, and otherwise all.
        """
        spread = self._spread
        tiny = 1e-12 * self.count
        return self.squares / spread if spread > tiny else np.where(self.squares > tiny, 1.0, 0.0)

    @property
    def _spread(self) -> float:
        """Return the sum of the squares by which wanted values are off their means, of a step where each has some."""
        by_value = self.powers - np.square(self.sums) / self.samples
        return float(by_value.sum()) / (len(self.squares) if self.each_step else 1)

    def intervals(self) -> tuple[tuple[float, float], ...] | None:
        """Return the 95 % interval of R2 in each step, and that of their mean or of the last; None for one sample.

        R2 is a ratio of two sums over the samples, which vary together (Cochran 1977, section 6).
        """
        assert self.origin is not None
        if self.samples < 2 or self._spread <= 1e-12 * self.count:
            return None
        mean = self.origin + self.sums / self.samples
        own = np.concatenate([np.square(w - mean).reshape(len(w), -1).sum(axis=1) for w, _ in self.parts])
        squares = np.concatenate([squares for _, squares in self.parts])
        own = own / (squares.shape[1] if self.each_step else 1)
        last = squares.mean(axis=1) if self.each_step else squares[:, -1]
        found = []
        for lost in (*squares.T, last):
            left = lost.sum() / self._spread
            apart = (lost - left * own) / (self._spread / self.samples)
            margin = 1.96 * float(apart.std(ddof=1)) / math.sqrt(self.samples)
            found.append((1 - left - margin, 1 - left + margin))
        return tuple(found)


def stays_from(scores: Sequence[float], wanted: float) -> int | None:
    """Return the first step (counted from 1) from which on all scores are at least the wanted one."""
    below = [t for t, value in enumerate(scores, 1) if not value >= wanted - 1e-9]
    first = below[-1] + 1 if below else 1
    return first if first <= len(scores) else None
