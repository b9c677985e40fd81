"""What notebooks show of an evaluation, a verification and the verification of an exported file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snnc.evaluation.cause import lost_names
from snnc.evaluation.verdict import verdict
from snnc.notebook import Curve, Table, shown
from snnc.quantities import joules, number

if TYPE_CHECKING:
    from snnc.evaluation.evaluate import Evaluation
    from snnc.evaluation.exported import ExportReport
    from snnc.evaluation.measures import OutputEvaluation
    from snnc.evaluation.verify import VerifyReport

UNKNOWN: Mapping[str, Any] = {
    **dict.fromkeys(("passed", "exact", "spiking", "real", "agreement", "unjudged")),
    **dict.fromkeys(("samples", "steps"), "?"),
}
"""What an artifact of an older version, or one that was edited, may lack."""
VALUES = ("R2", "MSE", "MAE")
"""Metrics that are no shares."""


def evaluation(found: Evaluation) -> str:
    """Return an evaluation as HTML: the verdict, scores and costs beside the model's, and the layers."""
    title = f"{found.measure}, 0 to 1, after 1 to {len(found.score_by_step)} steps; dashed the model's"
    several = len(found.score_by_step) > 1
    measures = [row for each in found.outputs for row in _of_output(each, named=len(found.outputs) > 1)]
    measures += [
        ("energy an input, 45 nm", joules(found.cost.energy_45nm), joules(found.cost.energy_model)),
        ("spikes an input", f"{found.spikes:,.0f}", ""),
        ("spikes a neuron", number(found.spikes_per_neuron), ""),
        ("synaptic operations an input", f"{found.synops:,.0f}", ""),
    ]
    others = lost_names(found.layers)
    layers = [
        (
            *(row.layer, number(row.rate), number(row.silent, share=True), number(row.saturated, share=True)),
            f"{row.spikes:,.0f}",
            *map(number, (row.clipping, row.quantisation, *(row.lost.get(name) for name in others))),
            *map(number, (row.quantised, row.timing, row.error)),
        )
        for row in found.layers
    ]
    head = (
        "layer",
        "Hz",
        "silent",
        "saturated",
        "spikes",
        "clipping",
        "quantisation",
        *others,
        "these so far",
        "timing",
        "error",
    )
    about = "which layer: rates, and errors so far relative to its activations"
    return shown(
        verdict(found),
        curve=Curve(title, found.score_by_step, found.model_score) if several else None,
        tables=[
            Table("beside the model", ("", "network", "model"), measures, "outputs"),
            Table(about, head, layers, "layers", _largest([row.error for row in found.layers])),
        ],
    )


def verification(report: VerifyReport) -> str:
    """Return a verify report as HTML: what was found, the errors of the parts, and those of the layers."""
    errors = [
        ("import: Keras, imported graph", number(report.import_error)),
        ("rewrite: imported, final graph", number(report.rewrite_error)),
        ("calibration, which changes outputs on purpose", number(report.calibration_error)),
        ("backend: final graph, program", number(report.backend_error)),
    ]
    for each in report.outputs if report.real else ():
        if each.agreement is not None:
            errors.append((f"agreement of {each.output}", _within(each.agreement, each.agreement_interval)))
        if each.by != "agreement":
            errors.append((f"error of {each.output}, by its deviation", _within(each.error, each.error_interval)))
    names = [row.layer for row in report.layers]
    culprit = names.index(report.starts_at) if report.starts_at in names else None
    layers = [(row.layer, number(row.rewrite), number(row.backend)) for row in report.layers]
    starts = () if report.starts_at is None else (f"the error starts at layer {report.starts_at}",)
    return shown(
        verified(report.as_dict()),
        facts=[row for row in errors if row[1] != "-"],
        lists={
            "problems": (*report.problems, *starts),
            "findings": [f"{finding.name}: {finding.text}" for finding in report.findings],
        },
        tables=[Table("error by layer", ("layer", "rewrite", "backend"), layers, "layers", culprit)],
    )


def exported(report: ExportReport) -> str:
    """Return as HTML what the comparison of an exported file with its network found."""
    rows = [
        (row.layer, f"{row.neurons:,}", f"{row.spikes:,.0f}", f"{row.differing:,}", f"{row.ties:,}")
        for row in report.layers
    ]
    return shown(
        of_export(report),
        lists={"problems": report.problems, "notes": report.notes},
        tables=[Table("layers", ("layer", "neurons", "spikes", "differing", "ties"), rows, "layers")],
    )


def verified(report: Mapping[str, Any]) -> str:
    """Return in one sentence what a verification came to, from its numbers as in a manifest, of any version."""
    report = {**UNKNOWN, **report}
    parts = {"exact parts": report["exact"], "spiking part": report["spiking"]}
    said = {True: "passed", False: "failed", None: "not all was judged"}[report["passed"]]
    words = ", ".join([said, *(f"{part} {verdict}" for part, verdict in parts.items() if verdict is not None)])
    words += f" on {report['samples']} {'samples' if report['real'] else 'made-up inputs'}, {report['steps']} steps"
    if report["real"] and report["agreement"] is not None:
        words += f"; {number(report['agreement'], share=True)} of the answers are the model's"
    return words + (f" ({report['unjudged']})" if report["unjudged"] else "")


def of_export(report: ExportReport) -> str:
    """Return in one sentence what the comparison of a file with its network found."""
    said = "the file says the network" if report.passed else "the file does not say the network"
    return f"{said}: {report.samples} samples, {report.steps} steps, largest difference {number(report.output_error)}"


def _of_output(each: OutputEvaluation, *, named: bool) -> list[tuple[str, str, str]]:
    of = f" of {each.output}" if named else ""
    rows = [
        (name + of, number(value, share=share), number(each.model_metrics.get(name), share=share))
        for name, value in each.metrics.items()
        for share in [name not in VALUES]
    ]
    if each.agreement is not None:
        rows.append((f"agreement{of} with the model", number(each.agreement, share=True), ""))
    if each.error is not None:
        rows.append((f"distance{of} from the model, by its deviation", number(each.error, share=True), ""))
    return rows


def _within(share: float, interval: tuple[float, float] | None) -> str:
    shown = number(share, share=True)
    return shown if interval is None else f"{shown} ({' to '.join(number(end, share=True) for end in interval)})"


def _largest(errors: Sequence[float]) -> int | None:
    finite = [error if math.isfinite(error) else math.inf for error in errors]
    return finite.index(max(finite)) if finite else None
