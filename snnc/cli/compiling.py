"""Commands that make an artifact: compile and tune."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from snnc.cli import completing
from snnc.cli.app import MAKE, app, examples
from snnc.cli.options import (
    Backend,
    Config,
    InputRange,
    InputShape,
    Judge,
    Level,
    Minimise,
    Model,
    Passes,
    Replace,
    Skip,
    Steps,
    TargetDrop,
    TaskOf,
    Temporal,
    Verbose,
    by_layer,
    kinds_of,
    meanings_of,
    ranges_of,
    shapes_of,
    with_option,
)


@app.command(
    "compile",
    rich_help_panel=MAKE,
    epilog=examples(
        "snnc compile model.keras -o out",
        "snnc compile model.keras --calibration samples.npz -o out",
        "snnc compile model.keras --neurons spiking-relu --scale 100 -o classic",
    ),
)
def compile_command(
    model: Model,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The artifact folder to write.", show_default=False)
    ],
    backend: Backend = "nengo",
    chips: Annotated[
        int | None,
        typer.Option("--chips", metavar="N", help="Chips that there are: short for --backend 'loihi{chips=N}'."),
    ] = None,
    level: Level = None,
    neurons: Annotated[
        list[str] | None,
        typer.Option(
            "--neurons",
            metavar="MODEL",
            autocompletion=completing.provided("neuron"),
            help="A neuron model, or LAYER=MODEL, LAYER=none. May be repeated.",
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            "--code",
            metavar="CODE",
            autocompletion=completing.words("graded", "counted"),
            help="In place of neurons: 'graded' spikes, powers of two, or 'counted' ones.",
        ),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", metavar="HZ", help="Hz for an activation of 1, or LAYER=HZ. May be repeated."),
    ] = None,
    synapse: Annotated[
        list[str] | None,
        typer.Option("--synapse", metavar="SECONDS", help="Low-pass in seconds, or LAYER=SECONDS. May be repeated."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="FILE", help=".npz of sample inputs to measure and verify with."),
    ] = None,
    calibration_limit: Annotated[
        int | None,
        typer.Option("--calibration-limit", metavar="N", min=1, help="Use the first of the calibration samples only."),
    ] = None,
    input_range: InputRange = None,
    passes: Passes = None,
    skip: Skip = None,
    steps: Steps = None,
    target_drop: TargetDrop = None,
    minimise: Minimise = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Of everything random, by default 0.")] = None,
    dt: Annotated[
        float | None,
        typer.Option("--dt", metavar="SECONDS", help="Seconds a step; by default 0.001, or what the model says."),
    ] = None,
    read_out: Annotated[
        str | None,
        typer.Option(
            "--read-out",
            metavar="WHAT",
            help="Share of the steps that the mean leaves out, 'last' or 'low-pass{tau=0.01}'.",
        ),
    ] = None,
    input_shape: InputShape = None,
    config: Config = None,
    temporal: Temporal = False,
    replace: Replace = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", rich_help_panel="Judging", help="Refuse a network in which anything does not spike."),
    ] = False,
    task: TaskOf = None,
    judge: Judge = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", rich_help_panel="Judging", help="Compare with the model afterwards.")
    ] = True,
    dump: Annotated[
        Path | None,
        typer.Option(
            "--dump",
            metavar="FOLDER",
            rich_help_panel="Looking inside",
            help="For the graph behind each pass, and what makes one fail again.",
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Compile a model to a spiking network and write the artifact."""
    from snnc.artifact import KIND
    from snnc.cli import next_step, reports
    from snnc.compiler import compile
    from snnc.dump import KIND as dump_kind
    from snnc.outputs import require_folder_place

    reads = [path for path in (model, calibration, config) if path is not None]
    require_folder_place(output, KIND, reads)
    if dump is not None:
        require_folder_place(dump, dump_kind, [*reads, output])
    compiled = compile(
        model,
        backend=backend if chips is None else with_option(backend, "chips", str(chips)),
        level=level,
        neurons=by_layer(neurons, "neurons", str),
        code=code,
        scale=by_layer(scale, "scale", float),
        synapse=by_layer(synapse, "synapse", str),
        calibration=calibration,
        calibration_limit=calibration_limit,
        input_range=ranges_of(input_range),
        passes=passes or (),
        skip=skip or (),
        steps=steps,
        target_drop=target_drop,
        minimise=minimise,  # type: ignore[arg-type]  # the pass says what it may be
        seed=seed,
        dt=dt,
        read_out=read_out,
        verify=verify,
        progress=not verbose,
        strict=strict,
        task=kinds_of(task),
        judge=judge,
        input_shape=shapes_of(input_shape),
        config=config,
        temporal=temporal,
        replace=meanings_of(replace),
        dump=dump,
    )
    compiled.save(output)
    reports.compilation(compiled, output)
    next_step.after_compile(output, compiled, calibration, {"--task": task, "--judge": judge})
    report = compiled.report
    if report is not None and len(report["problems"]) > len(report["spiking_problems"]):
        raise typer.Exit(1)  # a wrong artifact, while one that spikes poorly may be as good as can be had


