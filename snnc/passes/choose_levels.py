"""Choose ranges, the sizes of spikes and the number of steps of sigma-delta neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.analysis.expected import expected_ranges
from snnc.analysis.forecast import ERROR_A_POINT, FLIPS_A_POINT, flips_a_point, judged
from snnc.analysis.read_tasks import ReadTasks, Scores
from snnc.analysis.task import Task
from snnc.analysis.trade_off import Goal, meets, require_goal
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate, evaluate_nodes
from snnc.engine.simulate import as_run, present
from snnc.errors import DataError, UsageError
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons, SigmaDelta
from snnc.ops.read_out_activation import stepwise
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.calibrate_scales import CalibrateScales, unscaled
from snnc.passes.carry_changes import carry_changes

LEVELS = (3, 4, 5, 6, 8, 10)
"""Sizes of spikes that are tried, fewest first: each one more halves the error that is left, and costs spikes."""
CHANGED_A_POINT = 0.02
"""The share of samples whose class may change for each point of accuracy: less than the 0.035 that errors at random
would allow, since what is counted on a hundred samples is good to a hundredth (measured; docs/accuracy.md)."""
LENIENT = 1.75
"""How much more than the target may be lost where few steps leave no better choice: errors at random allow it."""
MANY = 64
"""Samples from which on counting changes of class says more than margins do."""
FEWEST = 2
"""One step is a quantised network, which does not spike."""
MANIFOLD = 2
"""The most spikes of a neuron in a step, where one does not do."""
LIMITS = ((4, 1), (4, MANIFOLD), (16, 1), (16, MANIFOLD))
"""The most steps, and the spikes a step, that are tried where none are asked for: more only where few do not do."""


@dataclass(frozen=True)
class Tried:
    """Sizes of spikes and steps, and how far the network is from the model then."""

    levels: int
    spikes: int
    steps: int
    error: float
    """As ``judged`` says."""
    flips: float
    """The share of decisions that change: what is expected, or what is counted, whichever is more."""
    decides: bool
    """Whether anything is decided by an output, such as a class."""
    a_point: float = CHANGED_A_POINT
    """The share of flips that stands for a point of accuracy."""
    by_error: bool = False
    """Whether the error says what is lost, as for inputs that are made up, and not the changes of class."""

    @property
    def drop(self) -> float:
        """Return the points of accuracy that are expected to be lost."""
        return self.error / ERROR_A_POINT if self.by_error else self.flips / self.a_point


@dataclass(frozen=True)
class ChooseLevels(Pass):
    """Give sigma-delta neurons their ranges, and as few sizes of spikes and steps as keep the model's answers.

    The range of a channel is the 99.9th percentile of its activations on the samples. The network runs on the samples
    held back, until the expected loss of accuracy is below ``target_drop`` points: ``minimise`` says whether few
    ``steps`` are worth more, or few ``spikes``, which is to say little ``energy``. Scales that the user gave stay.
    On made-up inputs a range is the largest activation, as batch normalisation says it is, and the error of the
    outputs decides.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=sigma-delta} : spikes[6,6,4]

    After::

        %conv = neurons(%x) {model=sigma-delta{levels=10} scale=f32[4]} : spikes[6,6,4]
    """

    name: ClassVar[str] = "choose-levels"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    exact: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = True
    target_drop: float = 0.5
    minimise: Goal = "steps"
    levels: int | None = None
    """Sizes of spikes; chosen by default."""
    spikes: int | None = None
    """The most spikes of a neuron in a step; chosen by default: two where one does not do in a few steps."""

    def __post_init__(self) -> None:
        if not 0 < self.target_drop <= 100:
            raise UsageError("choose-levels: target_drop is in points above 0")
        require_goal(self.minimise)

    def apply(self, graph: Graph, context: Context) -> None:
        assert context.samples is not None and context.held_back is not None
        names = unscaled(graph, SigmaDelta)
        if not names:
            return
        _set_ranges(graph, names, context)
        chosen = self.search(Trials(graph, names, context))
        _set_levels(graph, names, chosen.levels, chosen.spikes)
        if not presentation(graph).temporal:
            context.choices["steps"] = chosen.steps
        changes = f", {chosen.flips:.1%} {_words(context.tasks)}" if chosen.decides and not context.made else ""
        several = "" if chosen.spikes == 1 else f"at most {chosen.spikes} "
        kind = "made-up inputs" if context.made else "samples"
        context.note(
            f"{chosen.steps} steps of {several}spikes of {chosen.levels} sizes: on {kind} held back outputs are off by "
            f"{chosen.error:.1%} of their deviation{changes}"
        )

    def search(self, trials: Trials) -> Tried:
        """Return the cheapest choice that is good enough, or the best."""
        asked, every = trials.context.steps_asked, LEVELS if self.levels is None else (self.levels,)
        seen: list[Tried] = []

        def first(levels: int, most: int, fewest: int, spikes: int) -> Tried | None:
            """Return the choice of the fewest steps that is good enough."""
            tried = trials.tried(levels, most, fewest, spikes)
            seen.extend(tried)
            return next((choice for choice in tried if meets(choice.drop, self.target_drop)), None)

        limits = LIMITS if asked is None else ((asked, 1), (asked, MANIFOLD))
        if self.spikes is not None:
            limits = tuple((most, self.spikes) for most in dict.fromkeys(most for most, _ in limits))
        for most, spikes in limits:
            fewest = FEWEST if asked is None else asked
            if self.minimise == "steps":
                finest = first(every[-1], most, fewest, spikes)
                if finest is not None:
                    coarser = (first(levels, finest.steps, finest.steps, spikes) for levels in every[:-1])
                    return next((found for found in coarser if found is not None), finest)
            else:
                for levels in every:
                    found = first(levels, most, fewest, spikes)
                    if found is not None:
                        return found
            best = min(seen, key=lambda choice: (choice.drop, choice.error))  # a count says no less than one
            if spikes == limits[-1][1] and meets(best.drop, LENIENT * self.target_drop):
                return best  # more steps cost more than what is still to be gained
        return best


class Trials:
    """Runs of a graph with ranges on the samples held back, and what the model says of these."""

    def __init__(self, graph: Graph, names: Sequence[str], context: Context) -> None:
        """Put a copy of the graph into the form that runs; raise DataError where the model itself says nothing."""
        assert context.held_back is not None
        self.names, self.context, self.held_back = names, context, context.held_back
        self.graph = stepwise(graph)
        self.seen = ReadTasks(graph, {} if context.made else context.tasks)
        self.how = presentation(self.graph)
        wanted = self.how.read_out(evaluate(self.graph, self.held_back), context.read_out, context.dt)
        self.wanted = self.seen.compared(wanted)
        for name, y in wanted.items():
            if not np.isfinite(y).all():
                raise DataError(
                    f"output {name!r} is infinite or NaN in the model itself; look at its weights and inputs"
                )
        carry_changes(self.graph)

    def tried(self, levels: int, most: int, fewest: int, spikes: int = 1) -> list[Tried]:
        """Return what the network does with so many sizes of spikes, and so many a step, for more and more steps."""
        context = self.context
        context.tell(f"{spikes} spike(s) a step of {levels} sizes")
        _set_levels(self.graph, self.names, levels, spikes)
        window = slice(0, most)
        run = present(as_run(self.graph), self.held_back, most, window=window, dt=context.dt, seed=context.seed)
        if self.how.temporal:
            given = {name: context.read_out(y, context.dt) for name, y in run.outputs.items()}
            return [self._judged(levels, spikes, most, given)]
        return [
            self._judged(levels, spikes, steps, {name: y[:, steps - 1] for name, y in run.outputs.items()})
            for steps in range(fewest, most + 1)
        ]

    def _judged(self, levels: int, spikes: int, steps: int, given: Mapping[str, Array]) -> Tried:
        """Return a choice with its error and flips, those of the worst output."""
        errors, lost, decides = [], [], False
        for name, y in self.seen.compared(given).items():
            want, scores = self.wanted[name], self.seen.scores(name)
            error, expected = judged(y, want, scores=scores)
            scored = scores(want)
            decides = decides or scored is not None
            errors.append(error)
            a_point = FLIPS_A_POINT if scored is None else flips_a_point(CHANGED_A_POINT, scored)
            lost.append((max(expected, _changed(y, want, scores)), a_point))
        flips, a_point = max(lost, key=lambda each: each[0] / each[1])
        return Tried(levels, spikes, steps, max(errors), flips, decides, a_point, self.context.made)


def _set_ranges(graph: Graph, names: Sequence[str], context: Context) -> None:
    assert context.samples is not None
    if context.made:
        ranges = expected_ranges(graph, names, context.samples, context.known)
    else:
        activations = presentation(graph).as_samples(evaluate_nodes(graph, context.samples, set(names)))
        ranges = {name: CalibrateScales().ranges(np.abs(y), context.steps) for name, y in activations.items()}
    for name in names:
        op = graph[name].op
        assert isinstance(op, Neurons) and isinstance(op.model, SigmaDelta)
        scale = np.asarray(ranges[name] * context.dt, dtype=np.float32)
        given: float | Array = scale if scale.ndim else float(scale)
        graph.replace(name, replace(op, model=op.model.at_scale(given), scale=given))


def _set_levels(graph: Graph, names: Sequence[str], levels: int, spikes: int) -> None:
    for name in names:
        op = graph[name].op
        assert isinstance(op, Neurons) and isinstance(op.model, SigmaDelta)
        graph.replace(name, replace(op, model=replace(op.model, levels=levels, spikes=spikes)))


def _changed(given: Array, wanted: Array, scores: Scores) -> float:
    """Return the share of decisions that change, to be reckoned with; 0 where the model decides nothing.

    Of many samples it is the mean of what the count leaves possible (the rule of succession), as a count of two among
    a hundred may stand for four.
    """
    ours, models = scores(given), scores(wanted)
    if ours is None or models is None:
        return 0.0
    chosen = models.argmax(axis=-1)
    clear = np.sum(models == models.max(axis=-1, keepdims=True), axis=-1) == 1
    changed, count = np.count_nonzero(clear & (ours.argmax(axis=-1) != chosen)), len(models)
    return float((changed + 1) / (count + 2)) if len(wanted) >= MANY else changed / count


def _words(tasks: Mapping[str, Task]) -> str:
    """Return what is expected of decisions."""
    of = {task.what for task in tasks.values()} - {"samples"}
    return f"of the {' and '.join(sorted(of))} are expected to change" if of else "are expected to change their class"
