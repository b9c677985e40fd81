"""What the commands print: rich tables for people, JSON for tools."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from snnc.compiled import Compiled
from snnc.evaluation import Evaluation
from snnc.ir.types import Array
from snnc.passes.base import Pass
from snnc.passes.spec import write
from snnc.registry import HOOKS, Registry

WIDE = 240
SHOWN = 10
"""Rows that a table of samples prints."""


def _console() -> Console:
    # a pipe has no width: let no line of a table be folded there
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    return table


def _number(value: float | None, *, share: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:.2%}" if share else f"{value:.3g}"


def compilation(compiled: Compiled, folder: Path) -> None:
    """Print what compile did."""
    console = _console()
    table = _table(
        f"{compiled.graph.name} for {compiled.settings.backend}, {len(compiled.graph)} nodes",
        "pass",
        "changed",
        "error",
        "ms",
    )
    for entry in compiled.journal:
        changed = "yes" if entry.changed and entry.kept else "taken back" if entry.changed else "no"
        table.add_row(entry.name, changed, _number(entry.error), f"{entry.seconds * 1000:.0f}")
    console.print(table)
    found = compiled.census
    console.print(
        f"{found.spiking_neurons:,} spiking neurons of {found.neurons:,}; spikes drive {found.spiking_share:.1%} of "
        f"{found.multiply_adds:,} multiply-adds; {len(found.host)} op(s) on the host"
    )
    for note in compiled.notes:
        console.print(f"note: {note}", markup=False)
    if compiled.report is not None:
        _verdict(console, compiled.report)
    console.print(f"wrote {folder}", markup=False)


def verification(report: Mapping[str, Any], *, json: bool) -> None:
    """Print a verify report."""
    console = _console()
    if json:
        print(jsonlib.dumps(report, indent=1))  # noqa: T201
        return
    table = _table("error by layer, relative", "layer", "rewrite", "backend")
    for row in report["layers"]:
        table.add_row(row["layer"], _number(row["rewrite"]), _number(row["backend"]))
    console.print(table)
    _verdict(console, report)


def _verdict(console: Console, report: Mapping[str, Any]) -> None:
    kind = "samples" if report["real"] else "random inputs"
    table = _table(f"verified on {report['samples']} {kind}, {report['steps']} steps", "comparison", "error")
    table.add_row("import   (Keras, imported graph)", _number(report["import_error"]))
    table.add_row("rewrite  (imported, final graph)", _number(report["rewrite_error"]))
    table.add_row("backend  (final graph, program)", _number(report["backend_error"]))
    if report["agreement"] is not None:
        table.add_row("agreement of the arg-max", _number(report["agreement"], share=True))
    if report["starts_at"]:
        table.add_row("the error starts at layer", report["starts_at"])
    for finding in report["findings"]:
        table.add_row(finding["name"], finding["text"])
    console.print(table)
    for problem in report["problems"]:
        console.print(f"FAILED: {problem}", markup=False)
    if report["passed"]:
        console.print("verify: passed", markup=False)


def evaluation(measured: Evaluation, *, json: bool) -> None:
    """Print an evaluation."""
    if json:
        print(jsonlib.dumps(measured.as_dict(), indent=1))  # noqa: T201
        return
    console = _console()
    table = _table(f"{measured.samples} samples, {measured.steps} steps", "measure", "value")
    table.add_row("accuracy of the spiking network", _number(measured.accuracy, share=True))
    table.add_row("accuracy of the model", _number(measured.model_accuracy, share=True))
    table.add_row("agreement with the model", _number(measured.agreement, share=True))
    table.add_row("spikes per input", f"{measured.spikes:,.0f}")
    table.add_row("synaptic operations per input", f"{measured.synops:,.0f}")
    console.print(table)
    if measured.rates:
        table = _table("firing rates", "layer", "mean Hz")
        for layer, rate in measured.rates.items():
            table.add_row(layer, _number(rate))
        console.print(table)
    table = _table("accuracy after", "steps", "accuracy")
    for step in sorted({1, *np.linspace(1, measured.steps, 8, dtype=int).tolist()}):
        table.add_row(str(step), _number(measured.accuracy_by_step[step - 1], share=True))
    console.print(table)


def readouts(outputs: Mapping[str, Array], steps: int, written: Path | None) -> None:
    """Print the read-out of the first samples of each output."""
    console = _console()
    for name, y in outputs.items():
        table = _table(
            f"output {name}: read-out of {len(y)} samples after {steps} steps", "sample", "arg-max", "values"
        )
        for i, row in enumerate(y[:SHOWN]):
            flat = row.ravel()
            values = " ".join(f"{v:.3g}" for v in flat[:SHOWN]) + (" …" if flat.size > SHOWN else "")
            table.add_row(str(i), str(int(flat.argmax())), values)
        console.print(table)
    if written is not None:
        console.print(f"wrote {written}", markup=False)


def plan(steps: Sequence[Pass], providers: Mapping[str, str]) -> None:
    """Print passes in their order."""
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "pass", "provider", "what it does"):
        table.add_column(column, overflow="fold")
    for step in steps:
        summary = (type(step).__doc__ or "").strip().split("\n")[0]
        table.add_row(step.stage.name, write(step.name, step.options()), providers.get(step.name, "caller"), summary)
    _console().print(table)


def plugins(registry: Registry) -> None:
    """Print what each plugin provides, and the problems."""
    console = _console()
    owners = sorted(set(registry.providers.values()), key=lambda owner: (not owner.startswith("builtin"), owner))
    for owner in owners:
        console.print(f"[bold]{owner}[/bold]")
        for table, what, _, _ in HOOKS:
            names = [
                key.partition(":")[2]
                for key, value in registry.providers.items()
                if value == owner and key.startswith(f"{what}:")
            ]
            if names:
                console.print(f"  {table}: {', '.join(sorted(names))}", markup=False)
    for problem in registry.problems:
        console.print(f"problem: {problem}", markup=False)