@app.command(
    rich_help_panel=MAKE,
    epilog=examples(
        "snnc tune model.keras --calibration samples.npz -o tuned",
        "snnc tune model.keras --calibration samples.npz --minimise energy -o tuned",
    ),
)
def tune(
    model: Model,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="The artifact of the best setting.", show_default=False),
    ],
    calibration: Annotated[
        Path,
        typer.Option(
            "--calibration", metavar="FILE", help=".npz of samples, labels as y, or y_OUTPUT.", show_default=False
        ),
    ],
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help=".npz of the labels, where they are not there.")
    ] = None,
    target_drop: Annotated[
        float, typer.Option("--target-drop", metavar="POINTS", help="Points of accuracy, or of R2, that may be lost.")
    ] = 1.0,
    minimise: Annotated[
        str,
        typer.Option(
            "--minimise",
            metavar="WHAT",
            autocompletion=completing.words("steps", "spikes", "energy"),
            help="steps, spikes or energy.",
        ),
    ] = "steps",
    neurons: Annotated[
        str | None,
        typer.Option(
            "--neurons",
            metavar="MODEL",
            autocompletion=completing.provided("neuron"),
            help="A neuron model; by default the backend's own of level 2.",
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            "--code",
            metavar="CODE",
            autocompletion=completing.words("graded", "counted"),
            help="In place of neurons: 'graded' spikes or 'counted' ones.",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", metavar="N", min=1, help="Settings to simulate, with those in the storage.")
    ] = 40,
    workers: Annotated[
        str,
        typer.Option(
            "--workers", metavar="N", help="Processes, or a Dask scheduler's address, where there is no forecast."
        ),
    ] = "1",
    storage: Annotated[
        Path | None,
        typer.Option(
            "--storage",
            metavar="FILE",
            help="SQLite file for a search without a forecast.",
            show_default="OUTPUT.tune.db",
        ),
    ] = None,
    backend: Backend = "nengo",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of everything random.")] = 0,
    task: TaskOf = None,
    judge: Judge = None,
    input_shape: InputShape = None,
    config: Config = None,
    replace: Replace = None,
) -> None:
    """Search the settings of level 2 for the cheapest network that does the model's task as well."""
    from snnc import tune as search
    from snnc.artifact import KIND
    from snnc.cli import next_step, reports
    from snnc.compiler import import_model
    from snnc.evaluation.tasks import tasks_and_targets
    from snnc.outputs import MARK, require_file_place, require_folder_place, write_file
    from snnc.samples import samples as samples_of

    read = [path for path in (model, calibration, labels, config) if path is not None]
    require_folder_place(output, KIND, read)
    front = output.with_name(f"{output.name}.front.json")
    if front.exists():
        require_file_place(front, reads=read)
    source = import_model(model, shapes_of(input_shape), config=config, replace=meanings_of(replace))
    samples = samples_of(source, calibration, labels, judge)
    reports.tasks(tasks_and_targets(source, samples, kinds_of(task), output=judge)[0].values())
    found = search.tune(
        model,
        samples,
        target_drop=target_drop,
        minimise=minimise,  # type: ignore[arg-type]  # it says what it may be
        neurons=neurons,
        code=code,
        trials=trials,
        workers=workers,
        storage=storage or output.with_name(f"{output.name}.tune.db"),
        seed=seed,
        watch=reports.front_member,
        task=kinds_of(task),
        judge=judge,
        backend=backend,
        input_shape=shapes_of(input_shape),
        config=config,
        replace=meanings_of(replace),
    )
    found.compiled.save(output)
    said = [word for kind in task or () for word in ("--task", kind)] + (["--judge", judge] if judge else [])
    again = partial(
        search.command,
        model=str(model),
        calibration=str(calibration),
        samples=found.calibrated,
        seed=seed,
        further=said,
    )
    rows = [{**asdict(row), "command": again(row.settings, output=str(output))} for row in found.front]
    kept = {"about": MARK.decode(), "target_drop": target_drop, "minimise": minimise, "front": rows}
    write_file(front, json.dumps(kept, indent=1).encode(), reads=read)
    reports.tuning(found, again(found.best.settings, output=str(output)), front, minimise, target_drop)
    next_step.after_compile(output, found.compiled, calibration, {"--task": task, "--judge": judge})
    if not found.met:
        raise typer.Exit(1)
