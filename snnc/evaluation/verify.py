"""Prove how close a program is to the model: import, rewrite and backend error, and the layer at fault."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from snnc.analysis.errors import LargestError, RmsError, agreement, relative_error, rounded
from snnc.backend import Program, Tolerance
from snnc.engine.answers import decode, finish, finish_each
from snnc.engine.batching import joined
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.read_out import ReadOut
from snnc.engine.recording import Recording
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
class LayerError:
    """How far one layer is off, relative to its own values."""

    layer: str
    rewrite: float
    """Largest difference between imported and final graph in rate mode."""
    backend: float | None
    """Root mean squared difference between final graph and program, accumulated from the input on."""


@dataclass(frozen=True)
class VerifyReport:
    """The result of a verification. Errors are relative to the largest output; None means not measured."""

    samples: int
    steps: int
    real: bool
    """Whether the samples are the user's, not random numbers."""
    dynamic: bool
    """Whether the network spikes or filters, so that its outputs approach the model's with time."""
    import_error: float | None
    """Keras against the graph as imported."""
    rewrite_error: float
    """The graph as imported against the final one, both in rate mode."""
    backend_error: float
    """The final graph in rate mode against what the program's read-out gives."""
    agreement: float | None
    """Share of samples for which the program chooses the class that the reference chooses."""
    layers: tuple[LayerError, ...]
    starts_at: str | None
    """The first layer whose error is beyond what is accepted."""
    problems: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether all errors are within the tolerance, and all checks of plugins passed."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON, numbers to three digits (more would be rounding noise)."""
        document: dict[str, Any] = rounded(asdict(self))
        return {"passed": self.passed, **document}


@dataclass(frozen=True)
class Subject:
    """The graphs, the program, the samples and the recording that a check examines."""

    source: Graph
    """The graph as imported."""
    graph: Graph
    """The graph as lowered."""
    program: Program
    samples: Samples
    steps: int
    read_out: ReadOut
    """How the outputs of all steps become one answer."""
    dt: float
    """Seconds a step."""
    tolerance: Tolerance
    recording: Recording
    """What the program gave for the samples: the outputs of every step. What it gave of the layers is in ``layers``."""
    wanted: Mapping[str, Array]
    """What the graph as imported gives in rate mode, by output name."""
    rates: Mapping[str, Array]
    """What the graph as lowered gives in rate mode, by output name, without what is deferred to the read-out."""
    layers: tuple[LayerError, ...]
    journal: Sequence[JournalEntry] = ()
    keras: Mapping[str, Array] | None = None
    """What Keras itself gives for the samples, by output name."""


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


def verify(subject: Subject, checks: Sequence[Check] = ()) -> VerifyReport:
    """Return the report on a program that has run; pure, so that it can be asked again with other samples."""
    graph, wanted = subject.graph, subject.wanted
    shown = presentation(subject.source)
    final = (finish_each if shown.temporal else finish)(graph, subject.rates)
    got = decode(graph, subject.recording.outputs, subject.read_out, subject.dt)
    first = subject.source.outputs[0]
    dynamic = changes_over_time(graph)
    answered = shown.read_out(wanted, subject.read_out, subject.dt)[first]
    ran, meant = got, final
    if shown.temporal and dynamic:
        meant = decode(graph, subject.rates, subject.read_out, subject.dt)
    elif shown.temporal:  # without spikes, every step has to be right
        ran = finish_each(graph, subject.recording.outputs)
    exact = all(entry.exact or not entry.error or entry.error <= EXACT for entry in subject.journal)
    report = VerifyReport(
        samples=len(subject.samples),
        steps=subject.steps,
        real=subject.samples.real,
        dynamic=dynamic,
        import_error=None if subject.keras is None else relative_error(shown.as_keras(wanted), subject.keras),
        rewrite_error=relative_error(final, wanted),
        backend_error=relative_error(ran, meant),
        agreement=agreement(got[first], answered),
        layers=subject.layers,
        starts_at=_starts_at(subject, dynamic=dynamic, exact=exact),
        problems=(),
    )
    findings = tuple(finding for check in checks for finding in check.inspect(subject, report))
    problems = (*_problems(report, subject, exact=exact), *(f"{f.name}: {f.text}" for f in findings if not f.passed))
    return VerifyReport(**{**_fields(report), "findings": findings, "problems": problems})


def _fields(report: VerifyReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__dataclass_fields__}


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


def _starts_at(subject: Subject, *, dynamic: bool, exact: bool) -> str | None:
    limit = SPIKING_LAYER if dynamic else subject.tolerance.rate
    for row in subject.layers:
        if (exact and row.rewrite > EXACT) or (row.backend is not None and row.backend > limit):
            return row.layer
    return None


def _problems(report: VerifyReport, subject: Subject, *, exact: bool) -> list[str]:
    problems = []
    where = f", starting at layer {report.starts_at!r}" if report.starts_at else ""
    if report.import_error is not None and not report.import_error <= EXACT:
        problems.append(f"the graph as imported differs from Keras by {report.import_error:.2g}")
    if exact and not report.rewrite_error <= EXACT:
        worst = max(subject.journal, key=lambda e: e.error or 0.0, default=None)
        by = f" (most of it by {worst.name})" if worst is not None and worst.error else ""
        problems.append(f"the passes changed the outputs by {report.rewrite_error:.2g}{by}{where}")
    if not report.dynamic and not report.backend_error <= subject.tolerance.rate:
        problems.append(f"the backend's outputs differ by {report.backend_error:.2g}{where}")
    low = report.agreement is not None and report.agreement < subject.tolerance.agreement
    if report.dynamic and report.real and low:
        problems.append(
            f"the spiking network agrees with the model on {report.agreement:.1%} of the samples only{where}; "
            "raise --scale, add --synapse or run more --steps"
        )
    return problems


__all__ = ["Check", "Finding", "LayerError", "Subject", "Verify", "VerifyReport", "verify"]
