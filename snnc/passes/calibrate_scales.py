"""Choose the scale of each population from its activations on sample inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from snnc.analysis.expected import expected_activations
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array
from snnc.neurons import NeuronModel, Neurons
from snnc.passes.base import Context, Pass, Stage

FLOOR = 0.1
"""The least range of a channel, as a share of its layer's: a silent channel must not get an endless gain."""


@dataclass(frozen=True)
class CalibrateScales(Pass):
    """Let a population fire ``spikes`` times a step at the activation that ``rule`` takes for its largest.

    The range lambda of a layer, or of each channel, is its largest activation on the samples (``max``, Diehl et al.
    2015), a percentile of them (``percentile``, Rueckauer et al. 2017), the range of least squared error for the
    number of steps (``mmse``, Li et al. 2021), or the balanced threshold (``balance``, Bu et al. 2025). The scale is
    lambda * dt / spikes: exact in rate mode. A scale that the user gave stays.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=soft-reset-if} : spikes[6,6,4]

    After::

        %conv = neurons(%x) {model=soft-reset-if{...} scale=f32[4]} : spikes[6,6,4]
    """

    name: ClassVar[str] = "calibrate-scales"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    after: ClassVar[tuple[str, ...]] = ("choose-levels", "choose-thresholds")
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    exact: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = True
    measured: ClassVar[bool] = True
    rule: Literal["percentile", "max", "mmse", "balance"] = "percentile"
    percentile: float = 99.9
    per: Literal["channel", "layer"] = "channel"
    spikes: float = 1.0

    def apply(self, graph: Graph, context: Context) -> None:
        assert context.samples is not None
        unset = set(unscaled(graph))
        populations = [
            node
            for node in graph.nodes(Neurons)
            if node.op.model.scale_invariant and not node.op.model.graded and node.name in unset
        ]
        if not populations:
            return
        names = {node.name for node in populations}
        if context.made:
            found = expected_activations(graph, names, context.samples, context.known)
            ranges = {name: self.ranges(values, context.steps) for name, _, values in found}
        else:
            activations = presentation(graph).as_samples(evaluate_nodes(graph, context.samples, names))
            ranges = {name: self.ranges(values, context.steps) for name, values in activations.items()}
        for node in populations:
            scale = ranges[node.name] * context.dt / self.spikes
            graph.replace(node.name, replace(node.op, scale=scale if scale.ndim else float(scale)))

    def ranges(self, values: Array, steps: int) -> AnyArray:
        """Return lambda, one number or one a channel, from activations ``(batch, ..., channels)``."""
        flat = np.maximum(values.reshape(-1, values.shape[-1]), 0)
        # a channel of a Dense layer has one value a sample: too few for a percentile of its own
        rule = RULES[self.rule]
        whole = float(rule(flat.reshape(-1, 1), self.percentile, steps)[0])
        if not whole > 0:
            return np.asarray(1.0)  # a silent layer: any range does
        if self.per == "layer" or values.ndim == 2:
            return np.asarray(whole)
        return np.maximum(rule(flat, self.percentile, steps), FLOOR * whole).astype(np.float32)


def unscaled(graph: Graph, model: type[NeuronModel] = NeuronModel) -> list[str]:
    """Return the populations of a class of models whose scale nobody has set."""
    return [
        node.name
        for node in graph.nodes(Neurons)
        if isinstance(node.op.model, model) and np.all(np.asarray(node.op.scale) == 1)
    ]


def _percentile(values: Array, percentile: float, steps: int) -> AnyArray:
    return np.percentile(values, percentile, axis=0)


def _largest(values: Array, percentile: float, steps: int) -> AnyArray:
    return values.max(axis=0)


def _least_squares(values: Array, percentile: float, steps: int) -> AnyArray:
    """Return argmin over theta of the mean squared error of ``steps`` levels, theta in 5 % to 100 % of the maximum."""
    largest = values.max(axis=0)
    best, chosen = np.full(largest.shape, np.inf), largest.copy()
    for share in np.linspace(1.0, 0.05, 40):
        theta = np.maximum(largest * np.float32(share), 1e-12)
        levels = np.clip(np.floor(values * (steps / theta) + 0.5), 0, steps)
        error = np.mean((levels * (theta / steps) - values) ** 2, axis=0)
        chosen = np.where(error < best, theta, chosen)
        best = np.minimum(error, best)
    return chosen


def _balance(values: Array, percentile: float, steps: int) -> AnyArray:
    """Return the threshold at which local threshold balancing settles: theta += 2 mean(relu(z - theta)), by batches."""
    theta = np.zeros(values.shape[1], dtype=np.float32)
    for sweep in range(200):
        batch = values[sweep % 8 :: 8]
        theta += 2 * np.maximum(batch - theta, 0).mean(axis=0)
    return theta


RULES: dict[str, Callable[[Array, float, int], AnyArray]] = {
    "percentile": _percentile,
    "max": _largest,
    "mmse": _least_squares,
    "balance": _balance,
}
