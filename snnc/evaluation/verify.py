"""Prove how close a program is to the model: import, rewrite and backend error, and the layer at fault."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from snnc.analysis.errors import LargestError, RmsError, relative_error, rounded
from snnc.analysis.task import Task
from snnc.engine.answers import decode, finish, finish_each
from snnc.engine.batching import joined
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.recording import Recording
from snnc.evaluation.judgement import Interval, OutputJudgement, Verdict, judge, overall, shortfall
from snnc.evaluation.remedies import remedy
from snnc.evaluation.subject import LayerError, Subject
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import read_values
from snnc.ops.stateful import Causal, Stateful
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.pipeline import JournalEntry
from snnc.samples import Samples

EXACT = 1e-4
"""The largest rewrite error of exact passes, and of an import, that float32 rounding explains."""
SPIKING_LAYER = 0.25
"""The root mean squared error, relative to the layer's own values, from which on a spiking layer is named."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check of a plugin found."""

    name: str
    text: str
    passed: bool = True


@dataclass(frozen=True)
class VerifyReport:
    """The result of a verification. Errors are relative to the largest output; None means not measured."""

    samples: int
    steps: int
    real: bool
    """Whether the samples are the user's, not random numbers."""
    dynamic: bool
    """Whether the network spikes or filters, so that its outputs approach the model's with time."""
    exact: Verdict
    """Of what must not change an output: import, passes, and without spikes the backend."""
    spiking: Verdict | None
    """Of what spikes make of the model's answers; None where the network does not change over time."""
    import_error: float | None
    """Keras against the graph as imported."""
    rewrite_error: float | None
    """The graph as imported against the final one, both in rate mode; passes that calibrate are left out."""
    calibration_error: float | None
    """How far passes that calibrate moved the outputs in rate mode, to make up for what spikes do; None without any."""
    backend_error: float
    """The final graph in rate mode against what the program's read-out gives."""
    agreement: float | None
    """Share of what program and reference decide alike, in the output where it is least; None where all are values."""
    agreement_interval: Interval | None
    """Its 95 % confidence interval (Wilson)."""
    outputs: tuple[OutputJudgement, ...]
    """The answers of the network against the model's, each output by itself."""
    layers: tuple[LayerError, ...]
    starts_at: str | None
    """The first layer whose error is beyond what is accepted."""
    problems: tuple[str, ...]
    """What failed, and what helps."""
    spiking_problems: tuple[str, ...] = ()
    """Those of them that are due to spikes."""
    unjudged: str | None = None
    """Why the spiking part was not judged."""
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool | None:
        """Return whether all was within the tolerance, checks of plugins too; None where not all was judged."""
        if self.problems:
            return False
        return None if "not judged" in (self.exact, self.spiking) else True

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON, numbers to three digits (more would be rounding noise)."""
        document: dict[str, Any] = rounded(asdict(self))
        return {"passed": self.passed, **document}

    def __repr__(self) -> str:
        from snnc.evaluation.in_notebook import verified

        return f"<VerifyReport: {verified(self.as_dict())}>"

    def _repr_html_(self) -> str:
        from snnc.evaluation.in_notebook import verification

        return verification(self)


@dataclass(frozen=True)
class Check(Pass):
    """A pass of stage VERIFY: it sees the program too, changes nothing, and reports."""

    stage: ClassVar[Stage] = Stage.VERIFY

    def apply(self, graph: Graph, context: Context) -> None:
        """Change nothing."""

    @abstractmethod
    def inspect(self, subject: Subject, report: VerifyReport) -> Sequence[Finding]:
        """Return findings; one that did not pass fails the verification."""


@dataclass(frozen=True)
class Verify(Pass):
    """Compare source, graph and program on samples; the first check of every plan."""

    name: ClassVar[str] = "verify"
    stage: ClassVar[Stage] = Stage.VERIFY
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        """Change nothing; the compiler calls ``verify`` with the program."""


def populations(graph: Graph) -> tuple[str, ...]:
    """Return the names of all populations of neurons, in topological order."""
    return tuple(node.name for node in graph if isinstance(node.op, Neurons))


def changes_over_time(graph: Graph) -> bool:
    """Return whether the passes made outputs that change while the input stays the same: spikes, filters that settle.

    What the model itself does over time, as a layer of a temporal model, is not meant.
    """
    return any(isinstance(n.op, Stateful) and n.op.stateful and not isinstance(n.op, Causal) for n in graph)


def verify(subject: Subject, tasks: Mapping[str, Task], checks: Sequence[Check] = ()) -> VerifyReport:
    """Return the report on a program that has run; pure, so that it can be asked again with other samples.

    Args:
        subject: what ran.
        tasks: what each output is for.
        checks: those of plugins.
    """
    graph, wanted = subject.graph, subject.wanted
    shown = presentation(subject.source)
    final = (finish_each if shown.temporal else finish)(graph, subject.rates)
    got = decode(graph, subject.recording.outputs, subject.read_out, subject.dt)
    dynamic = changes_over_time(graph)
    answered = shown.read_out(wanted, subject.read_out, subject.dt)
    ran, meant = got, final
    if shown.temporal and dynamic:
        meant = decode(graph, subject.rates, subject.read_out, subject.dt)
    elif shown.temporal:  # without spikes, every step has to be right
        ran = finish_each(graph, subject.recording.outputs)
    rewrite, calibration = _rewrite_errors(subject.journal, relative_error(final, wanted))
    judged = judge(got, answered, subject.tolerance, tasks)
    least = min(judged, key=lambda each: math.inf if each.agreement is None else each.agreement)
    report = VerifyReport(
        samples=len(subject.samples),
        steps=subject.steps,
        real=subject.samples.real,
        dynamic=dynamic,
        exact="passed" if rewrite is not None else "not judged",
        spiking=None,
        import_error=None if subject.keras is None else relative_error(shown.as_keras(wanted), subject.keras),
        rewrite_error=rewrite,
        calibration_error=calibration,
        backend_error=relative_error(ran, meant),
        agreement=least.agreement,
        agreement_interval=least.agreement_interval,
        outputs=judged,
        layers=subject.layers,
        starts_at=_starts_at(subject, dynamic=dynamic, rewritten=calibration is None and _promised(subject.journal)),
        problems=(),
    )
    report = _judged_spiking(report, subject, got, answered, tasks) if dynamic else report
    findings = tuple(finding for check in checks for finding in check.inspect(subject, report))
    wrong = _wrong(report, subject)
    failed = tuple(f"{f.name}: {f.text}" for f in findings if not f.passed)
    return replace(
        report,
        exact="failed" if wrong else report.exact,
        findings=findings,
        problems=(*wrong, *report.spiking_problems, *failed),
    )


def _judged_spiking(
    report: VerifyReport,
    subject: Subject,
    got: Mapping[str, Array],
    answered: Mapping[str, Array],
    tasks: Mapping[str, Task],
) -> VerifyReport:
    """Return the report with a judgement of the spiking part, and the remedy where it failed."""
    if not report.real:
        return replace(report, spiking="not judged", unjudged="random inputs cannot tell: give samples")
    verdict = overall(report.outputs)
    if verdict == "not judged":
        return replace(report, spiking=verdict, unjudged=f"{report.samples} samples are too few to tell")
    if verdict == "passed":
        return replace(report, spiking=verdict)
    calibrated = any(_is_calibration(entry) for entry in subject.journal)
    lines = [
        f"{shortfall(each, report.samples, subject.tolerance)}; "
        f"{remedy(subject, each, got, answered, task=tasks[each.output], calibrated=calibrated)}"
        for each in report.outputs
        if each.verdict == "failed"
    ]
    return replace(report, spiking=verdict, spiking_problems=tuple(lines))


def _is_calibration(entry: JournalEntry) -> bool:
    return entry.stage == Stage.CALIBRATE.name and entry.changed and entry.kept and not entry.exact


def _promised(journal: Sequence[JournalEntry]) -> bool:
    """Return whether outputs in rate mode were to stay as they were: no pass changed them that may."""
    return all(entry.exact or not entry.error or entry.error <= EXACT for entry in journal)


def _rewrite_errors(journal: Sequence[JournalEntry], measured: float) -> tuple[float | None, float | None]:
    """Return the errors of rewriting and of calibration: together they are what is measured.

    Where passes calibrated, those of the others add up from what each was measured to change as it ran.
    """
    if measured <= EXACT or not any(_is_calibration(entry) for entry in journal):
        return measured, None
    others = [entry.error for entry in journal if entry.changed and entry.kept and not _is_calibration(entry)]
    known = [error for error in others if error is not None]
    return (sum(known) if len(known) == len(others) else None), measured


class Measurements:
    """The rate-mode outputs of both graphs and the errors of the layers, from samples that come part by part.

    Each graph is evaluated once a part. Of all samples the outputs are kept, of a layer its errors alone.
    """

    def __init__(self, source: Graph, graph: Graph, window: slice) -> None:
        """Watch every layer that both graphs have, and every population.

        Args:
            source: the graph as imported.
            graph: the graph as lowered.
            window: the steps over which means are taken.
        """
        self.source, self.graph, self.window = source, graph, window
        self.shared = {node.name for node in graph if node.name in source and node.op.arity != 0}
        watched = self.shared | set(populations(graph))
        self.rewrite = {node.name: LargestError() for node in graph if node.name in watched}
        self.backend: dict[str, RmsError] = {}
        self._outputs: list[tuple[dict[str, Array], dict[str, Array], dict[str, Array]]] = []

    def add(self, samples: Samples, recording: Recording) -> None:
        """Add samples, and the program's recording of them with every population watched."""
        asked, raw = self.source.output_nodes, read_values(self.graph)
        after = evaluate_nodes(self.graph, samples.inputs, {*self.rewrite, *raw.values()})
        before = evaluate_nodes(self.source, samples.inputs, {*self.shared, *asked.values()})
        means = presentation(self.graph).mean(after, self.window)
        for name, error in self.rewrite.items():
            if name in self.shared and before[name].shape == after[name].shape:
                error.add(after[name], before[name])
            if name in recording.means:
                self.backend.setdefault(name, RmsError()).add(self._spiking(name, recording), means[name])
        wanted = {output: before[node] for output, node in asked.items()}
        self._outputs.append((recording.outputs, wanted, {output: after[node] for output, node in raw.items()}))

    def _spiking(self, name: str, recording: Recording) -> Array:
        op, mean = self.graph[name].op, recording.means[name]
        return op.decoded(mean, self.window.stop - self.window.start) if isinstance(op, Neurons) else mean

    @property
    def program(self) -> dict[str, Array]:
        """Return the program's outputs in every step, ``(batch, steps, *shape)`` by name."""
        return joined([part[0] for part in self._outputs])

    @property
    def wanted(self) -> dict[str, Array]:
        """Return the outputs of the graph as imported."""
        return joined([part[1] for part in self._outputs])

    @property
    def rates(self) -> dict[str, Array]:
        """Return the outputs of the graph as lowered, without read-out activations."""
        return joined([part[2] for part in self._outputs])

    def layers(self) -> tuple[LayerError, ...]:
        """Return one row a layer, in topological order."""
        return tuple(
            LayerError(name, error.value, self.backend[name].value if name in self.backend else None)
            for name, error in self.rewrite.items()
        )


