"""Commands on graphs as they are: opt runs passes on one, diff compares two; and how a graph is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnc.cli.app import INSIDE, app, examples
from snnc.cli.options import Config, InputShape, Replace, Steps, Temporal, Verbose, meanings_of, shapes_of
from snnc.errors import UsageError

if TYPE_CHECKING:
    from snnc.ir.graph import Graph
    from snnc.passes.pipeline import JournalEntry
    from snnc.registry import Registry

Source = Annotated[
    Path,
    typer.Argument(metavar="SOURCE", help="A model file, a saved graph, its file or an artifact.", show_default=False),
]
Imported = Annotated[bool, typer.Option("--source", help="Of an artifact: the graph as imported.")]


def graph_of(path: Path, registry: Registry, *, imported: bool = False, **reading: Any) -> Graph:
    """Return a graph.

    Args:
        path: a model file; the folder of a saved graph, or a file in it, such as ``out/source.json``; or an artifact.
        registry: the plugins.
        imported: of an artifact, the graph as imported, not the compiled one.
        reading: further arguments of ``import_model``, for a model file.

    Raises:
        FileError: it cannot be read.

    """
    from snnc.artifact import MANIFEST_FILE
    from snnc.compiler import import_model, load

    if (path / MANIFEST_FILE).is_file():
        compiled = load(path, registry=registry)
        return compiled.source if imported else compiled.graph
    return import_model(path, **reading, registry=registry)


@app.command(
    rich_help_panel=INSIDE,
    epilog=examples(
        "snnc opt model.keras --pass split-activations",
        "snnc opt out --source --pass split-activations --pass fuse-linear -o graph",
    ),
)
def opt(
    source: Source,
    passes: Annotated[
        list[str],
        typer.Option(
            "--pass", metavar="PASS", help="A pass to run: 'name{key=value}'. May be repeated.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="The graph folder to write.", show_default="print it"),
    ] = None,
    imported: Imported = False,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help="For which.", show_default="nengo")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", metavar="FILE", help=".npz of samples, for passes that measure.", show_default="made up"
        ),
    ] = None,
    steps: Steps = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of everything random.", show_default="0")
    ] = None,
    dt: Annotated[
        float | None, typer.Option("--dt", metavar="SECONDS", help="Seconds a step.", show_default="0.001")
    ] = None,
    input_shape: InputShape = None,
    config: Config = None,
    temporal: Temporal = False,
    replace: Replace = None,
    verbose: Verbose = False,
) -> None:
    """Run passes on a graph, in the order given, and print or write what they make of it."""
    from snnc import reproducer
    from snnc.cli import next_step
    from snnc.ir.store import FOLDER, GRAPH_FILE, dump
    from snnc.outputs import require_folder_place, write_folder
    from snnc.registry import Registry
    from snnc.rewriting import context_for, passes_of, rewrite
    from snnc.terminal import printable

    reads = [path for path in (source, calibration, config) if path is not None]
    if output is not None:
        require_folder_place(output, FOLDER, reads)
    registry = Registry.discover()
    planned = passes_of(passes, registry)
    told: dict[str, Any] = {"backend": backend, "calibration": calibration, "steps": steps, "seed": seed, "dt": dt}
    given = {name: value for name, value in told.items() if value is not None}
    if (source / reproducer.CONTEXT_FILE).is_file():
        if given:
            raise UsageError(f"--{next(iter(given))}: {source} says what its pass was told; leave it out")
        kept = reproducer.read(source, registry)
        graph, context, finished, shown = kept.graph, kept.context, kept.finished, kept.shown
    else:
        reading = {"config": config, "temporal": temporal, "replace": meanings_of(replace)}
        graph = graph_of(source, registry, imported=imported, input_shape=shapes_of(input_shape), **reading)
        context, shown = context_for(graph, planned, registry, **given)
        finished = ()
    after, journal = rewrite(graph, planned, context, registry, shown, finished=finished)
    if output is not None:
        write_folder(output, dump({GRAPH_FILE: after}), FOLDER, reads)
    for entry in journal:
        typer.echo(printable(_said(entry)), err=True)
    for note in context.notes:
        typer.echo(printable(f"note: {note}"), err=True)
    if output is not None:
        typer.echo(f"wrote {output}")
        next_step.say("show", output)
    else:
        typer.echo(printable(str(after)))
        said = {"--pass": passes, "--source": imported, **{f"--{name}": value for name, value in given.items()}}
        read = {"--input-shape": input_shape, "--config": config, "--temporal": temporal, "--replace": replace}
        next_step.say("opt", source, "-o", "graph", options={**said, **read})


def _said(entry: JournalEntry) -> str:
    from snnc.quantities import number

    if not entry.changed:
        return f"{entry.name}: changed nothing"
    moved = "" if entry.error is None else f"; the outputs in rate mode moved by {number(entry.error)} of the largest"
    return f"{entry.name}: {'changed the graph' if entry.kept else 'made it no better, and was taken back'}{moved}"


@app.command(rich_help_panel=INSIDE, epilog=examples("snnc diff out/source.json out", "snnc diff out classic"))
def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="A model file, a saved graph or an artifact.", show_default=False)
    ],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    imported: Imported = False,
) -> None:
    """Compare two graphs node by node; exits with 1 where they differ."""
    from snnc.cli import next_step
    from snnc.ir.difference import differences
    from snnc.registry import Registry
    from snnc.terminal import printable

    registry = Registry.discover()
    graphs = [graph_of(path, registry, imported=imported) for path in (before, after)]
    rows = list(differences(*graphs))
    if rows:
        counts = [f"{path} ({len(graph)} nodes)" for path, graph in zip((before, after), graphs, strict=True)]
        typer.echo(printable("\n".join([f"--- {counts[0]}", f"+++ {counts[1]}", *rows])))
        again = after.with_name(f"{after.stem}-again")
        next_step.say("compile", after, "--dump", after.with_name(f"{after.stem}-passes"), "-o", again)
        raise typer.Exit(1)
    next_step.say("show", after)
