"""Evaluation on labelled samples: accuracy, cost, and the loss of each layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnc.analysis.cost import Activity, Cost, cost, giving_values
from snnc.analysis.errors import classes, interval, relative_rms, squares
from snnc.analysis.quantised import quantised_graph, threshold
from snnc.engine.answers import finish_each
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.read_out import ReadOut
from snnc.engine.recording import Recording
from snnc.errors import DataError
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.passes import pipeline
from snnc.passes.base import Context
from snnc.passes.split_activations import SplitActivations
from snnc.samples import Samples

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
    """Per input. A graded spike is one, whatever its size."""
    messages: float
    """Per input: how often a neuron sends something in a step, several spikes of one step together."""
    payload: int
    """Bits that say what a message is: how many spikes, of which sign or size; 1 where there is nothing to say."""
    unit_spikes: float
    """Per input: the spikes if all were of the smallest size."""
    synops: float
    """Per input: spikes times the non-zero weights that each meets."""
    clipping: float | None
    """Error of the limit alone, the layer's input being the model's."""
    quantisation: float | None
    """Error of counting in whole spikes alone, the layer's input being the model's."""
    quantised: float | None
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
    """Spikes per input; a graded spike is one, whatever its size."""
    messages: float
    """Messages per input: several spikes of a neuron in one step are one."""
    payload: int
    """Bits of the largest message."""
    unit_spikes: float
    """Spikes per input if all were of the smallest size."""
    spikes_per_neuron: float | None
    """Spikes per input and spiking neuron; None where there are no spiking neurons."""
    silent: bool
    """Whether no spike reaches the output, whatever the input: what such a network saves is worth nothing."""
    synops: float
    """Synaptic operations per input: every spike times the non-zero weights that it meets."""
    layers: tuple[LayerEvaluation, ...]
    cost: Cost

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return asdict(self)


def evaluation(
    source: Graph,
    graph: Graph,
    runs: Iterable[tuple[Samples, Recording]],
    steps: int,
    dt: float,
    read_out: ReadOut,
) -> Evaluation:
    """Return the evaluation of recorded runs with every population watched.

    Args:
        source: the graph as imported.
        graph: the graph that ran.
        runs: samples with labels, and what they gave: part by part, so that not all need be in memory at a time.
        steps: how many steps each sample was shown.
        dt: seconds a step.
        read_out: how the outputs of all steps become one answer.

    Raises:
        DataError: there are no labels, or the model's output is no choice among classes.
    """
    output = source.outputs[0]
    choices: list[tuple[AnyArray, AnyArray, AnyArray]] = []
    activity, layers = Activity(), _Layers(graph, steps, read_out.window(steps), dt)
    shown, of_model = presentation(source), Activity()
    model, _ = pipeline.run(source, [SplitActivations()], Context())  # what an activation gives is a value of its own
    valued, constant, first = giving_values(model), True, None
    for samples, recording in runs:
        every = {name: read_out.every_step(y, dt) for name, y in recording.outputs.items()}
        y = finish_each(graph, every)[output]
        chosen = classes(y)
        values = evaluate_nodes(model, samples.inputs, {*valued, model.output_nodes[output]})
        said = shown.answer({output: values[model.output_nodes[output]]}, read_out, dt)
        choices.append((labels_of(source, samples), chosen, classes(said[output])))
        activity.add(graph, samples.inputs, recording)
        of_model.add_values(model, {name: values[name] for name in valued})
        layers.add(samples, recording)
        first = y[:1] if first is None else first
        constant = constant and bool((y == first).all())
    labels, chosen, theirs = (np.concatenate(parts) for parts in zip(*choices, strict=True))
    accuracy = np.mean(chosen == labels[:, None], axis=0)
    agreement = np.mean(chosen == theirs[:, None], axis=0)
    model_accuracy = float(np.mean(theirs == labels))
    spent = cost(graph, activity, steps, dt, model, of_model.shares())
    rows = layers.rows(activity, spent)
    spikes, neurons = sum(row.spikes for row in rows), sum(row.neurons for row in rows)
    return Evaluation(
        samples=len(labels),
        steps=steps,
        accuracy=float(accuracy[-1]),
        accuracy_interval=interval(float(accuracy[-1]), len(labels)),
        accuracy_by_step=tuple(accuracy.tolist()),
        agreement=float(agreement[-1]),
        agreement_by_step=tuple(agreement.tolist()),
        model_accuracy=model_accuracy,
        steps_to_model=stays_from(accuracy.tolist(), model_accuracy - CLOSE),
        rates={row.layer: row.rate for row in rows},
        spikes=spikes,
        messages=sum(row.messages for row in rows),
        payload=max((row.payload for row in rows), default=0),
        unit_spikes=sum(row.unit_spikes for row in rows),
        spikes_per_neuron=spikes / neurons if neurons else None,
        silent=bool(rows) and (not spikes or (constant and len(labels) > 1)),
        synops=spent.synops,
        layers=rows,
        cost=spent,
    )


def labels_of(source: Graph, samples: Samples) -> AnyArray:
    """Return one class a sample, as the model's first output knows them.

    Raises:
        DataError: there are no labels, or the output is no choice among classes that they fit.
    """
    output, labels = source.outputs[0], samples.labels
    shape = source[source.output_nodes[output]].type.shape
    if labels is None:
        raise DataError("evaluation needs labels: put them into the .npz as 'y', one class a sample")
    if len(shape) != 1 or shape[0] < 2:
        raise DataError(f"output {output!r} of shape {shape} is no choice among classes, so it has no accuracy")
    if labels.min() < 0 or labels.max() >= shape[0]:
        raise DataError(f"labels run from {labels.min()} to {labels.max()}, the model has {shape[0]} classes")
    return labels


def stays_from(accuracy: Sequence[float], wanted: float) -> int | None:
    """Return the first step (counted from 1) from which on all accuracies are at least the wanted one."""
    below = [t for t, value in enumerate(accuracy, 1) if value < wanted - 1e-9]
    first = below[-1] + 1 if below else 1
    return first if first <= len(accuracy) else None


@dataclass
class _Sums:
    """Sums over the samples for one layer: two counts, then squares."""

    values: int = 0
    shown: int = 0
    """Activations: as many as values, but for sequences, of which each slice has its own."""
    beyond: int = 0
    """Activations that the neurons cannot fire."""
    activation: float = 0.0
    clipping: float = 0.0
    quantisation: float = 0.0
    quantised: float = 0.0
    timing: float = 0.0
    error: float = 0.0

    def relative(self, difference: float) -> float:
        """Return the root mean square of what adds up to this, relative to the activations."""
        return relative_rms(difference, self.activation, self.values)


class _Layers:
    """The errors of the activations of each spiking layer, which samples are added to part by part."""

    def __init__(self, graph: Graph, steps: int, window: slice, dt: float) -> None:
        self.graph, self.steps, self.window, self.dt = graph, steps, window, dt
        self.spiking = {n.name: n.op for n in graph if isinstance(n.op, Neurons) and n.op.model.spiking}
        self.sums = {name: _Sums() for name in self.spiking}
        # counting says what becomes of an activation that does not change
        self.shown = presentation(graph)
        self.counted = None if self.shown.temporal else quantised_graph(graph, steps, dt)

    def add(self, samples: Samples, recording: Recording) -> None:
        """Add samples and their recording."""
        every = evaluate_nodes(self.graph, samples.inputs, set(self.spiking))
        twins = {} if self.counted is None else evaluate_nodes(self.counted, samples.inputs, set(self.spiking))
        for name, op in self.spiking.items():
            sums, values = self.sums[name], every[name]
            means = op.decoded(recording.means[name], self.window.stop - self.window.start)
            wanted = self._mean(values)
            sums.values += wanted.size
            sums.activation += squares(wanted)
            sums.error += squares(means - wanted)
            if name in twins:
                sums.quantised += squares(twins[name] - wanted)
                sums.timing += squares(means - twins[name])
            known = op.model.count_limits
            if known is None:
                continue
            start, most = known
            theta = threshold(op, self.dt)
            limit = theta * np.float32(most)
            sums.shown += values.size
            sums.beyond += int(np.count_nonzero(values > limit))
            clipped = self._mean(np.minimum(values, limit))
            sums.clipping += squares(clipped - wanted)
            if not self.shown.temporal:
                # the error of counting in whole spikes what is within the limit
                unit = theta / np.float32(self.steps)
                sums.quantisation += squares(np.floor(clipped / unit + np.float32(start)) * unit - clipped)

    def rows(self, activity: Activity, spent: Cost) -> tuple[LayerEvaluation, ...]:
        """Return one row a layer."""
        return tuple(self._row(name, op, activity, spent) for name, op in self.spiking.items())

    def _row(self, name: str, op: Neurons, activity: Activity, spent: Cost) -> LayerEvaluation:
        sums, known, steady = self.sums[name], op.model.count_limits, not self.shown.temporal
        by_neuron = activity.spikes(name, op, self.dt)
        return LayerEvaluation(
            layer=name,
            neurons=by_neuron.size,
            rate=float(by_neuron.mean() / (self.steps * self.dt)),
            fastest=float(by_neuron.max() / (self.steps * self.dt)),
            silent=float(np.mean(by_neuron == 0)),
            saturated=None if known is None or np.isinf(known[1]) else sums.beyond / sums.shown,
            spikes=float(by_neuron.sum()),
            messages=activity.messages_of(name),
            payload=op.model.payload,
            unit_spikes=float(activity.sizes(name, op, self.dt).sum()) / op.model.smallest,
            synops=spent.synops_by_layer[name],
            clipping=None if known is None else sums.relative(sums.clipping),
            quantisation=None if known is None or not steady else sums.relative(sums.quantisation),
            quantised=None if self.counted is None else sums.relative(sums.quantised),
            timing=None if self.counted is None else sums.relative(sums.timing),
            error=sums.relative(sums.error),
        )

    def _mean(self, values: Array) -> Array:
        return self.shown.mean({"": values}, self.window)[""]
