"""What helps a spiking network that is poor: tried on some of its samples, before it is advised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.analysis.task import Task
from snnc.engine.answers import decode
from snnc.engine.presentation import presentation
from snnc.engine.simulate import as_run, present
from snnc.evaluation.judgement import OutputJudgement, agreements, error_of
from snnc.evaluation.subject import Subject
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.ops.stateful import Causal

TRIED = 32
"""Samples that remedies are tried on."""
HELPS = 0.8
"""The share of the error that a remedy leaves at most; less of an improvement is none."""
FIXED = 0.15
"""The error that an op adds to what it reads, relative to what it gives, from which on it is named."""
CALIBRATE = "calibrate on samples: --level 2 --calibration X.npz"


def remedy(
    subject: Subject,
    judged: OutputJudgement,
    got: Mapping[str, Array],
    answered: Mapping[str, Array],
    *,
    task: Task,
    calibrated: bool,
) -> str:
    """Return what to do about an output that failed.

    More steps are advised where twice as many are measured to help. Where they do not, the layer is named that adds
    most of an error that does not go away: one that sends no spikes or hardly any, or an op without neurons, which sees
    single spikes as if they were means.

    Args:
        subject: the network, its samples and its run.
        judged: the output that failed.
        got: answers of the network, by output name, ``(batch, *shape)``.
        answered: those of the model.
        task: what the output is for.
        calibrated: whether it was calibrated on samples.
    """
    few = {name: x[:TRIED] for name, x in subject.samples.inputs.items()}
    want = answered[judged.output][:TRIED]
    advice = [] if calibrated else [CALIBRATE]
    steps = subject.steps
    if not presentation(subject.source).temporal:
        steps = 2 * steps
        run = subject.program.run(few, steps)
        then = decode(subject.graph, run.outputs, subject.read_out, subject.dt)[judged.output]
        helps, measured = _better(then, got[judged.output][:TRIED], want, judged, task)
        if helps:
            return "; ".join([*advice, f"run more steps: --steps {steps} gives {measured}"])
        advice.append(f"twice the steps are no remedy: --steps {steps} gives {measured}")
    return "; ".join([*_culprit(subject, few, steps), *advice]) or "choose other --neurons, or add a --synapse"


def _better(then: Array, now: Array, want: Array, judged: OutputJudgement, task: Task) -> tuple[bool, str]:
    """Return whether answers got better by the measure that failed, and that measure in words."""
    errors = [error_of(y, want)[0] for y in (then, now)]
    on = f"on {len(want)} of the samples"
    if judged.by == "error":
        return errors[0] <= HELPS * errors[1], f"an error of {errors[0]:.1%} {on}, not {errors[1]:.1%}"
    shares = [0.0 if (each := agreements(task, y, want)) is None else float(each.mean()) for y in (then, now)]
    helps = 1 - shares[0] <= HELPS * (1 - shares[1])
    return helps, f"an agreement of {shares[0]:.1%} {on}, not {shares[1]:.1%}"


@dataclass(frozen=True)
class _Local:
    """What one op makes of the means that it reads, on some samples."""

    error: float
    """Root mean squared difference between its mean and what it gives for these means, relative to the latter."""
    spikes: float | None
    """That a neuron sends for a sample, where it is active; None for what does not spike."""


def _culprit(subject: Subject, inputs: Mapping[str, Array], steps: int) -> list[str]:
    """Return a line about the first layer without spikes, or about what adds the largest error that stays."""
    graph = as_run(subject.graph)
    if any(node.op.model.graded for node in graph.nodes(Neurons)):
        return []  # it carries changes, of which no op reads the mean
    found = _local_errors(subject, graph, inputs, steps)
    silent = [name for name, local in found.items() if local.spikes == 0]
    if silent:
        return [
            f"no spike from {', '.join(silent)} in {steps} steps: the threshold is too high; raise --scale, if given"
        ]
    name = max(found, key=lambda name: found[name].error, default="")
    if not name or found[name].error < FIXED:
        return []
    before = found if steps == subject.steps else _local_errors(subject, graph, inputs, subject.steps)
    if name in before and found[name].error <= HELPS * before[name].error:
        return []
    op, error, spikes = graph[name].op, found[name].error, found[name].spikes
    if not isinstance(op, Neurons):
        return [
            f"{name!r} ({op.kind}) has no neurons: it sees the spikes of each step, not their mean, and is off by "
            f"{error:.0%} for that; train the model with a ReLU in its place"
        ]
    if spikes is not None and spikes < 1:
        return [f"a neuron of {name!r} sends {spikes:.2g} spikes in {steps} steps, too few to count; raise --scale"]
    return [
        f"the neurons of {name!r} ({op.model.kind}) are off by {error:.0%} of what the mean of their input asks for"
    ]


def _local_errors(subject: Subject, graph: Graph, inputs: Mapping[str, Array], steps: int) -> dict[str, _Local]:
    """Return what each op that is not linear makes worse itself, by name: next to nothing for neurons that count."""
    checked = [n.name for n in graph if n.op.arity != 0 and not n.op.is_linear and not isinstance(n.op, Causal)]
    watch = list(dict.fromkeys(name for node in checked for name in (node, *graph.sources(node))))
    window = subject.read_out.window(steps)
    run = present(graph, inputs, steps, window=window, dt=subject.dt, watch=watch, outputs=False)
    found = {}
    for name in checked:
        op = graph[name].op
        ideal = op.evaluate(*(np.asarray(run.means[source], dtype=np.float32) for source in graph.sources(name)))
        active = ideal != 0
        if not active.any():
            continue
        size = float(np.sqrt(np.square(ideal).mean(dtype=np.float64)))
        error = float(np.sqrt(np.square(run.means[name] - ideal).mean(dtype=np.float64))) / size
        spikes = None
        if isinstance(op, Neurons) and op.model.spiking:
            counts = run.totals[name] * (subject.dt / np.asarray(op.scale, dtype=np.float64))
            spikes = float(counts[active].mean())
        found[name] = _Local(error, spikes)
    return found
