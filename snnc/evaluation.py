"""How good a spiking network is on labelled samples, what it costs, and which layer loses what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnc.backend import Recording
from snnc.calibration import Samples
from snnc.cost import Cost, cost
from snnc.errors import DataError
from snnc.ir.evaluate import evaluate, evaluate_nodes
from snnc.ir.graph import Graph
from snnc.ir.neurons import Neurons
from snnc.ir.readout import ReadOut
from snnc.ir.sequence import ending, is_temporal, over_slices, read
from snnc.ir.twin import limits, threshold, twin
from snnc.ir.types import AnyArray, Array
from snnc.measure import classes, interval, rms_error
from snnc.verify import every_answer

CLOSE = 0.01
"""How far below the model's an accuracy may be to count as come close."""


@dataclass(frozen=True)
class LayerEvaluation:
    """One spiking population. Errors are root mean squares relative to the layer's own activations in rate mode."""

    layer: str
    neurons: int
    rate: float
    """Mean firing rate in Hz."""
    fastest: float
    """Mean rate of the fastest neuron, in Hz."""
    silent: float
    """Share of the neurons that never fired."""
    saturated: float | None
    """Share of the activations beyond what a neuron can fire; None where it has no limit."""
    spikes: float
    """Per input."""
    synops: float
    """Per input: spikes times the non-zero weights that each meets."""
    clipping: float | None
    """Error of the limit alone, the layer's input being the model's."""
    quantisation: float | None
    """Error of counting in whole spikes alone, the layer's input being the model's."""
    twin: float | None
    """Accumulated error of clipping and quantisation, of this layer and those before it."""
    timing: float | None
    """Accumulated error beyond that: due to when spikes come."""
    error: float
    """Accumulated error of the spiking network."""


@dataclass(frozen=True)
class Evaluation:
    """Accuracies are shares of the samples; spikes and operations are means over them."""

    samples: int
    steps: int
    accuracy: float
    """Of the read-out after all steps."""
    accuracy_interval: tuple[float, float]
    """Its 95 % confidence interval (Wilson)."""
    accuracy_by_step: tuple[float, ...]
    """Of the read-out after 1, 2, … steps."""
    agreement: float
    """Share of samples for which network and model choose the same class."""
    agreement_by_step: tuple[float, ...]
    model_accuracy: float
    """Of the imported model on the same samples."""
    steps_to_model: int | None
    """The first step from which on the accuracy stays within one point of the model's; None if it never does."""
    rates: dict[str, float]
    """Mean firing rate of each spiking layer, in Hz."""
    spikes: float
    """Spikes per input."""
    synops: float
    """Synaptic operations per input: every spike times the non-zero weights that it meets."""
    layers: tuple[LayerEvaluation, ...]
    cost: Cost

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return asdict(self)


def evaluation(
    source: Graph, graph: Graph, samples: Samples, recording: Recording, steps: int, dt: float, read_out: ReadOut
) -> Evaluation:
    """Return the evaluation of a recorded run with every population watched.

    Args:
        source: the graph as imported.
        graph: the graph that ran.
        samples: what it was shown, with labels.
        recording: what it gave.
        steps: how many steps each sample was shown.
        dt: seconds a step.
        read_out: how the outputs of all steps become one answer.

    Raises:
        DataError: there are no labels, or the model's output is no choice among classes.
    """
    output = source.outputs[0]
    labels = _labels(samples, output, recording.outputs[output])
    chosen = classes(every_answer(graph, output, read_out.every_step(recording.outputs[output], dt)))
    model = classes(_answer_of_model(source, samples, read_out, dt)[output])
    accuracy = np.mean(chosen == labels[:, None], axis=0)
    agreement = np.mean(chosen == model[:, None], axis=0)
    model_accuracy = float(np.mean(model == labels))
    spent = cost(graph, samples.inputs, recording, steps, dt)
    layers = _layers(graph, samples, recording, steps, read_out.window(steps), dt, spent.synops_by_layer)
    return Evaluation(
        samples=len(samples),
        steps=steps,
        accuracy=float(accuracy[-1]),
        accuracy_interval=interval(float(accuracy[-1]), len(samples)),
        accuracy_by_step=tuple(accuracy.tolist()),
        agreement=float(agreement[-1]),
        agreement_by_step=tuple(agreement.tolist()),
        model_accuracy=model_accuracy,
        steps_to_model=stays_from(accuracy.tolist(), model_accuracy - CLOSE),
        rates={row.layer: row.rate for row in layers},
        spikes=sum(row.spikes for row in layers),
        synops=spent.synops,
        layers=layers,
        cost=spent,
    )


