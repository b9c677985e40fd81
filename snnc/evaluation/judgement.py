"""Judge a spiking network by the model's answers: what is decided by its agreement, values by their error.

A share of few samples says little, so that each measure has a 95 % confidence interval. A network has failed only where
the whole interval is beyond the limit, and has passed where the measure itself is within it. In between there are too
few samples to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from snnc.analysis.errors import grouped_interval
from snnc.analysis.task import Task
from snnc.backend import Tolerance
from snnc.ir.types import AnyArray, Array

Verdict: TypeAlias = Literal["passed", "failed", "not judged"]
By: TypeAlias = Literal["agreement", "error", "either"]
Interval: TypeAlias = tuple[float, float]
Z = 1.96
"""Standard deviations on either side of an interval of 95 %."""
ROUNDING = 1e-3
"""How far from 1 the probabilities of all classes may add up."""


@dataclass(frozen=True)
class OutputJudgement:
    """How close the answers of one output are to the model's."""

    output: str
    verdict: Verdict
    by: By
    """What was judged: the agreement of decisions, the error of values, or, of numbers that may be scores of classes or
    values, both, of which one has to be within its limit."""
    agreement: float | None
    """Share of decisions that are the model's: of classes, labels, pixels; None where numbers are values."""
    agreement_interval: Interval | None
    error: float
    """Root mean squared difference, relative to the deviation of the model's values from sample to sample."""
    error_interval: Interval
    task: str = "undecided"
    """What the output is for."""
    of: str = "samples"
    """What is decided: samples, labels, steps or pixels."""
    said: str = ""
    """The task in one line, and by what it was chosen."""


def judge(
    got: Mapping[str, Array],
    want: Mapping[str, Array],
    limits: Tolerance,
    tasks: Mapping[str, Task],
) -> tuple[OutputJudgement, ...]:
    """Return a judgement for each output.

    Args:
        got: answers of the network, ``(batch, *shape)`` by output name.
        want: those of the model.
        limits: what is accepted.
        tasks: what each output is for.
    """
    return tuple(_judged(tasks[name], got[name], y, limits) for name, y in want.items())


def overall(judgements: tuple[OutputJudgement, ...]) -> Verdict:
    """Return failed where one output failed, passed where all of them passed."""
    verdicts = {each.verdict for each in judgements}
    return "failed" if "failed" in verdicts else "passed" if verdicts == {"passed"} else "not judged"


def _judged(task: Task, got: Array, want: Array, limits: Tolerance) -> OutputJudgement:
    shares, (error, errors) = agreements(task, got, want), error_of(got, want)
    as_values: Verdict = "passed" if error <= limits.error else "failed" if errors[0] > limits.error else "not judged"
    about = (task.kind, task.what, str(task))
    if shares is None:
        return OutputJudgement(task.output, as_values, "error", None, None, error, errors, *about)
    by: By = "either" if task.kind == "undecided" and not are_probabilities(want) else "agreement"
    share, low = float(shares.mean()), limits.agreement
    between = grouped_interval(shares, int(np.prod(task.positions)) if task.choice else 1)
    as_decided: Verdict = "passed" if share >= low else "failed" if between[1] < low else "not judged"
    asked = (as_decided,) if by == "agreement" else (as_decided, as_values)
    verdict: Verdict = "passed" if "passed" in asked else "not judged" if "not judged" in asked else "failed"
    return OutputJudgement(task.output, verdict, by, share, between, error, errors, *about)


def agreements(task: Task, got: Array, want: Array) -> AnyArray | None:
    """Return the share of each sample's decisions that are the model's, ``(batch,)``; None where numbers are values."""
    if task.choice is not None:
        same = task.decide(got) == task.decide(want)
    elif task.kind == "undecided" and want.ndim == 2 and want.shape[-1] > 1:
        same = got.argmax(axis=-1) == want.argmax(axis=-1)
    else:
        return None
    return np.asarray(same.reshape(len(same), -1).mean(axis=-1))


def are_probabilities(want: AnyArray) -> bool:
    """Return whether values ``(batch, classes)`` are probabilities of classes, or their logarithms."""
    if want.ndim != 2 or want.shape[-1] < 2:
        return False
    with np.errstate(over="ignore"):
        sums = [want.sum(axis=-1), np.exp(want).sum(axis=-1)]
    signs = [(want >= 0).all(), (want <= 0).all()]
    ones = [(np.abs(total - 1) < ROUNDING).all() for total in sums]
    return any(bool(sign and one) for sign, one in zip(signs, ones, strict=True))


def error_of(got: Array, want: Array) -> tuple[float, Interval]:
    """Return the relative error of answers ``(batch, *shape)``, and the 95 % interval of its mean over samples.

    It is relative to the deviation of the wanted values from their mean over the samples, so that 1 is what a constant
    would give; to the values themselves where they do not differ.
    """
    rows = np.square(got.astype(np.float64) - want).reshape(len(want), -1).mean(axis=1)
    mean = float(rows.mean())
    if not math.isfinite(mean):
        return math.inf, (math.inf, math.inf)
    wanted = want.astype(np.float64)
    spread, size = (float(np.sqrt(np.square(y).mean())) for y in (wanted - wanted.mean(axis=0), wanted))
    unit = max(spread if spread > 1e-6 * size else size, 1e-12)
    aside = Z * float(rows.std(ddof=1)) / math.sqrt(len(rows)) if len(rows) > 1 else math.inf
    return math.sqrt(mean) / unit, (math.sqrt(max(mean - aside, 0.0)) / unit, math.sqrt(mean + aside) / unit)


def shortfall(judged: OutputJudgement, samples: int, limits: Tolerance) -> str:
    """Return by how much an output failed, on how many samples, and the limit."""
    if judged.by != "error" and judged.agreement is not None and judged.agreement_interval is not None:
        low, high = judged.agreement_interval
        of = "" if judged.of == "samples" else f"the {judged.of} of "
        how, limit = (
            f"agrees with the model on {judged.agreement:.1%} of {of}".rstrip(),
            f"less than {limits.agreement:.0%}",
        )
    else:
        low, high = judged.error_interval
        how, limit = f"is off by {judged.error:.1%} of the output's deviation on", f"more than {limits.error:.0%}"
    between = f"({low:.1%} to {high:.1%} at 95 % confidence)"
    return f"output {judged.output!r}: the spiking network {how} {samples} samples {between}, {limit}"
