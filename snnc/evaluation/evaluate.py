"""Evaluation on labelled samples: how well each output does its task, cost, and the loss of each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from snnc.analysis.cost import Activity, Cost, cost, giving_values
from snnc.analysis.quantised import EMPTY
from snnc.analysis.stored import StoredInput
from snnc.analysis.task import Task
from snnc.engine.answers import finish_each
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.read_out import ReadOut
from snnc.engine.recording import Recording
from snnc.evaluation.cause import cause
from snnc.evaluation.layers import LayerEvaluation, Layers
from snnc.evaluation.measures import ByStep, OutputEvaluation, measure_of
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.passes import pipeline
from snnc.passes.base import Context
from snnc.passes.split_activations import SplitActivations
from snnc.samples import Samples

NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Evaluation:
    """Scores of each output; spikes and operations are means over the samples.

    What stands beside ``outputs`` is of one output: the only one with labels, the one that was named, or of several the
    one that loses most against the model. Accuracies and agreements are None where numbers are values.
    """

    samples: int
    steps: int
    output: str
    """The output that the following are of."""
    task: str
    """What it is for: classes, binary, multi-label, regression, pixels, sequences or reconstruction."""
    score: float
    """Of the read-out after all steps: the accuracy, or R2 where numbers are values."""
    score_by_step: tuple[float, ...]
    """Of the read-out after 1, 2, … steps."""
    model_score: float
    """Of the imported model on the same samples."""
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    """Its 95 % confidence interval (Wilson's; pixels of one sample are not taken to be independent)."""
    accuracy_by_step: ByStep
    agreement: float | None
    """Share of decisions in which network and model agree."""
    agreement_by_step: ByStep
    model_accuracy: float | None
    error: float | None
    """Of values: root mean squared difference from the model, relative to the deviation of its outputs."""
    steps_to_model: int | None
    """The first step from which on the score stays within one point of the model's; None if it never does."""
    outputs: tuple[OutputEvaluation, ...]
    """Each output by its task; without labels only how far it is from the model."""
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
    cause: str | None
    """The layer that loses most, how, and what helps; None where no more than a point is lost, or none stands out."""

    @property
    def measure(self) -> str:
        """Return what the score is: ``accuracy`` or ``R2``."""
        return "R2" if self.accuracy is None else "accuracy"

    @property
    def drop(self) -> float:
        """Return how many points, hundredths of the score, the network is below the model."""
        return 100 * (self.model_score - self.score)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        from snnc.evaluation.verdict import verdict

        return f"<Evaluation: {verdict(self)}>"

    def _repr_html_(self) -> str:
        from snnc.evaluation.in_notebook import evaluation

        return evaluation(self)


def evaluation(
    source: Graph,
    graph: Graph,
    runs: Iterable[tuple[Samples, Recording]],
    steps: int,
    dt: float,
    read_out: ReadOut,
    tasks: Mapping[str, Task],
    stored: Mapping[str, StoredInput] = EMPTY,
    remedies: Mapping[str, str] = NONE,
) -> Evaluation:
    """Return the evaluation of recorded runs with every population watched.

    Args:
        source: the graph as imported.
        graph: the graph that ran.
        runs: samples with targets for labels (``tasks_and_targets``), and what they gave: part by part, so that not all
            need be in memory at a time.
        steps: how many steps each sample was shown.
        dt: seconds a step.
        read_out: how the outputs of all steps become one answer.
        tasks: of every output, of which one or more have targets.
        stored: how hardware computes the input of populations, where its numbers are not the graph's.
        remedies: what helps on this backend against a part of a layer's error, by its name.
    """
    measures = {name: measure_of(task) for name, task in tasks.items()}
    activity, layers, count = Activity(), Layers(graph, steps, read_out.window(steps), dt, stored), 0
    shown, of_model = presentation(source), Activity()
    model, _ = pipeline.run(source, [SplitActivations()], Context())  # what an activation gives is a value of its own
    asked = model.output_nodes
    valued, constant, first = giving_values(model), True, dict[str, Array]()
    for samples, recording in runs:
        read = {name: read_out.every_step(y, dt) for name, y in recording.outputs.items()}
        every = finish_each(graph, read)
        if any(task.each_step for task in tasks.values()):
            now = finish_each(graph, recording.outputs)
            every = {name: now[name] if tasks[name].each_step else y for name, y in every.items()}
        values = evaluate_nodes(model, samples.inputs, {*valued, *asked.values()})
        given = {name: values[node] for name, node in asked.items()}
        said = shown.answer(given, read_out, dt)
        for name, measure in measures.items():
            theirs = given[name] if tasks[name].each_step else said[name]
            measure.add(every[name], theirs, samples.labels.get(name))
            constant = constant and bool((every[name] == first.setdefault(name, every[name][:1])).all())
        activity.add(graph, samples.inputs, recording)
        of_model.add_values(model, {name: values[name] for name in valued})
        layers.add(samples, recording)
        count += len(samples)
    outputs = tuple(measure.result() for measure in measures.values())
    told = max((each for each in outputs if each.score is not None), key=lambda each: each.drop)
    assert told.score is not None and told.model_score is not None and told.score_by_step is not None
    decides = tasks[told.output].choice is not None
    spent = cost(graph, activity, steps, dt, model, of_model.shares())
    rows = layers.rows(activity, spent)
    spikes, neurons = sum(row.spikes for row in rows), sum(row.neurons for row in rows)
    return Evaluation(
        samples=count,
        steps=steps,
        output=told.output,
        task=told.task,
        score=told.score,
        score_by_step=told.score_by_step,
        model_score=told.model_score,
        accuracy=told.score if decides else None,
        accuracy_interval=told.score_interval if decides else None,
        accuracy_by_step=told.score_by_step if decides else None,
        agreement=told.agreement,
        agreement_by_step=told.agreement_by_step,
        model_accuracy=told.model_score if decides else None,
        error=told.error,
        steps_to_model=told.steps_to_model,
        outputs=outputs,
        rates={row.layer: row.rate for row in rows},
        spikes=spikes,
        messages=sum(row.messages for row in rows),
        payload=max((row.payload for row in rows), default=0),
        unit_spikes=sum(row.unit_spikes for row in rows),
        spikes_per_neuron=spikes / neurons if neurons else None,
        silent=bool(rows) and (not spikes or (constant and count > 1)),
        synops=spent.synops,
        layers=rows,
        cost=spent,
        cause=cause(rows, 100 * (told.model_score - told.score), remedies),
    )