def _starts_at(subject: Subject, *, dynamic: bool, rewritten: bool) -> str | None:
    limit = SPIKING_LAYER if dynamic else subject.tolerance.rate
    for row in subject.layers:
        if (rewritten and row.rewrite > EXACT) or (row.backend is not None and row.backend > limit):
            return row.layer
    return None


def _wrong(report: VerifyReport, subject: Subject) -> list[str]:
    """Return what is wrong with what must not change an output."""
    problems = []
    where = f", starting at layer {report.starts_at!r}" if report.starts_at else ""
    if report.import_error is not None and not report.import_error <= EXACT:
        problems.append(f"the graph as imported differs from Keras by {report.import_error:.2g}")
    liars = [e for e in subject.journal if e.exact and e.changed and e.kept and e.error is not None and e.error > EXACT]
    if liars:
        worst = max(liars, key=lambda e: e.error or 0.0)
        total = report.rewrite_error or worst.error
        problems.append(f"the passes changed the outputs by {total:.2g} (most of it by {worst.name}){where}")
    elif _promised(subject.journal) and report.rewrite_error is not None and not report.rewrite_error <= EXACT:
        problems.append(f"the passes changed the outputs by {report.rewrite_error:.2g}{where}")
    if not report.dynamic and not report.backend_error <= subject.tolerance.rate:
        problems.append(f"the backend's outputs differ by {report.backend_error:.2g}{where}")
    return problems


__all__ = ["Check", "Finding", "LayerError", "Subject", "Verify", "VerifyReport", "verify"]
