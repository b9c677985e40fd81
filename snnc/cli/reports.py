"""The output of the commands: rich tables for people, JSON for tools."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from snnc.analysis.task import Task
from snnc.comparison import Compared, side_by_side
from snnc.compiled import Compiled
from snnc.discovery import HOOKS
from snnc.evaluation.cause import lost_names
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.exported import ExportReport
from snnc.evaluation.measures import OutputEvaluation
from snnc.ir.types import AnyArray, Array
from snnc.passes.base import Pass
from snnc.quantities import joules, number
from snnc.registry import Registry
from snnc.terminal import Listing, broken_name, new_console, prose
from snnc.text_form import write
from snnc.tune import Outcome, Tuned

SHOWN = 10
"""Rows that a table of samples prints, and names of a list that is too long."""
MANY = 100
"""Names that a terminal shows of a list at most."""


def compilation(compiled: Compiled, folder: Path) -> None:
    """Print the passes, notes, statistics and verification of a compilation."""
    console = new_console()
    table = Listing(
        f"{compiled.graph.name} for {compiled.settings.backend}, {len(compiled.graph)} nodes",
        "pass",
        "changed",
        "error",
        "ms",
    )
    for entry in compiled.journal:
        changed = "yes" if entry.changed and entry.kept else "taken back" if entry.changed else "no"
        table.add_row(entry.name, changed, number(entry.error), f"{entry.seconds * 1000:.0f}")
    console.print(table)
    found = compiled.census
    prose(
        console,
        f"{found.spiking_neurons:,} spiking neurons of {found.neurons:,}; spikes drive {found.spiking_share:.1%} of "
        f"{found.multiply_adds:,} multiply-adds, inputs {found.input_share:.1%}; "
        f"{len(found.host)} op(s) on the host",
    )
    forms = "; ".join(f"{count} x {kind}" for kind, count in found.kinds.items())
    prose(console, f"populations: {forms or 'none that spike'}")
    for note in compiled.notes:
        prose(console, f"note: {note}")
    if compiled.report is not None:
        _verdict(console, compiled.report, warn=True)
    console.print(f"wrote {folder}")


def as_json(document: Any) -> None:
    """Print any of the reports for tools."""
    print(jsonlib.dumps(document, indent=1))  # noqa: T201


def verification(report: Mapping[str, Any]) -> None:
    """Print a verify report."""
    console = new_console()
    calibrated = report["calibration_error"] is not None
    table = Listing(
        "error by layer, relative", "layer", "rewrite and calibration" if calibrated else "rewrite", "backend"
    )
    for row in report["layers"]:
        table.add_row(row["layer"], number(row["rewrite"]), number(row["backend"]))
    console.print(table)
    _verdict(console, report)


def _verdict(console: Console, report: Mapping[str, Any], *, warn: bool = False) -> None:
    """Print what a verification found; with ``warn`` a poor network is a warning, not a failure."""
    for row in report["outputs"] if report["real"] else ():
        prose(console, row["said"])
    kind = "samples" if report["real"] else "random inputs"
    table = Listing(f"verified on {report['samples']} {kind}, {report['steps']} steps", "comparison", "error")
    table.add_row("exact parts", report["exact"])
    table.add_row("  import       (Keras, imported graph)", number(report["import_error"]))
    table.add_row("  rewrite      (imported, final graph)", number(report["rewrite_error"]))
    if report["calibration_error"] is not None:
        table.add_row("  calibration  (changes outputs on purpose)", number(report["calibration_error"]))
    spikes = report["spiking"] is not None
    if spikes:
        table.add_row("spiking part", report["spiking"])
    table.add_row("  backend      (final graph, program)", number(report["backend_error"]))
    for row in report["outputs"] if report["real"] else ():
        _judgement(table, row, several=len(report["outputs"]) > 1)
    if report["starts_at"]:
        table.add_row("the error starts at layer", report["starts_at"])
    for finding in report["findings"]:
        table.add_row(finding["name"], finding["text"])
    console.print(table)
    for problem in report["problems"]:
        poor = warn and problem in report["spiking_problems"]
        prose(console, f"{'WARNING' if poor else 'FAILED'}: {problem}")
    if report["passed"]:
        console.print("verify: passed")
    elif not report["problems"]:
        exact, unjudged = report["exact"], report["unjudged"] or "the passes were not measured when it was compiled"
        spiking = f", spiking part {report['spiking']}" if spikes else ""
        prose(console, f"verify: exact parts {exact}{spiking} ({unjudged})")


def _judgement(table: Listing, row: Mapping[str, Any], *, several: bool) -> None:
    """Add how close an output is to the model's, with its confidence interval of 95 %."""
    of = f" of {row['output']}" if several else ""
    if row["agreement"] is not None:
        low, high = row["agreement_interval"]
        what = {"samples": "arg-max" if row["task"] in ("classes", "undecided") else "answer"}.get(row["of"], row["of"])
        table.add_row(f"  agreement{of} of the {what}", f"{row['agreement']:.1%} ({low:.1%} to {high:.1%})")
    if row["by"] != "agreement":
        low, high = (number(end, share=True) for end in row["error_interval"])
        error = f"{number(row['error'], share=True)} ({low} to {high})"
        table.add_row(f"  error{of} relative to the output's deviation", error)


