"""All that a report shows, gathered from a compilation and samples."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snnc._version import __version__
from snnc.analysis.memory import Memory, memory
from snnc.analysis.task import Task
from snnc.compiled import Compiled
from snnc.engine.answers import decode
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.errors import UsageError
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.tasks import Asked, tasks_of
from snnc.evaluation.verdict import verdict
from snnc.ir.types import AnyArray, Array
from snnc.program import CoreUse
from snnc.report.nodes import NodeFacts, nodes
from snnc.report.pictures import picture
from snnc.report.traces import Trace, activations, trace
from snnc.samples import Samples

LOOKED_AT = 64
"""Samples among which those to show are chosen."""
SHOWN = 6
"""Samples that are shown, where nobody chooses."""
FEW, POINTS = 16, 200
"""Samples whose activations are compared with spikes, and neurons of a layer that are shown of them."""
ROWS, EVENTS = 480, 8_000
"""Neurons of a raster, all layers together, and spikes of it, at most."""
CURVES = 10
"""Numbers of an output that are drawn over time."""


@dataclass(frozen=True)
class SampleFacts:
    """One sample."""

    number: int
    pictures: tuple[tuple[str, str], ...]
    """Of inputs that are images: their name, and the address of a PNG."""
    label: str | None
    model: str | None
    network: str | None
    """What is right, what the model decides, and what the network does after all steps."""
    trace: Trace
    wanted: Array
    """What the model gives, ``(1, *shape)``, or where each step has an answer ``(steps, *shape)``."""

    @property
    def words(self) -> str:
        """Return what was decided, in a few words."""
        said = [("label", self.label), ("model", self.model), ("network", self.network)]
        return ", ".join(f"{who} {what}" for who, what in said if what is not None)


@dataclass(frozen=True)
class Facts:
    """All that a report shows."""

    compiled: Compiled
    measured: Evaluation
    verdict: str
    by_model: bool
    """Whether there were no labels, so that the model's own answers were taken for what is right."""
    nodes: Sequence[NodeFacts]
    points: Mapping[str, tuple[Array, Array]]
    """By population, activations and what spikes say of them."""
    samples: Sequence[SampleFacts]
    output: str
    """Of which answers are told."""
    memory: Memory
    model_memory: Memory
    cores: tuple[CoreUse, ...]
    versions: Mapping[str, str]


def facts(
    compiled: Compiled,
    samples: Samples,
    steps: int,
    *,
    output: str | None,
    task: Asked,
    chosen: Sequence[int] | None,
    jobs: int | None,
    progress: bool,
) -> Facts:
    """Return all that a report shows; the arguments are those of ``report_html``."""
    tasks = tasks_of(compiled.source, samples, task, output=output)
    by_model = not any(output in (None, name) for name in samples.labels)
    judged = _judged_by_model(compiled, samples, tasks, output) if by_model else samples
    measured = compiled.evaluate(judged, steps=steps, output=output, task=task, jobs=jobs, progress=progress)
    cores = compiled.engine(compiled.backend.engines[0]).core_map
    told = tasks[measured.output]
    return Facts(
        compiled=compiled,
        measured=measured,
        verdict=verdict(measured),
        by_model=by_model,
        nodes=nodes(compiled.graph, compiled.census, measured.layers, cores, compiled.backend.name),
        points={name: _some(*pair) for name, *pair in activations(compiled, samples.head(FEW), steps)},
        samples=_shown(compiled, samples, steps, told, chosen),
        output=measured.output,
        memory=memory(compiled.graph),
        model_memory=memory(compiled.source),
        cores=cores,
        versions={"snnc": __version__, "Python": platform.python_version(), "numpy": np.__version__},
    )


def _judged_by_model(compiled: Compiled, samples: Samples, tasks: Mapping[str, Task], output: str | None) -> Samples:
    """Return samples whose labels are what the model answers."""
    labels: dict[str, list[AnyArray]] = {name: [] for name in tasks if output in (None, name)}
    for part in samples.parts(LOOKED_AT):
        given, said = _model_answers(compiled, part)
        for name, found in labels.items():
            task = _as_decided(tasks[name])
            values = given[name] if task.each_step else said[name]
            found.append(values if task.choice is None else task.decide(values))
    return replace(samples, labels={name: np.concatenate(found) for name, found in labels.items()})


