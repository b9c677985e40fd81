"""The command that writes a page: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.app import MEASURE, app, examples
from snnc.cli.options import Folder, Force, Inputs, Jobs, Limit, Output, Steps, TaskOf, kinds_of


@app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "snnc report out --inputs samples.npz -o report.html",
        "snnc report out --inputs samples.npz --sample 3 --sample 7 -o report.html",
    ),
)
def report(
    folder: Folder,
    inputs: Inputs,
    html: Annotated[
        Path, typer.Option("--html", "-o", metavar="FILE", help="The HTML file to write.", show_default=False)
    ],
    output: Output = None,
    task: TaskOf = None,
    steps: Steps = None,
    limit: Limit = None,
    sample: Annotated[
        list[int] | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=0,
            help="Show this sample's spikes. May be repeated; by default six are chosen.",
        ),
    ] = None,
    jobs: Jobs = None,
    force: Force = False,
) -> None:
    """Write a page that shows the network, what each layer does and loses, single samples, and what it costs."""
    from snnc.cli import next_step
    from snnc.compiler import load
    from snnc.outputs import is_stdout, require_file_place, write_file
    from snnc.terminal import new_console, prose

    read = (folder, inputs)
    require_file_place(html, force=force, reads=read)
    compiled = load(folder)
    page = compiled.report_html(
        compiled.samples(inputs, limit, output),
        steps=steps,
        output=output,
        task=kinds_of(task),
        chosen=sample,
        jobs=jobs,
        progress=True,
    )
    write_file(html, page.encode(), force=force, reads=read)
    if not is_stdout(html):
        prose(new_console(), f"wrote {html}")
        next_step.tell(f"open {html} in a browser")
