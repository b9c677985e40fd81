"""What a model's batch normalisation says of its activations: their means and deviations over the training data.

Inputs that were made up go through a model as its own data would where their activations are brought to these
statistics, channel by channel, as batch normalisation does in training (Ioffe & Szegedy 2015; Cai et al. 2020 make
inputs by them). What is wrong with the inputs is then gone behind the first normalisation, were it a factor of 255.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snnc import ops
from snnc.analysis.choose_task import task_of
from snnc.analysis.forecast import ENOUGH
from snnc.analysis.task import Task
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import stepwise

FLOOR = 0.3
"""The least range of a channel, as a share of its layer's: made-up inputs do not say of a channel that it is small."""


@dataclass(frozen=True)
class Statistics:
    """The mean and the deviation of each channel of a tensor, over batch and positions."""

    mean: Array
    deviation: Array

    def impose(self, x: Array) -> Array:
        """Return ``(..., channels)`` values with this mean and deviation; those of a channel that is constant move."""
        mean, deviation = _moments(x)
        gain = self.deviation / np.maximum(deviation, 1e-3 * np.maximum(self.deviation, 1e-6))
        return _affine(x, gain, self.mean - gain * mean)

    def impose_size(self, x: Array) -> Array:
        """Return the values scaled to the root mean square that they should have: what is rectified stays so."""
        mean, deviation = _moments(x)
        size = np.sqrt(mean**2 + deviation**2)
        wanted = np.sqrt(self.mean.astype(np.float64) ** 2 + self.deviation.astype(np.float64) ** 2)
        return _affine(x, np.where(size > 0, wanted / np.where(size > 0, size, 1), 1), np.zeros(1))


def _moments(x: Array) -> tuple[AnyArray, AnyArray]:
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes, dtype=np.float64), x.std(axes, dtype=np.float64)


def _affine(x: Array, scale: AnyArray, shift: AnyArray) -> Array:
    y = x * scale.astype(np.float32)
    y += shift.astype(np.float32)
    return y


def known_statistics(source: Graph) -> dict[str, Statistics]:
    """Return what is known of the tensors before and behind each batch normalisation of a model as imported."""
    known: dict[str, Statistics] = {}
    for node in source.nodes(ops.BatchNorm):
        op = node.op
        (before,) = source.sources(node.name)
        known.setdefault(before, Statistics(op.mean, np.sqrt(np.maximum(op.variance, 0))))
        kept = np.sqrt(np.maximum(op.variance, 0) / (op.variance + np.float32(op.epsilon)))
        known[node.name] = Statistics(op.beta, np.abs(op.gamma) * kept)
    return known


def expected_activations(
    graph: Graph, names: Collection[str], inputs: Mapping[str, Array], known: Mapping[str, Statistics]
) -> Iterator[tuple[str, Array, Array]]:
    """Yield (name, what it reads, what it gives) of nodes with one input, in rate mode, ``(samples, *shape)``.

    Args:
        graph: a rewritten graph: a tensor that passes rebuilt has the name that it had in the model.
        names: the nodes that are wanted.
        inputs: by name, ``(batch, *shape)``.
        known: the statistics that tensors have on the model's own data; the others follow from these.
    """
    graph = stepwise(graph)
    shown = presentation(graph)
    waiting = {node.name: len(graph.readers(node.name)) for node in graph}
    values = dict(inputs)
    with np.errstate(all="ignore"):
        for node in graph:
            sources = graph.sources(node.name)
            if sources:
                y = np.asarray(shown.evaluate(node.op, *(values[s] for s in sources)), dtype=np.float32)
                values[node.name] = y = _as_known(node, y, known)
                if node.name in names:
                    pair = shown.as_samples({"reads": values[sources[0]], "gives": y})
                    yield node.name, pair["reads"], pair["gives"]
            for source in sources:
                waiting[source] -= 1
                if not waiting[source]:
                    del values[source]


def _as_known(node: Node, y: Array, known: Mapping[str, Statistics]) -> Array:
    statistics = known.get(node.name)
    if statistics is None or statistics.mean.shape != y.shape[-1:]:
        return y
    if isinstance(node.op, (Neurons, ops.Activation)):
        return statistics.impose_size(y)
    return statistics.impose(y)