def _as_decided(task: Task) -> Task:
    """Return a task with scores of classes taken for such where nobody says whether they are."""
    undecided = task.kind == "undecided" and task.shape and task.shape[-1] > 1
    return replace(task, choice="largest") if undecided else task


def _model_answers(compiled: Compiled, samples: Samples) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what the model gives, of sequences each slice, and its answers, both by output."""
    asked = compiled.source.output_nodes
    values = evaluate_nodes(compiled.source, samples.inputs, set(asked.values()))
    given = {name: values[node] for name, node in asked.items()}
    return given, presentation(compiled.source).answer(given, compiled.read_out, compiled.settings.dt)


def _network_answers(compiled: Compiled, samples: Samples, steps: int) -> dict[str, Array]:
    program = compiled.engine(compiled.backend.engines[0])
    with compiled.alone(program):
        outputs = program.run(samples.inputs, steps).outputs
    return decode(compiled.graph, outputs, compiled.read_out, compiled.settings.dt)


def _some(activation: Array, told: Array) -> tuple[Array, Array]:
    """Return some of the pairs, spread over all of them, those that are no zeros first."""
    alive = np.flatnonzero((activation != 0) | (told != 0))
    where = alive if alive.size else np.arange(activation.size)
    where = where[:: max(1, -(-where.size // POINTS))]
    return activation[where], told[where]


def _shown(
    compiled: Compiled, samples: Samples, steps: int, task: Task, chosen: Sequence[int] | None
) -> list[SampleFacts]:
    """Return the samples to show: those that are named, or such as tell most among the first."""
    task = _as_decided(task)
    numbers = _telling(compiled, samples.head(LOOKED_AT), steps, task) if chosen is None else dict.fromkeys(chosen)
    for number in numbers:
        if not 0 <= number < len(samples):
            raise UsageError(f"sample {number}: there are samples 0 to {len(samples) - 1}")
    most = max(4, ROWS // max(1, len(compiled.census.populations)))
    found = []
    for number in numbers:
        one = samples.part(slice(number, number + 1))
        theirs, said = _model_answers(compiled, one)
        run = trace(compiled, one.inputs, steps, most)
        labels = one.labels.get(task.output)
        found.append(
            SampleFacts(
                number=number,
                pictures=tuple((name, url) for name, x in one.inputs.items() if (url := picture(x[0])) is not None),
                label=None if labels is None else _label(task, labels),
                model=_decided(task, said[task.output]),
                network=_decided(task, run.outputs[task.output][-1:]),
                trace=run,
                wanted=theirs[task.output][0] if task.each_step else said[task.output],
            )
        )
    return found


def _telling(compiled: Compiled, samples: Samples, steps: int, task: Task) -> list[int]:
    """Return numbers of samples, up to half of them such as the network decides otherwise than the model."""
    model = _model_answers(compiled, samples)[1][task.output]
    network = _network_answers(compiled, samples, steps)[task.output]
    rows = range(len(samples))
    changed = [i for i in rows if _decided(task, network[i : i + 1]) != _decided(task, model[i : i + 1])]
    alike = [i for i in rows if i not in changed]
    return sorted([*changed[: SHOWN // 2], *alike, *changed[SHOWN // 2 :]][:SHOWN])


def _decided(task: Task, y: Array) -> str | None:
    """Return one sample's decision in words; None where numbers are values, or there are many decisions."""
    if task.choice is None or task.each_step:
        return None
    decisions = np.ravel(task.decide(y))
    return None if decisions.size > 1 else str(int(decisions[0]))


def _label(task: Task, labels: AnyArray) -> str | None:
    if task.choice is None or task.each_step:
        return None
    wanted = np.ravel(task.targets(labels, (1,)))
    return None if wanted.size > 1 else str(int(wanted[0]))
