"""Choose thresholds, spikes a step and the number of steps by a forecast of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.analysis.cost import AC_45NM, energy_of_values, value_operations
from snnc.analysis.expected import expected_ranges
from snnc.analysis.fan_out import fan_out
from snnc.analysis.forecast import Forecast, forecast
from snnc.analysis.sensitivity import Sensitivity, all_levels, plan, search, sensitivities
from snnc.analysis.trade_off import Goal, choose, require_goal
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.op import frozen_array
from snnc.ir.types import Array
from snnc.neurons import Neurons, SignedIf
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.calibrate_scales import unscaled

LIMITS = ((1, 4), (2, 4), (3, 4), (4, 4), (4, 8), (4, 16), (8, 16))
"""Steps, and the most spikes a step, that are tried where both are free: few steps first, then more spikes."""
MOST = 16
"""Spikes a step, at most, where the steps are given."""
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Steps that are tried where the spikes a step are given."""


@dataclass(frozen=True)
class Tried:
    """Levels of each population, and what is to be expected of them."""

    forecast: Forecast
    levels: Mapping[str, int]
    steps: int
    energy: float
    """Joules of a sample, 45 nm."""

    @property
    def drop(self) -> float:
        """Return the points of accuracy that are expected to be lost."""
        return self.forecast.drop

    @property
    def spikes(self) -> float:
        """Return the spikes of a sample."""
        return self.forecast.spikes

    def gamma(self, name: str) -> int:
        """Return the most spikes a step of a population."""
        return self.forecast.populations[name].most // self.steps


SAMPLES = 256
"""Samples that choose, and samples held back that judge, at most."""
WORTH = 0.02
"""Fitted weights are kept if they spare this share of the changes of class."""


class Trials:
    """Forecasts of a graph before anything is scaled, on the samples of a compilation."""

    def __init__(self, graph: Graph, names: Sequence[str], context: Context) -> None:
        """Keep what they are made from."""
        assert context.samples is not None and context.held_back is not None
        self.graph, self.names, self.tell = graph, names, context.tell
        self.samples, self.held_back = (
            {name: x[:SAMPLES] for name, x in half.items()} for half in (context.samples, context.held_back)
        )
        self.asked, self.tasks = context.steps_asked, {} if context.made else context.tasks
        self.meets, self.reads = fan_out(graph), value_operations(graph, {})
        known = context.known if context.made else None
        self.ranges = None if known is None else expected_ranges(graph, names, self.samples, known)

    @cached_property
    def sensitive(self) -> dict[str, Sensitivity]:
        """Return what each population alone does to the outputs, by name."""
        self.tell(f"what each of {len(self.names)} populations does to the outputs")
        return sensitivities(self.graph, self.names, self.samples, self.meets, self.ranges)

    def tried(self, levels: Mapping[str, int], steps: int, repair: bool = True) -> Tried:
        """Return the forecast of levels by population and steps, with the weights fitted or not."""
        found = forecast(
            self.graph,
            levels,
            self.samples,
            self.held_back,
            steps,
            repair=repair,
            ranges=self.ranges,
            tasks=self.tasks,
        )
        energy = energy_of_values(self.graph, self.reads, steps) + AC_45NM * found.synops(self.meets)
        self.tell(f"{steps} steps, {found.spikes:.3g} spikes: {found.drop:.2g} points lost")
        return Tried(found, levels, steps, energy)