def evaluation(measured: Evaluation) -> None:
    """Print an evaluation."""
    console = new_console()
    for each in measured.outputs:
        prose(console, each.said)
    spent = measured.cost
    table = Listing(f"{measured.samples} samples, {measured.steps} steps", "measure", "value")
    for each in measured.outputs:
        _output(table, each, several=len(measured.outputs) > 1)
    table.add_row("spikes per input", f"{measured.spikes:,.0f}")
    table.add_row("  per neuron", number(measured.spikes_per_neuron))
    if measured.payload > 1:
        table.add_row("  messages, bits of each", f"{measured.messages:,.0f}, {measured.payload}")
        table.add_row("  if all spikes were of the smallest size", f"{measured.unit_spikes:,.0f}")
    table.add_row("synaptic operations per input", f"{measured.synops:,.0f}")
    operations = f"{spent.effective_acs:,.0f}, {spent.effective_macs:,.0f}"
    table.add_row("  effective additions (spikes), multiply-adds (values)", operations)
    inner = f"{spent.neuron_updates:,}, {spent.inner_operations:,}"
    table.add_row("  updates of neurons, operations inside populations", inner)
    table.add_row("energy of the model, 45 nm", joules(spent.energy_model))
    table.add_row("  without the products of zeros", joules(spent.energy_model_sparse))
    table.add_row("energy of the spiking network, 45 nm", joules(spent.energy_45nm))
    table.add_row("energy of the spiking network, Loihi", joules(spent.energy_loihi))
    console.print(table)
    if measured.silent:
        prose(console, "the network is silent: it gives every sample the same answer, so that it saves nothing")
    if measured.layers:
        _layer_table(console, measured)
    if measured.cause is not None:
        prose(console, measured.cause)
    for each in measured.outputs:
        if each.score_by_step is not None and each.measure is not None:
            _by_step(console, each, measured.steps, several=len(measured.outputs) > 1)


def _output(table: Listing, each: OutputEvaluation, *, several: bool) -> None:
    """Add what came of one output's task."""
    of = f" of {each.output}" if several else ""
    for name, value in each.metrics.items():
        share = name not in ("R2", "MSE", "MAE")
        table.add_row(f"{name}{of} of the spiking network", number(value, share=share))
        if name == each.measure and each.score_interval is not None:
            low, high = (f"{end:.1%}" if share else f"{end:.3f}" for end in each.score_interval)
            table.add_row("  its 95 % confidence interval", f"{low} to {high}")
        table.add_row(f"{name}{of} of the model", number(each.model_metrics[name], share=share))
    if each.agreement is not None:
        table.add_row(f"agreement{of} with the model", number(each.agreement, share=True))
    if each.error is not None:
        table.add_row(f"distance{of} from the model, relative to its deviation", number(each.error, share=True))
    if each.score is not None:
        close = "never" if each.steps_to_model is None else str(each.steps_to_model)
        table.add_row("steps to come within 1 point of the model, and stay", close)


def _by_step(console: Console, each: OutputEvaluation, steps: int, *, several: bool) -> None:
    """Print the score of an output after some of the steps."""
    assert each.score_by_step is not None and each.measure is not None
    near, name = (
        (each.agreement_by_step, "agreement") if each.error_by_step is None else (each.error_by_step, "distance")
    )
    of = f" of {each.output}" if several else ""
    table = Listing(f"{each.measure}{of} after", "steps", each.measure, name)
    for step in sorted({1, *np.linspace(1, steps, 8, dtype=int).tolist()}):
        beside = None if near is None else near[step - 1]
        score = number(each.score_by_step[step - 1], share=each.measure != "R2")
        table.add_row(str(step), score, number(beside, share=True))
    console.print(table)


def comparison(rows: Sequence[Compared]) -> None:
    """Print compilations of one model, a column each."""
    console = new_console()
    for said in dict.fromkeys(row.said for row in rows):
        prose(console, said)
    table = Listing("one model, several compilations", "measure", *(row.name for row in rows))
    for measure, shown in side_by_side(rows):
        table.add_row(measure, *shown)
    console.print(table)


def _layer_table(console: Console, measured: Evaluation) -> None:
    others = lost_names(measured.layers)
    table = Listing(
        "which layer: rates, and errors relative to the layer's activations",
        "layer", "Hz", "silent", "saturated", "spikes",
        "clipping", "quantisation", *others, "these so far", "timing", "error so far",
    )  # fmt: skip
    for row in measured.layers:
        alone = (row.clipping, row.quantisation, *(row.lost.get(name) for name in others))
        errors = (*alone, row.quantised, row.timing, row.error)
        table.add_row(
            row.layer,
            number(row.rate),
            number(row.silent, share=True),
            number(row.saturated, share=True),
            f"{row.spikes:,.0f}",
            *(number(value) for value in errors),
        )
    console.print(table)


