"""The same model compiled in several ways, measured on the same samples, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from snnc.checked import checked
from snnc.compiled import Compiled
from snnc.errors import UsageError
from snnc.evaluation.tasks import Asked
from snnc.notebook import Table, shown
from snnc.quantities import joules, number
from snnc.samples import Data


@dataclass(frozen=True)
class Compared:
    """One compilation. Scores are of the samples; spikes, operations and energy are means over them."""

    name: str
    backend: str
    level: int
    engine: str
    steps: int
    output: str
    """The output that the following are of, as ``Evaluation`` says."""
    task: str
    said: str
    """The task in one line, and by what it was chosen."""
    measure: str
    """What the score is: accuracy, or R2 where numbers are values."""
    score: float
    score_by_step: tuple[float, ...]
    score_interval_by_step: tuple[tuple[float, float], ...] | None
    """Of 95 % confidence."""
    model_score: float
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    """Of 95 % confidence."""
    model_accuracy: float | None
    agreement: float | None
    """With the model, in what is decided."""
    error: float | None
    """Of values, against the model."""
    steps_to_model: int | None
    """The first step from which on the score stays within one point of the model's."""
    neurons: int
    host_ops: int
    """Nonlinear ops that stay on the host."""
    spikes: float
    spikes_per_neuron: float | None
    silent: bool
    """Whether no spike reaches the output, so that nothing that it saves counts."""
    synops: float
    energy_model: float
    energy_model_sparse: float
    energy_45nm: float
    """Joules, as ``snnc evaluate`` says."""
    energy_loihi: float
    resources: Mapping[str, int]
    """What it takes of its hardware, such as cores; nothing for simulators."""

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return asdict(self)


class Comparison(list[Compared]):
    """Compilations of one model, a row each."""

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(row.name for row in self)}>"

    def _repr_html_(self) -> str:
        if not self:
            return shown(repr(self))
        said = tuple(dict.fromkeys(row.said for row in self))
        rows = [(measure, *values) for measure, values in side_by_side(self)]
        table = Table("measures", ("", *(row.name for row in self)), rows, "as_dict() of each")
        return shown("one model, several compilations", lists={"tasks": said}, tables=[table])


@checked
def compare(
    compilations: Mapping[str, Compiled],
    x: Data,
    steps: int | None = None,
    limit: int | None = None,
    *,
    output: str | None = None,
    task: Asked = None,
) -> Comparison:
    """Return one row a compilation, each on its backend's default engine.

    Args:
        compilations: by the name that the report shows.
        x: samples with labels, as for ``Compiled.evaluate``.
        steps: how many steps each sample is shown; by default what each was compiled for.
        limit: use the first samples only.
        output: the only output to judge, as for ``Compiled.evaluate``.
        task: what it is for, or a mapping by output.

    Raises:
        UsageError: they are not of one model.

    """
    _require_one_model(list(compilations.items()))
    return Comparison(_row(name, compiled, x, steps, limit, output, task) for name, compiled in compilations.items())


def _require_one_model(named: Sequence[tuple[str, Compiled]]) -> None:
    if len(named) < 2:
        raise UsageError("compare takes two compilations or more")
    first, reference = named[0]
    for name, compiled in named[1:]:
        if compiled.source != reference.source:
            raise UsageError(f"{name} and {first} are not the same model; compile one model for both")


def _row(
    name: str, compiled: Compiled, x: Data, steps: int | None, limit: int | None, output: str | None, task: Asked
) -> Compared:
    samples = compiled.samples(x, limit, output)
    engine = compiled.backend.engines[0]
    found = compiled.evaluate(samples, steps=steps, output=output, task=task, engine=engine)
    told = next(each for each in found.outputs if each.output == found.output)
    return Compared(
        name=name,
        backend=compiled.settings.backend,
        level=compiled.settings.level,
        engine=engine,
        steps=found.steps,
        output=found.output,
        task=found.task,
        said=told.said,
        measure=found.measure,
        score=found.score,
        score_by_step=found.score_by_step,
        score_interval_by_step=told.score_interval_by_step,
        model_score=found.model_score,
        accuracy=found.accuracy,
        accuracy_interval=found.accuracy_interval,
        model_accuracy=found.model_accuracy,
        agreement=found.agreement,
        error=found.error,
        steps_to_model=found.steps_to_model,
        neurons=compiled.census.neurons,
        host_ops=len(compiled.census.host),
        spikes=found.spikes,
        spikes_per_neuron=found.spikes_per_neuron,
        silent=found.silent,
        synops=found.synops,
        energy_model=found.cost.energy_model,
        energy_model_sparse=found.cost.energy_model_sparse,
        energy_45nm=found.cost.energy_45nm,
        energy_loihi=found.cost.energy_loihi,
        resources=compiled.program.resources,
    )


def side_by_side(rows: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """Return what is told of compilations, as words: what it is, and of each of them."""
    measures: list[tuple[str, Callable[[Compared], str]]] = [
        ("backend", lambda row: row.backend),
        ("level, engine", lambda row: f"{row.level}, {row.engine}"),
        ("steps", lambda row: str(row.steps)),
        ("output, its task", lambda row: f"{row.output}, {row.task}"),
        *_scores(rows[0].measure),
        (
            "steps to come within 1 point",
            lambda row: "never" if row.steps_to_model is None else str(row.steps_to_model),
        ),
        ("neurons", lambda row: f"{row.neurons:,}"),
        ("ops on the host", lambda row: str(row.host_ops)),
        ("spikes per input", lambda row: f"{row.spikes:,.0f}" + (" (silent)" if row.silent else "")),
        ("  per neuron", lambda row: number(row.spikes_per_neuron)),
        ("synaptic operations per input", lambda row: f"{row.synops:,.0f}"),
        ("energy of the model, 45 nm", lambda row: joules(row.energy_model)),
        ("  without the products of zeros", lambda row: joules(row.energy_model_sparse)),
        ("energy, 45 nm", lambda row: joules(row.energy_45nm)),
        ("energy, Loihi", lambda row: joules(row.energy_loihi)),
    ]
    found = [(measure, [shown(row) for row in rows]) for measure, shown in measures]
    names = dict.fromkeys(name for row in rows for name in row.resources)
    return found + [(name, [str(row.resources.get(name, "-")) for row in rows]) for name in names]


def _scores(measure: str) -> list[tuple[str, Callable[[Compared], str]]]:
    """Return the rows of the score: an accuracy and its interval, or an R2 and its distance from the model's."""
    if measure != "accuracy":
        return [
            (measure, lambda row: number(row.score)),
            (f"{measure} of the model", lambda row: number(row.model_score)),
            ("distance from the model", lambda row: number(row.error, share=True)),
        ]
    return [
        ("accuracy", lambda row: number(row.accuracy, share=True)),
        ("  its 95 % confidence interval", lambda row: " to ".join(f"{e:.1%}" for e in row.accuracy_interval or ())),
        ("accuracy of the model", lambda row: number(row.model_accuracy, share=True)),
        ("agreement with the model", lambda row: number(row.agreement, share=True)),
    ]