@dataclass(frozen=True)
class ChooseThresholds(Pass):
    """Give neurons that may take spikes back their thresholds, at the least cost that keeps the model's answers.

    The quantised model is the forecast of the network (``analysis/forecast.py``), so that nothing need be simulated.
    What each population alone does to the outputs is measured, and levels, which are the steps times the spikes a
    step, are given to the populations where they are worth most (``analysis/sensitivity.py``), more or less of them
    until the expected loss of accuracy on samples held back is ``target_drop`` points. ``minimise`` says what is
    cheap: ``steps`` (the least spikes in the fewest steps), ``spikes``, or ``energy`` by figures for 45 nm. Each
    channel's bias makes up for what counting changes in its mean. Scales that the user gave stay.
    With ``reconstruct``, the weights of dense and conv layers behind a population are fitted to its counts
    (``analysis/reconstruct.py``), which is kept where it makes the samples held back better.
    On made-up inputs a range is the largest activation, as batch normalisation says it is, biases and weights stay,
    and the error of the outputs decides.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=signed-if} : spikes[6,6,4]

    After::

        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]  ; choose-thresholds
        %conv = neurons(%conv.linear) {model=signed-if{gamma=4} scale=f32[4]} : spikes[6,6,4]
    """

    name: ClassVar[str] = "choose-thresholds"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    needs_calibration: ClassVar[bool] = True
    target_drop: float = 0.5
    minimise: Goal = "steps"
    gamma: int | None = None
    """The most spikes a step; chosen by default."""
    reconstruct: bool = True
    """Fit the weights to what the neurons count."""
    error: float | None = None
    """Of the outputs, relative to their deviation, that is planned for, in place of a search for what keeps the target:
    what ``snnc tune`` found."""

    def __post_init__(self) -> None:
        if not 0 < self.target_drop <= 100 or (self.gamma is not None and self.gamma < 1):
            raise UsageError("choose-thresholds: target_drop is in points above 0, gamma 1 or more")
        if self.error is not None and not 0 < self.error < math.inf:
            raise UsageError("choose-thresholds: error is a share of the outputs' deviation, above 0")
        require_goal(self.minimise)

    def apply(self, graph: Graph, context: Context) -> None:
        names = unscaled(graph, SignedIf)
        if not names:
            return
        chosen = self.chosen(Trials(graph, names, context))
        for name, linear in chosen.forecast.repaired.items():
            graph.replace(name, linear)
        for name in names:
            op, found = graph[name].op, chosen.forecast.populations[name]
            assert isinstance(op, Neurons) and isinstance(op.model, SignedIf)
            scale = np.asarray(found.unit * (chosen.steps * context.dt), dtype=np.float32)
            given: float | Array = scale if scale.ndim else float(scale)
            model = replace(op.model, gamma=chosen.gamma(name)).at_scale(given)
            graph.replace(name, replace(op, model=model, scale=given))
            _shift(graph, name, found.shift)
        context.choices["steps"] = chosen.steps
        most = max(chosen.gamma(name) for name in names)
        told = chosen.forecast
        kind = "made-up input" if told.by_error else "sample"
        context.note(
            f"{chosen.steps} steps of at most {most} spikes: forecast {chosen.spikes:.3g} spikes a {kind}, outputs off "
            f"by {told.error:.1%} of their deviation, {chosen.drop:.2f} points are expected to be lost"
        )

    def chosen(self, trials: Trials) -> Tried:
        """Return the cheapest of what was tried that meets the target, or what loses least."""
        sensitive, limits = trials.sensitive, self._limits(trials.asked)
        if self.error is not None:
            steps, levels = plan(sensitive, self.minimise, self.error, limits) or all_levels(sensitive, limits)
            return trials.tried(levels, steps, self.reconstruct)

        def tried(levels: Mapping[str, int], steps: int) -> Tried:
            return trials.tried(levels, steps, self.reconstruct)

        found = search(sensitive, tried, self.target_drop, self.minimise, limits)
        best = choose(found, self.target_drop, self.minimise)
        if best.forecast.repaired:
            plain = trials.tried(best.levels, best.steps, repair=False)
            if not best.drop < (1 - WORTH) * plain.drop:
                return plain
        return best

    def _limits(self, asked: int | None) -> Sequence[tuple[int, int]]:
        if asked is not None:
            return [(asked, self.gamma or MOST)]
        return LIMITS if self.gamma is None else [(steps, self.gamma) for steps in STEPS]


def _shift(graph: Graph, name: str, shift: Array) -> None:
    """Add a number a channel to what a population reads: in the bias before it, where that is its alone."""
    (feed,) = graph.sources(name)
    op = graph[feed].op
    if not shift.any():
        return
    alone = graph.sole_reader(feed) == name
    if alone and isinstance(op, (ops.Dense, ops.Conv)) and op.activation is None:
        graph.replace(feed, replace(op, bias=op.bias + shift))
    elif alone and isinstance(op, ops.Affine):
        graph.replace(feed, replace(op, shift=op.shift + shift))
    else:
        affine = ops.Affine(scale=frozen_array(1.0), shift=shift)
        graph.insert_before(name, 0, graph.fresh_name(f"{name}.shift"), affine)
