"""A pass that failed, as a folder of files: the graph before it and all that the pass was told, both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.expected import Statistics
from snnc.analysis.task import Task
from snnc.arguments import require_numbers
from snnc.engine.rate import validated_inputs
from snnc.engine.read_out import ReadOut
from snnc.errors import FileError
from snnc.files import npz_bytes, read_json_file, read_npz
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE, dump, load
from snnc.ir.types import Array
from snnc.passes.base import Context, Pass
from snnc.passes.pipeline import Failure
from snnc.registry import Registry
from snnc.schema import misfits
from snnc.text_form import build, parse, write

CONTEXT_FILE, MODEL_FILE, SAMPLES_FILE = "context.json", "model.json", "samples.npz"
FORMAT, VERSION = "snnc-context", 1


@dataclass(frozen=True)
class _Told:
    """What a context file holds: what passes were told, but for arrays and graphs."""

    backend: str
    made: bool
    seed: int
    dt: float
    steps: int
    steps_asked: int | None
    read_out: str
    chosen: Mapping[str, Any]
    """Numbers, and read-outs in their text form, that passes chose."""
    tasks: tuple[Task, ...]
    finished: tuple[str, ...]
    """In text form, the passes whose postconditions are held; without those that no plugin registers."""
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of the inputs, by what they are for: ``calibrating``, ``held back``, ``shown``."""
    known: tuple[str, ...] = ()
    """The tensors of which batch normalisation says a mean and a deviation."""
    model: bool = False
    """Whether there is a graph to aim at."""


@dataclass(frozen=True)
class Reproduction:
    """What a folder holds: what a pass is told, and what is held and measured beside it."""

    graph: Graph
    context: Context
    finished: tuple[Pass, ...]
    shown: Mapping[str, Array] | None


def files_of(failure: Failure) -> dict[str, bytes]:
    """Return the files that ``read`` reads, by name: graphs with weights, samples, and the rest as JSON."""
    context = failure.context
    given = {"calibrating": context.samples, "held back": context.held_back, "shown": failure.samples}
    samples = {use: inputs for use, inputs in given.items() if inputs is not None}
    known = tuple(context.known)
    told = _Told(
        backend=context.backend,
        made=context.made,
        seed=context.seed,
        dt=context.dt,
        steps=context.steps,
        steps_asked=context.steps_asked,
        read_out=write(context.read_out.kind, context.read_out.attrs()),
        chosen={
            name: write(value.kind, value.attrs()) if isinstance(value, ReadOut) else value
            for name, value in context.choices.items()
            if isinstance(value, (Real, ReadOut))
        },
        tasks=tuple(context.tasks.values()),
        finished=tuple(write(step.name, step.options()) for step in failure.finished),
        samples={use: tuple(inputs) for use, inputs in samples.items()},
        known=known,
        model=context.model is not None,
    )
    arrays = {f"{use} {k}": x for use, inputs in samples.items() for k, x in enumerate(inputs.values())}
    for k, name in enumerate(known):
        arrays[f"mean {k}"], arrays[f"deviation {k}"] = context.known[name].mean, context.known[name].deviation
    graphs = {GRAPH_FILE: failure.graph} | ({} if context.model is None else {MODEL_FILE: context.model})
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(told)}, indent=1, default=_plain) + "\n"
    return {CONTEXT_FILE: text.encode(), SAMPLES_FILE: npz_bytes(arrays), **dump(graphs)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def read(folder: Path, registry: Registry) -> Reproduction:
    """Return what ``files_of`` wrote into a folder; raise FileError where it is damaged."""
    path = folder / CONTEXT_FILE
    document = read_json_file(path, "context file")
    if not isinstance(document, dict) or document.get("format") != FORMAT or document.get("version") != VERSION:
        raise FileError(f"{path}: is no context, in version {VERSION}, that snnc kept with a pass that failed")
    wrong = [*misfits(document, _Told, "context")]
    lacking = [name for name in _Told.__dataclass_fields__ if name not in document]
    if wrong or lacking:
        raise FileError(f"{path}: damaged: {wrong[0] if wrong else f'it lacks {lacking[0]!r}'}")
    told = _Told(**{name: document[name] for name in _Told.__dataclass_fields__})
    require_numbers(told.seed, told.dt, told.steps)
    arrays, graph = read_npz(folder / SAMPLES_FILE), load(folder, registry.kinds, GRAPH_FILE)
    try:
        samples: dict[str, Mapping[str, Array]] = {
            use: validated_inputs(graph, {name: arrays[f"{use} {k}"] for k, name in enumerate(names)})
            for use, names in told.samples.items()
        }
        known = {n: Statistics(arrays[f"mean {k}"], arrays[f"deviation {k}"]) for k, n in enumerate(told.known)}
        tasks = [Task(**{**task, "shape": tuple(task["shape"])}) for task in document["tasks"]]
    except (KeyError, TypeError) as error:
        raise FileError(f"{path}: damaged: {error} is not there, or of another type") from error
    context = Context(
        backend=told.backend,
        chain=registry.chain(told.backend),
        neurons=registry.neurons,
        synapses=registry.synapses,
        samples=samples.get("calibrating"),
        held_back=samples.get("held back"),
        made=told.made,
        known=known,
        model=load(folder, registry.kinds, MODEL_FILE) if told.model else None,
        tasks={task.output: task for task in tasks},
        seed=told.seed,
        dt=told.dt,
        steps=told.steps,
        steps_asked=told.steps_asked,
        choices={k: registry.read_out(v) if isinstance(v, str) else v for k, v in told.chosen.items()},
        read_out=registry.read_out(told.read_out),
    )
    specs = [parse(text) for text in told.finished]
    finished = [build(registry.passes[n], f"pass {n!r}", values) for n, values in specs if n in registry.passes]
    return Reproduction(graph, context, tuple(finished), samples.get("shown"))
