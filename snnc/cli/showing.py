"""Commands that print: show, plan and plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.app import app
from snnc.cli.options import Backend, Config, InputShape, Level, Passes, Replace, Skip, Temporal, meanings_of, shapes_of


@app.command()
def show(
    source: Annotated[Path, typer.Argument(help="A model file, a saved graph or an artifact.", show_default=False)],
    imported: Annotated[bool, typer.Option("--source", help="Of an artifact: the graph as imported.")] = False,
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
    from snnc.compiler import import_model, load
    from snnc.engine.simulate import text_as_run
    from snnc.terminal import printable

    if (source / MANIFEST_FILE).is_file():
        compiled = load(source)
        graph = compiled.source if imported else compiled.graph
    else:
        shapes, meanings = shapes_of(input_shape), meanings_of(replace)
        graph = import_model(source, shapes, config=config, temporal=temporal, replace=meanings)
    typer.echo(printable(text_as_run(graph) if as_run else str(graph)))


@app.command()
def plan(backend: Backend = "nengo", level: Level = None, passes: Passes = None, skip: Skip = None) -> None:
    """Print the passes of a compilation in their order, with who provides each."""
    from snnc.cli import reports
    from snnc.passes.plan import plan as make_plan
    from snnc.registry import Registry

    registry = Registry.discover()
    chosen = registry.build_backend(backend)
    level = chosen.level(samples=True) if level is None else level
    steps = make_plan(
        registry.passes,
        registry.chain(chosen.name),
        level,
        needed=registry.passes_for(chosen.name),
        named=passes or (),
        skip=skip or (),
    )
    reports.plan(steps, registry.provided("pass"))


@app.command()
def plugins() -> None:
    """Print what every plugin provides, and which plugins could not be loaded."""
    from snnc.cli import reports
    from snnc.registry import Registry

    reports.plugins(Registry.discover())