def _answer_of_model(source: Graph, samples: Samples, reading: ReadOut, dt: float) -> dict[str, Array]:
    """Return what the model itself says of each sample; where it says something of every slice, that is read out."""
    outputs = evaluate(source, samples.inputs)
    last = ending(source) if is_temporal(source) else set()
    return {**read(source, outputs, reading, dt), **{name: outputs[name][:, -1] for name in last}}


def _labels(samples: Samples, output: str, y: Array) -> AnyArray:
    labels = samples.labels
    if labels is None:
        raise DataError("evaluation needs labels: put them into the .npz as 'y', one class a sample")
    if y.ndim != 3 or y.shape[-1] < 2:
        raise DataError(f"output {output!r} of shape {y.shape[2:]} is no choice among classes, so it has no accuracy")
    if labels.min() < 0 or labels.max() >= y.shape[-1]:
        raise DataError(f"labels run from {labels.min()} to {labels.max()}, the model has {y.shape[-1]} classes")
    return labels


def stays_from(accuracy: Sequence[float], wanted: float) -> int | None:
    """Return the first step (counted from 1) from which on all accuracies are at least the wanted one."""
    below = [t for t, value in enumerate(accuracy, 1) if value < wanted - 1e-9]
    first = below[-1] + 1 if below else 1
    return first if first <= len(accuracy) else None


def _layers(
    graph: Graph,
    samples: Samples,
    recording: Recording,
    steps: int,
    window: slice,
    dt: float,
    synops: dict[str, float],
) -> tuple[LayerEvaluation, ...]:
    spiking = {n.name: n.op for n in graph if isinstance(n.op, Neurons) and n.op.model.spiking}
    every = evaluate_nodes(graph, samples.inputs, set(spiking))
    wanted = over_slices(graph, every, window)
    steady = not is_temporal(graph)  # counting says what becomes of an activation that does not change
    counted = twin(graph, steps, dt) if steady else None
    twins = {} if counted is None else evaluate_nodes(counted, samples.inputs, set(spiking))
    rows = []
    for name, op in spiking.items():
        theta, a = threshold(op, dt), wanted[name]
        count = recording.totals[name] / theta
        means = recording.means[name]
        by_neuron = count.mean(axis=0, dtype=np.float64)
        known = limits(op.model)
        limit = None if known is None else theta * np.float32(known[1])
        clipped = None if limit is None else over_slices(graph, {name: np.minimum(every[name], limit)}, window)[name]
        rows.append(
            LayerEvaluation(
                layer=name,
                neurons=by_neuron.size,
                rate=float(by_neuron.mean() / (steps * dt)),
                fastest=float(by_neuron.max() / (steps * dt)),
                silent=float(np.mean(by_neuron == 0)),
                saturated=None if limit is None or np.isinf(limit).any() else float(np.mean(every[name] > limit)),
                spikes=float(by_neuron.sum()),
                synops=synops[name],
                clipping=None if clipped is None else rms_error(clipped, a),
                quantisation=None
                if clipped is None or known is None or not steady
                else _rounding(a, clipped, theta, steps, known[0]),
                twin=None if name not in twins else rms_error(twins[name], a),
                timing=None if name not in twins else _relative(means - twins[name], a),
                error=rms_error(means, a),
            )
        )
    return tuple(rows)


def _rounding(a: Array, clipped: Array, theta: Array, steps: int, start: float) -> float:
    """Return the error of counting in whole spikes what is within the limit, relative to the activations."""
    unit = theta / np.float32(steps)
    return _relative(np.floor(clipped / unit + np.float32(start)) * unit - clipped, a)


def _relative(difference: AnyArray, a: Array) -> float:
    return rms_error(a + difference, a)