def expected_ranges(
    graph: Graph, names: Collection[str], inputs: Mapping[str, Array], known: Mapping[str, Statistics]
) -> dict[str, AnyArray]:
    """Return the range of each population, one number or one a channel: its largest activation.

    A channel's is not below ``FLOOR`` of its layer's. A population that is silent has the spread of what it reads for
    its range, so that it can fire where the model's own data excite it.
    """
    found = expected_activations(graph, names, inputs, known)
    return {name: _range(reads, gives) for name, reads, gives in found}


def _range(reads: Array, gives: Array) -> AnyArray:
    flat = np.abs(gives.reshape(-1, gives.shape[-1]) if gives.ndim > 1 else gives.reshape(-1, 1))
    whole = float(flat.max())
    silent = not whole > 0
    if silent:
        whole = float(reads.max() - reads.min())
    if not (math.isfinite(whole) and whole > 0):
        return np.asarray(1.0, dtype=np.float32)
    if silent or len(flat) < ENOUGH:
        return np.asarray(whole, dtype=np.float32)
    return np.maximum(flat.max(axis=0), np.float32(FLOOR * whole))


@dataclass(frozen=True)
class Fit:
    """How well inputs suit the first batch normalisation that reads them."""

    name: str
    """Of the normalisation."""
    ratio: float
    """How many times larger, in the mean over channels, the model's own data were than these inputs are."""
    distance: float
    """Zero where the statistics of all channels are the same."""


def fit(source: Graph, name: str, inputs: Mapping[str, Array]) -> Fit | None:
    """Return how well inputs suit the first batch normalisation behind an input, None where there is none.

    Args:
        source: a model as imported.
        name: of the input.
        inputs: of all inputs by name, ``(batch, *shape)``.
    """
    norms = (node for node in source.nodes(ops.BatchNorm) if name in source.ancestors({node.name}))
    first = next(norms, None)
    if first is None:
        return None
    (before,) = source.sources(first.name)
    shown, needed, values = presentation(source), source.ancestors({before}), dict(inputs)
    with np.errstate(all="ignore"):
        for node in source:
            if node.name in needed and node.name not in values:
                values[node.name] = shown.evaluate(node.op, *(values[s] for s in source.sources(node.name)))
        mean, deviation = _moments(values[before])
        own = np.sqrt(first.op.variance.astype(np.float64)) + 1e-9
        logs = np.log((deviation + 1e-9 * own) / own)
        shifts = (mean - first.op.mean) / (own + deviation)
    logs, shifts = logs[np.isfinite(logs)], shifts[np.isfinite(shifts)]
    if not len(logs):
        return None
    return Fit(first.name, float(np.exp(-np.median(logs))), float(np.median(np.abs(logs)) + np.mean(np.abs(shifts))))


def confidence(source: Graph, inputs: Mapping[str, Array]) -> float | None:
    """Return how sure a model is of what it decides, 0 for as good as guessing to 1; None where it says no probability.

    That is the mean over the outputs that are probabilities, of classes or of yes.

    Args:
        source: a model as imported.
        inputs: by name, ``(batch, *shape)``.
    """
    with np.errstate(all="ignore"):
        outputs = evaluate(source, inputs)
    found = [
        float((likely.mean() - 1 / task.classes) / (1 - 1 / task.classes))
        for task in (task_of(source, name) for name in outputs)
        if (likely := _likely(task, outputs[task.output].astype(np.float64))) is not None
    ]
    return float(np.mean(found)) if found else None


def _likely(task: Task, y: AnyArray) -> AnyArray | None:
    """Return the probability of each decision."""
    if task.choice is None or not (y >= 0).all() or not (y <= 1 + 1e-3).all():
        return None
    if task.choice == "threshold":
        return np.maximum(y, 1 - y)
    return np.asarray(y.max(axis=task.axis)) if np.allclose(y.sum(axis=task.axis), 1, atol=1e-3) else None
