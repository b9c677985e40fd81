"""What passes are told, and the rewriting of a graph by passes that a registry knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snnc.analysis.expected import known_statistics
from snnc.analysis.task import Task
from snnc.arguments import DT, require_numbers, settings_of
from snnc.backend import Backend
from snnc.engine.presentation import presentation
from snnc.errors import PassSpecError, UsageError, unknown
from snnc.evaluation.tasks import tasks_of
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.made_inputs import TO_SHOW, samples_or_made
from snnc.manifest import Settings
from snnc.ops.kernels.blas import reproducible
from snnc.passes import pipeline
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.loss import spiking_loss
from snnc.passes.pipeline import JournalEntry, Observer
from snnc.registry import Registry
from snnc.samples import Data, Samples
from snnc.text_form import build, parse

CHECKED = 16
"""The samples on which the error of each pass is measured."""


def context_of(
    source: Graph,
    registry: Registry,
    backend: Backend,
    settings: Settings,
    samples: Samples,
    measuring: bool,
    steps: int,
    asked: int | None,
    tasks: Mapping[str, Task],
) -> Context:
    """Return the context of the passes; half of the samples calibrate, the others decide what is kept."""
    calibrating, held_back = samples.halves() if samples.real or measuring else (None, None)
    return Context(
        backend=backend.name,
        chain=registry.chain(backend.name),
        neurons=registry.neurons,
        synapses=registry.synapses,
        samples=calibrating,
        held_back=held_back,
        made=not samples.real,
        known=known_statistics(source),
        seed=settings.seed,
        dt=settings.dt,
        steps=steps,
        steps_asked=asked,
        tasks=tasks,
        read_out=registry.read_out(settings.read_out),
    )


@reproducible()
def rewrite(
    source: Graph,
    planned: Sequence[Pass],
    context: Context,
    registry: Registry,
    shown: Mapping[str, Array] | None,
    *,
    finished: Sequence[Pass] = (),
    observer: Observer | None = None,
) -> tuple[Graph, tuple[JournalEntry, ...]]:
    """Return the graph behind all passes, and the journal; with inputs, each pass's error on them.

    Args:
        source: the graph.
        planned: the passes in their order.
        context: what they are told.
        registry: the ops that a graph may hold, and who provides each pass.
        shown: the inputs.
        finished: passes that ran before, whose postconditions are held, too.
        observer: told what happens, pass by pass.

    """
    return pipeline.run(
        source,
        planned,
        context,
        kinds=registry.ops,
        providers=registry.provided("pass"),
        samples=shown,
        loss=None if context.held_back is None else spiking_loss(context),
        finished=finished,
        observer=observer,
    )


def passes_of(texts: Sequence[str], registry: Registry) -> list[Pass]:
    """Return passes from their text forms, in the order given; raise UsageError for one that rewrites no graph."""
    found = []
    for text in texts:
        name, options = parse(text)
        if name not in registry.passes:
            raise PassSpecError(unknown("pass", name, registry.passes))
        if registry.passes[name].stage >= Stage.VERIFY:
            raise UsageError(f"pass {name!r} compares, and rewrites nothing; use snnc verify")
        found.append(build(registry.passes[name], f"pass {name!r}", options))
    return found


@reproducible()
def context_for(
    graph: Graph,
    passes: Sequence[Pass],
    registry: Registry,
    *,
    backend: str | Backend = "nengo",
    calibration: Data | None = None,
    seed: int = 0,
    dt: float | None = None,
    steps: int | None = None,
) -> tuple[Context, Mapping[str, Array]]:
    """Return what passes are told about a graph on its own, and the inputs on which its outputs are compared.

    Args:
        graph: the graph as it is before them; what they measure, they compare with its ideal rates.
        passes: the passes.
        registry: what is known.
        backend: for which they rewrite the graph.
        calibration: samples; made up where there are none.
        seed: of everything random.
        dt: seconds a step.
        steps: how many steps a sample is going to be shown.

    Raises:
        SnncError: the arguments do not fit.

    """
    chosen, showing = registry.build_backend(backend), presentation(graph)
    require_numbers(seed, DT if dt is None else dt, steps)
    level = max(step.level for step in passes)
    settings = settings_of(graph, registry, chosen, level, seed, dt, steps, None)
    measuring = any(step.needs_calibration for step in passes)
    samples, notes = samples_or_made(graph, calibration, None, seed, measuring)
    length = showing.steps(samples.inputs, steps, chosen.defaults(level).steps)
    asked = length if showing.temporal else steps
    tasks = tasks_of(graph, samples)
    context = context_of(graph, registry, chosen, settings, samples, measuring, length, asked, tasks)
    context.notes.extend(notes)
    return context, samples.head(CHECKED if samples.real else TO_SHOW).inputs
