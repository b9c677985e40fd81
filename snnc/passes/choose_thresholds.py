"""Choose thresholds, spikes a step and the number of steps by a forecast of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.analysis.forecast import Forecast, forecast
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons, SignedIf
from snnc.passes.base import Context, Pass, Stage

FREE = ((1, 4), (2, 4), (3, 4), (4, 4), (4, 5), (4, 6), (4, 8), (6, 8))
"""Steps, and spikes a step, that are tried where the steps are free: few steps first, then more spikes."""
SPIKES = (1, 2, 3, 4, 5, 6, 8)
"""Spikes a step that are tried where the steps are given."""
FLIPS_A_POINT = 0.04
"""The share of samples whose class may change for each point of accuracy: most changes are between classes that are
both wrong, or go either way (measured on networks for Fashion-MNIST; docs/accuracy.md)."""

WORTH = 0.02
"""Fitted weights are kept if they spare this share of the changes of class."""


@dataclass(frozen=True)
class ChooseThresholds(Pass):
    """Give neurons that may take spikes back their thresholds, for the least spikes that keep the model's answers.

    The quantised model is the forecast of the network (``analysis/forecast.py``), so that nothing need be simulated:
    the number of levels, which is the steps times the spikes a step, grows until the expected loss of accuracy on
    samples held back is below ``target_drop`` points. Ranges are those of least squared error by channel, and each
    channel's bias makes up for what counting changes in its mean. Scales that the user gave stay.
    With ``reconstruct``, the weights of dense and conv layers behind a population are fitted to its counts
    (``analysis/reconstruct.py``), which is kept where it makes the samples held back better.

    Before::

        %conv.linear = conv(%x) {...} : rate[26,26,32]
        %conv = neurons(%conv.linear) {model=signed-if{gamma=4} scale=1} : spikes[26,26,32]

    After::

        %conv.linear = conv(%x) {...} : rate[26,26,32]  ; choose-thresholds <- ...
        %conv = neurons(%conv.linear) {model=signed-if{gamma=4} scale=f32[32]} : spikes[26,26,32]
    """

    name: ClassVar[str] = "choose-thresholds"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    needs_calibration: ClassVar[bool] = True
    target_drop: float = 0.5
    gamma: int | None = None
    """The most spikes a step; chosen by default."""
    reconstruct: bool = True
    """Fit the weights to what the neurons count."""

    def __post_init__(self) -> None:
        if not 0 < self.target_drop <= 100 or (self.gamma is not None and self.gamma < 1):
            raise UsageError("choose-thresholds: target_drop is in points above 0, gamma 1 or more")

    def apply(self, graph: Graph, context: Context) -> None:
        names = [
            node.name
            for node in graph.nodes(Neurons)
            if isinstance(node.op.model, SignedIf) and np.all(np.asarray(node.op.scale) == 1)
        ]
        if not names:
            return
        steps, gamma, chosen = self._search(graph, frozenset(names), context)
        for name, linear in chosen.repaired.items():
            graph.replace(name, linear)
        for name in names:
            op, found = graph[name].op, chosen.populations[name]
            assert isinstance(op, Neurons) and isinstance(op.model, SignedIf)
            scale = np.asarray(found.range / gamma * context.dt, dtype=np.float32)
            model = replace(op.model, gamma=gamma)
            graph.replace(name, replace(op, model=model, scale=scale if scale.ndim else float(scale)))
            _shift(graph, name, found.shift)
        context.choices["steps"] = steps
        context.note(
            f"{steps} steps of at most {gamma} spikes: forecast {chosen.spikes:.3g} spikes a sample, outputs off by "
            f"{chosen.error:.1%} of their deviation, {chosen.flips:.1%} of the samples change their class"
        )

    def _search(self, graph: Graph, names: frozenset[str], context: Context) -> tuple[int, int, Forecast]:
        """Return the steps, the spikes a step and the forecast of the first that is good enough, or of the best."""
        best: tuple[int, int, Forecast] | None = None
        for steps, gamma in self._candidates(context.steps_asked):
            found = self._forecast(graph, names, steps * gamma, context)
            if best is None or found.flips < best[2].flips:
                best = steps, gamma, found
            if found.flips <= FLIPS_A_POINT * self.target_drop:
                break
        assert best is not None
        steps, gamma, found = best
        if found.repaired:
            plain = replace(self, reconstruct=False)._forecast(graph, names, steps * gamma, context)
            if not found.flips < (1 - WORTH) * plain.flips:
                return steps, gamma, plain
        return best

    def _forecast(self, graph: Graph, names: frozenset[str], levels: int, context: Context) -> Forecast:
        assert context.samples is not None and context.held_back is not None
        return forecast(graph, names, levels, context.samples, context.held_back, repair=self.reconstruct)

    def _candidates(self, asked: int | None) -> list[tuple[int, int]]:
        if asked is not None:
            return [(asked, gamma) for gamma in (SPIKES if self.gamma is None else (self.gamma,))]
        if self.gamma is None:
            return list(FREE)
        return list(dict.fromkeys((math.ceil(steps * most / self.gamma), self.gamma) for steps, most in FREE))


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
        affine = ops.Affine(scale=np.ones(1, dtype=np.float32), shift=shift)
        graph.insert_before(name, 0, graph.fresh_name(f"{name}.shift"), affine)
