"""Commands that run an artifact: run, evaluate, verify, compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from snnc.cli.app import MEASURE, app, examples
from snnc.cli.options import Folder, Force, Inputs, Jobs, Json, Limit, Output, Steps, TaskOf, kinds_of
from snnc.errors import UsageError


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "snnc run out --inputs samples.npz --limit 5",
        "snnc run out --inputs samples.npz --steps 20 -o outputs.npz",
    ),
)
def run(
    folder: Folder,
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help=".npz to write: (batch, steps, ...) by output name."),
    ] = None,
    steps: Steps = None,
    limit: Limit = None,
    jobs: Jobs = None,
    force: Force = False,
) -> None:
    """Run an artifact on inputs; print the read-out, or write the outputs of every step."""
    from snnc.cli import next_step, reports
    from snnc.compiler import load
    from snnc.evaluation.tasks import tasks_of
    from snnc.files import npz_bytes
    from snnc.outputs import MARK, is_stdout, require_file_place, write_file

    read = (folder, inputs)
    if output is not None:
        require_file_place(output, force=force, reads=read)
    compiled = load(folder)
    samples = compiled.samples(inputs, limit)
    shown = compiled.steps(samples, steps)
    outputs, means = compiled.run_and_read_out(samples, shown, jobs=jobs, progress=True)
    if output is not None:
        write_file(output, npz_bytes(outputs, MARK), force=force, reads=read)
    if output is None or not is_stdout(output):
        reports.readouts(means, tasks_of(compiled.source, samples), shown, output)
        next_step.after_run(folder, inputs, samples, {"--steps": steps, "--limit": limit})


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "snnc evaluate out --inputs samples.npz",
        "snnc evaluate out --inputs samples.npz --steps 20 --json",
    ),
)
def evaluate(
    folder: Folder,
    inputs: Inputs,
    output: Output = None,
    task: TaskOf = None,
    steps: Steps = None,
    limit: Limit = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="numpy (batched, the same spikes), program (the backend itself) or one of its own.",
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", metavar="FOLDER", help="Write PNG and SVG pictures to this folder.")
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Measure how well outputs do their task, firing rates, spikes and synaptic operations on labelled samples."""
    from snnc.cli import next_step, reports
    from snnc.compiler import load

    compiled = load(folder)
    samples = compiled.samples(inputs, limit, output)
    measured = compiled.evaluate(
        samples, steps=steps, output=output, task=kinds_of(task), engine=engine, jobs=jobs, progress=True
    )
    reports.as_json(measured.as_dict()) if json else reports.evaluation(measured)
    if plots is not None:
        from snnc.cli.plots import write_plots

        write_plots(plots, compiled, measured, samples.inputs, force=force, reads=(folder, inputs))
    if not json:
        asked = {"--task": task, "--judge": output, "--steps": steps, "--limit": limit}
        next_step.after_evaluate(folder, inputs, compiled, measured, asked)


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "snnc verify out --inputs samples.npz",
        "snnc verify out --against-keras --model model.keras",
        "snnc verify out --exported net.nir",
    ),
)
def verify(
    folder: Folder,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE", help=".npz of inputs; a few random ones by default.")
    ] = None,
    output: Output = None,
    task: TaskOf = None,
    steps: Steps = None,
    limit: Limit = None,
    jobs: Jobs = None,
    against_keras: Annotated[
        bool, typer.Option("--against-keras", help="Also compare with the installed Keras running the model.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="The model's file, for --against-keras.")
    ] = None,
    exported: Annotated[
        Path | None,
        typer.Option(
            "--exported", metavar="FILE", help="A file that snnc export wrote: compare that with the artifact instead."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compare an artifact with the model: import, rewrite and backend error, and the layer at fault."""
    from snnc.cli import next_step, reports
    from snnc.compiler import load

    if folder.is_file() and exported is None:
        raise UsageError(
            f"{folder}: is a file, not an artifact; a file of snnc export is verified beside the artifact that it is "
            f"of: snnc verify FOLDER --exported {folder.name}"
        )
    compiled = load(folder)
    samples = None if inputs is None else compiled.samples(inputs, limit, output)
    if exported is not None:
        if against_keras or model or output or task:
            raise UsageError("--exported compares a file with the artifact, not with the model; leave the others out")
        found = compiled.verify_exported(exported, samples, steps)
        reports.as_json(found.as_dict()) if json else reports.export_report(found)
        if not json:
            exporter = compiled.registry.exporter_of(exported)
            next_step.after_verify_exported(folder, exported, inputs, exporter, passed=found.passed)
        if not found.passed:
            raise typer.Exit(1)
        return
    keras = _model_file(compiled.origin, model) if against_keras else None
    report = compiled.verify(samples, steps, keras=keras, output=output, task=kinds_of(task), jobs=jobs, progress=True)
    reports.as_json(report.as_dict()) if json else reports.verification(report.as_dict())
    if not json:
        asked = {"--task": task, "--judge": output, "--steps": steps, "--limit": limit}
        next_step.after_verify(folder, inputs, compiled, samples, report, asked)
    if report.passed is False:
        raise typer.Exit(1)


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "snnc compare classic out --inputs samples.npz",
        "snnc compare classic out --inputs samples.npz --html compared.html",
    ),
)
def compare(
    folders: Annotated[
        list[Path], typer.Argument(help="Artifacts of one model, two or more.", show_default=False, metavar="FOLDER...")
    ],
    inputs: Inputs,
    output: Output = None,
    task: TaskOf = None,
    steps: Steps = None,
    limit: Limit = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page that shows them side by side, too.", show_default=False
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Measure several compilations of one model on the same labelled samples, side by side."""
    from snnc.cli import next_step, reports
    from snnc.comparison import compare as compare_all
    from snnc.compiler import load
    from snnc.outputs import require_file_place, write_file

    read = (*folders, inputs)
    if html is not None:
        require_file_place(html, force=force, reads=read)
    rows = compare_all(
        {str(folder): load(folder) for folder in folders}, inputs, steps, limit, output=output, task=kinds_of(task)
    )
    if html is not None:
        from snnc.report import comparison_html

        write_file(html, comparison_html(rows).encode(), force=force, reads=read)
    reports.as_json([row.as_dict() for row in rows]) if json else reports.comparison(rows)
    if not json:
        asked = {"--task": task, "--judge": output, "--steps": steps, "--limit": limit}
        next_step.after_compare(rows, inputs, asked)


def _model_file(origin: Mapping[str, Any], model: Path | None) -> Path:
    """Return the file that the user names; what an artifact says about its origin is told, never opened."""
    if model is None:
        where = f"from {origin['path']}" if origin.get("path") else "from a live model"
        raise UsageError(
            f"--against-keras needs the model for Keras to load: say --model FILE (it was compiled {where})"
        )
    return model
