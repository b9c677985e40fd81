"""Commands that print: show, plan and plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from snnc.cli.app import INSIDE, app, examples
from snnc.cli.graphs import Imported, Source, graph_of
from snnc.cli.options import Backend, Config, InputShape, Level, Passes, Replace, Skip, Temporal, meanings_of, shapes_of


@app.command(rich_help_panel=INSIDE, epilog=examples("snnc show model.keras", "snnc show out --as-run"))
def show(
    source: Source,
    imported: Imported = False,
    input_shape: InputShape = None,
    as_run: Annotated[
        bool,
        typer.Option(
            "--as-run",
            help="As it runs: filters where vectors are short, and lines by when they are computed.",
        ),
    ] = False,
    config: Config = None,
    temporal: Temporal = False,
    replace: Replace = None,
) -> None:
    """Print a graph, one line a node."""
    from snnc.artifact import MANIFEST_FILE
    from snnc.cli import next_step
    from snnc.engine.simulate import text_as_run
    from snnc.registry import Registry
    from snnc.terminal import printable

    reading = {"config": config, "temporal": temporal, "replace": meanings_of(replace)}
    graph = graph_of(source, Registry.discover(), imported=imported, input_shape=shapes_of(input_shape), **reading)
    typer.echo(printable(text_as_run(graph) if as_run else str(graph)))
    if (source / MANIFEST_FILE).is_file():
        next_step.say("evaluate", source, "--inputs", next_step.SAMPLES)
    else:
        read = {"--input-shape": input_shape, "--config": config, "--temporal": temporal, "--replace": replace}
        next_step.say("compile", source, "-o", "out", options=read)


@app.command(rich_help_panel=INSIDE, epilog=examples("snnc plan", "snnc plan --backend loihi"))
def plan(backend: Backend = "nengo", level: Level = None, passes: Passes = None, skip: Skip = None) -> None:
    """Print the passes of a compilation in their order, with who provides each."""
    from snnc.cli import next_step, reports
    from snnc.passes.plan import plan as make_plan
    from snnc.registry import Registry

    registry = Registry.discover()
    chosen = registry.build_backend(backend)
    steps = make_plan(
        registry.passes,
        registry.chain(chosen.name),
        chosen.level(samples=True) if level is None else level,
        needed=registry.passes_for(chosen.name),
        named=passes or (),
        skip=skip or (),
    )
    reports.plan(steps, registry.provided("pass"))
    said = {"--backend": backend, "--level": level, "--pass": passes, "--no-pass": skip}
    next_step.say("compile", "MODEL.keras", "--calibration", next_step.SAMPLES, "-o", "out", options=said)


@app.command(rich_help_panel=INSIDE, epilog=examples("snnc plugins"))
def plugins() -> None:
    """Print what every plugin provides, and which plugins could not be loaded."""
    from snnc.cli import next_step, reports
    from snnc.registry import Registry

    reports.plugins(Registry.discover())
    next_step.say("plan", "--backend", "NAME")
