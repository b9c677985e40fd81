"""The command that writes an artifact for other tools, and what is said about such files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from snnc.cli import completing
from snnc.cli.app import MAKE, app, examples
from snnc.cli.options import Folder, Force, Steps
from snnc.errors import UsageError


@app.command(
    rich_help_panel=MAKE,
    epilog=examples(
        "snnc export out --format nir -o net.nir",
        "snnc export out --format nir --portable --calibration samples.npz -o net.nir",
        "snnc export out-tensorflow -o saved",
    ),
)
def export(
    folder: Folder,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The file to write, or the folder of a SavedModel.",
            show_default=False,
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            autocompletion=completing.provided("exporter"),
            help="nir, or a plugin's; see snnc plugins.",
            show_default="the backend's own",
        ),
    ] = None,
    portable: Annotated[
        bool,
        typer.Option("--portable", help="Compile again for tools that know nothing of snnc, and say what it costs."),
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            metavar="FILE",
            help=".npz of samples for --portable: half calibrate, half say what it costs.",
        ),
    ] = None,
    steps: Steps = None,
    artifact: Annotated[
        Path | None,
        typer.Option(
            "--artifact", metavar="FOLDER", help="Where to keep what --portable compiled.", show_default=False
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write an artifact in a form that runs without snnc: a file for other tools, or its backend's own."""
    from snnc.artifact import KIND
    from snnc.cli import next_step
    from snnc.compiler import load
    from snnc.outputs import is_stdout, require_file_place, require_folder_place
    from snnc.portable import portable as compile_again
    from snnc.terminal import new_console, prose

    if (artifact or calibration or steps) and not portable:
        raise UsageError("--artifact, --calibration and --steps are for --portable; compile again to change them")
    read = [folder] if calibration is None else [folder, calibration]
    compiled = load(folder)
    if format is None:
        if portable:
            raise UsageError("--portable is for a file format: say --format nir")
        require_folder_place(output, compiled.exported_kind(), read)
        compiled.export(output)
        new_console().print(f"wrote {output}, {compiled.backend.exported[1]}")
        next_step.after_saved_model(output)
        return
    exporter = compiled.registry.exporter(format)
    require_file_place(output, force=force, reads=read)
    lines: list[str] = []
    if portable:
        if artifact is not None:
            require_folder_place(artifact, KIND, read)
        made = compile_again(compiled, exporter, calibration, steps=steps)
        compiled = made.compiled
        lines += [f"portable: {made.way}", *(f"  {cost}" for cost in made.costs)]
        if artifact is not None:
            compiled.save(artifact)
            lines.append(f"wrote {artifact}")
    compiled.export(output, format, plain=portable, force=force)
    if not is_stdout(output):
        notes = (f"note: {note}" for note in exporter.notes(replace(compiled.exported, plain=portable)))
        for line in (*lines, *notes):
            prose(new_console(), line)
        new_console().print(f"wrote {output}, {exporter.what}")
        said = {"--format": format, "--portable": portable, "--calibration": calibration, "--steps": steps}
        next_step.after_export(folder, output, exporter, artifact, said)