def front_member(found: Outcome, front: Sequence[Outcome]) -> None:
    """Print an outcome of a search while it runs, on stderr, and whether it belongs to the front so far."""
    mark = "* " if found in front else "  "
    words = f"{found.steps} steps, {found.spikes:,.0f} spikes, {joules(found.energy)}, {found.shown_score}"
    new_console(stderr=True).print(f"{mark}{words}, {found.drop:.2f} points lost")


def tasks(found: Iterable[Task]) -> None:
    """Print on stderr what outputs are judged by."""
    for task in found:
        new_console(stderr=True).print(str(task))


def tuning(found: Tuned, command: str, kept: Path, minimise: str, target_drop: float) -> None:
    """Print the front of a search, the best setting and how to make it again."""
    console = new_console()
    measures = {row.measure for row in found.front}
    score = measures.pop() if len(measures) == 1 else "score"
    table = Listing(
        f"the front: {score} against {minimise}, {found.trials} settings, "
        f"{found.trials - found.stopped} of them simulated on all samples",
        "setting", "steps", "spikes", "energy", score, "drop",
    )  # fmt: skip
    for row in found.front:
        mark = "* " if row == found.best else "  "
        energy, score = joules(row.energy), row.shown_score
        table.add_row(mark + row.shown_settings, str(row.steps), f"{row.spikes:,.0f}", energy, score, f"{row.drop:.2f}")
    console.print(table)
    if not found.met:
        prose(console, f"no setting lost at most {target_drop:g} points; the one that lost least was written")
    console.print(f"the front is in {kept}")
    console.print(command)


def export_report(found: ExportReport) -> None:
    """Print how close a file is to what it was exported from."""
    console = new_console()
    table = Listing(
        f"the file beside the artifact, {found.samples} samples, {found.steps} steps",
        "layer", "neurons", "spikes", "differing", "ties",
    )  # fmt: skip
    for row in found.layers:
        table.add_row(row.layer, f"{row.neurons:,}", f"{row.spikes:,.0f}", f"{row.differing:,}", f"{row.ties:,}")
    console.print(table)
    if found.left_out:
        prose(
            console,
            f"{found.left_out} sample(s) had a tie, a voltage at the threshold but for rounding: what lies behind it "
            "in them is not compared",
        )
    prose(console, f"largest difference of an output in any step: {number(found.output_error)} of its largest value")
    for note in found.notes:
        prose(console, f"note: {note}")
    for problem in found.problems:
        prose(console, f"FAILED: {problem}")
    if found.passed:
        console.print("verify: passed")


def readouts(outputs: Mapping[str, Array], tasks: Mapping[str, Task], steps: int, written: Path | None) -> None:
    """Print the read-out of the first samples of each output, and what is decided by it."""
    console = new_console()
    for name, y in outputs.items():
        task = tasks[name] if tasks[name].kind != "undecided" else replace(tasks[name], choice="largest")
        column = {"largest": ["arg-max"], "threshold": ["yes"], None: []}[task.choice]
        table = Listing(f"output {name}: read-out of {len(y)} samples after {steps} steps", "sample", *column, "values")
        for i, row in enumerate(y[:SHOWN]):
            decided = [_few(task.decide(row).ravel(), "d")] if column else []
            table.add_row(str(i), *decided, _few(row.ravel(), ".3g"))
        console.print(table)
    if written is not None:
        console.print(f"wrote {written}")


def _few(flat: AnyArray, form: str) -> str:
    return " ".join(f"{v:{form}}" for v in flat[:SHOWN].tolist()) + (" …" if flat.size > SHOWN else "")


def plan(steps: Sequence[Pass], providers: Mapping[str, str]) -> None:
    """Print passes in their order."""
    rows = [("stage", "pass", "provider", "what it does")]
    for step in steps:
        summary = (type(step).__doc__ or "").strip().split("\n")[0]
        rows.append((step.stage.name, write(step.name, step.options()), providers.get(step.name, "caller"), summary))
    console = new_console()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= console.width:
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            console.print("  ".join(cells).rstrip(), style="bold" if row is rows[0] else "")
        return
    for stage, name, provider, summary in rows[1:]:
        console.print(broken_name(f"{stage}  {name}", console.width))
        prose(console, f"  {summary} [{provider}]")


def plugins(registry: Registry) -> None:
    """Print what each plugin provides, and the problems."""
    console = new_console()
    owners = sorted(set(registry.providers.values()), key=lambda owner: (not owner.startswith("builtin"), owner))
    for owner in owners:
        console.print(owner, style="bold")
        for table, what, _, _ in HOOKS:
            names = sorted(name for name, by in registry.provided(what).items() if by == owner)
            if names:
                prose(console, f"  {table}: {', '.join(_some(names, console))}", indent="    ")
    for problem in registry.problems:
        prose(console, f"problem: {problem}")


def _some(names: Sequence[str], console: Console) -> Sequence[str]:
    """Return what a terminal shows of a long list, of which a pipe gets all."""
    if len(names) <= MANY or not console.is_terminal:
        return names
    return [*names[:SHOWN], f"and {len(names) - SHOWN} more, which `snnc plugins | cat` prints"]
