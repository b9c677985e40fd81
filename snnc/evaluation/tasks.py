"""The tasks of a model's outputs for some samples, and the labels as these tasks take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from snnc.analysis.choose_task import task_of
from snnc.analysis.task import Task
from snnc.errors import DataError, UsageError, unknown
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray
from snnc.samples import ANY_OUTPUT, Samples

Asked: TypeAlias = str | Mapping[str, str] | None
"""A kind of task for the only output, or kinds by output, as the user says."""


def tasks_of(graph: Graph, samples: Samples, asked: Asked = None, *, output: str | None = None) -> dict[str, Task]:
    """Return what each output is for, by name, whatever the labels are: those that do not fit say nothing.

    Args:
        graph: the model as imported.
        samples: with labels or without.
        asked: what the user says.
        output: the output that a kind without a name is of.

    Raises:
        UsageError: an output cannot be what is asked for.
    """
    kinds = _kinds(graph, asked, output)
    found = {}
    for name in graph.outputs:
        try:
            found[name] = task_of(graph, name, samples.labels.get(name), samples.inputs, kinds.get(name))
        except DataError:
            found[name] = task_of(graph, name, None, samples.inputs, kinds.get(name))
    return found


def tasks_and_targets(
    graph: Graph, samples: Samples, asked: Asked = None, *, output: str | None = None
) -> tuple[dict[str, Task], Samples]:
    """Return what each output is for, and the samples with targets for labels: of the outputs that are judged.

    Targets are what ``Task.targets`` gives. An output without labels that gives its input again has that for a target.

    Args:
        graph: the model as imported.
        samples: with labels.
        asked: what the user says.
        output: the only output to judge; by default all that have labels.

    Raises:
        DataError: no output can be judged, or labels do not fit.
        UsageError: an output cannot be what is asked for.
    """
    kinds = _kinds(graph, asked, output)
    if ANY_OUTPUT in samples.labels:
        raise DataError(
            f"the model has {len(graph.outputs)} outputs ({', '.join(graph.outputs)}): name the labels y_OUTPUT, or "
            "say which output y is of: output=... (--output NAME, or --judge NAME)"
        )
    tasks, targets = {}, {}
    for name in graph.outputs:
        labels = samples.labels.get(name)
        if output is not None and name != output:
            labels = None
        task = tasks[name] = task_of(graph, name, labels, samples.inputs, kinds.get(name))
        if labels is not None:
            steps = np.shape(labels)[1:2] if task.each_step else ()
            targets[name] = task.targets(labels, (len(samples), *steps))
        elif task.kind == "reconstruction" and output in (None, name):
            targets[name] = _input_of(graph, task, samples).astype(np.float64)
    if not targets:
        of = f" of output {output!r}" if output is not None else ""
        names = ", ".join(f"'y_{name}'" for name in graph.outputs) if len(graph.outputs) > 1 else "'y'"
        raise DataError(f"evaluation needs labels{of}: put them into the .npz as {names}, axis 0 being the samples")
    return tasks, replace(samples, labels=targets)


def _input_of(graph: Graph, task: Task, samples: Samples) -> AnyArray:
    fitting = [name for name in graph.inputs if graph[name].type.shape == task.shape]
    if len(fitting) != 1:
        raise DataError(f"output {task.output!r}: no one input has its shape; put what it should give in as labels")
    return samples.inputs[fitting[0]]


def _kinds(graph: Graph, asked: Asked, output: str | None) -> dict[str, str]:
    if output is not None and output not in graph.outputs:
        raise UsageError(unknown("output", output, graph.outputs))
    if asked is None:
        return {}
    if isinstance(asked, Mapping):
        for name in asked:
            if name not in graph.outputs:
                raise UsageError(f"task: {unknown('output', name, graph.outputs)}")
        return dict(asked)
    if not isinstance(asked, str):
        raise UsageError(f"task must be a kind, or kinds by output, not {asked!r}")
    if output is None and len(graph.outputs) > 1:
        raise UsageError(
            f"task: the model has {len(graph.outputs)} outputs ({', '.join(graph.outputs)}); say NAME={asked}"
        )
    return {output or graph.outputs[0]: asked}
