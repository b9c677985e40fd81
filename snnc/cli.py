"""The command line: flags to arguments, errors to one line and an exit code."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from snnc._version import __version__
from snnc.errors import SnncError, UsageError

app = typer.Typer(
    name="snnc",
    help="Compile trained Keras models to spiking neural networks, with proof of how close they are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

T = TypeVar("T")
_KEYED = re.compile(r"([^={}]+)=(.+)")

Model = Annotated[Path, typer.Argument(help="A .keras or .h5 file, or a saved graph folder.", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="An artifact that snnc compile wrote.", show_default=False)]
Inputs = Annotated[
    Path,
    typer.Option("--inputs", help=".npz of inputs by name (or x), labels as y.", show_default=False),
]
Steps = Annotated[int | None, typer.Option("--steps", help="Time steps a sample is shown.", show_default=False)]
Limit = Annotated[int | None, typer.Option("--limit", help="Use the first samples only.", show_default=False)]
Jobs = Annotated[int | None, typer.Option("--jobs", help="Processes; by default as many as pay.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Backend = Annotated[str, typer.Option("--backend", help="nengo, or a plugin's; see snnc plugins.")]
Level = Annotated[int, typer.Option("--level", help="0 literal, 1 fold and fuse, 2 calibrated (needs --calibration).")]
Passes = Annotated[
    list[str] | None,
    typer.Option("--pass", help="A further pass, or options of one: 'name{key=value}'. May be repeated."),
]
Skip = Annotated[list[str] | None, typer.Option("--no-pass", help="Leave a pass out. May be repeated.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option("--input-shape", help="28,28,1 or input=28,28,1: sizes that the model leaves open."),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="The model's config as JSON, for a file of weights alone.")
]


def _by_layer(values: list[str] | None, what: str, kind: type[T]) -> Any:
    """Return one value, or values by layer, from ``VALUE`` and ``LAYER=VALUE`` words; None from none."""
    found: dict[str, T] = {}
    for word in values or ():
        match = _KEYED.fullmatch(word)
        key, text = match.groups() if match else ("*", word)
        if key in found:
            raise UsageError(f"--{what} is given twice for {'all layers' if key == '*' else key}")
        try:
            found[key] = kind(text)  # type: ignore[call-arg]
        except ValueError:
            raise UsageError(f"--{what}: {text!r} is not a number") from None
    return found["*"] if set(found) == {"*"} else found or None


def _shapes(values: list[str] | None) -> Any:
    shapes: dict[str, tuple[int, ...]] = {}
    for word in values or ():
        match = _KEYED.fullmatch(word)
        key, text = match.groups() if match else ("*", word)
        try:
            shapes[key] = tuple(int(n) for n in text.strip("()").split(",") if n.strip())
        except ValueError:
            raise UsageError(f"--input-shape: {text!r} is no shape; write 28,28,1") from None
    return shapes["*"] if set(shapes) == {"*"} else shapes or None


@app.command("compile")
def compile_command(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="The artifact folder to write.", show_default=False)],
    backend: Backend = "nengo",
    level: Level = 1,
    neurons: Annotated[
        list[str] | None,
        typer.Option("--neurons", help="A neuron model, or LAYER=MODEL, LAYER=none. May be repeated."),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", help="Hz for an activation of 1, or LAYER=HZ. May be repeated."),
    ] = None,
    synapse: Annotated[
        list[str] | None,
        typer.Option("--synapse", help="Low-pass in seconds, or LAYER=SECONDS. May be repeated."),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help=".npz of sample inputs to measure and verify with.")
    ] = None,
    calibration_limit: Annotated[
        int | None, typer.Option("--calibration-limit", help="Use the first of the calibration samples only.")
    ] = None,
    passes: Passes = None,
    skip: Skip = None,
    steps: Steps = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    dt: Annotated[float, typer.Option("--dt", help="Seconds a step.")] = 0.001,
    read_out: Annotated[
        float | None, typer.Option("--read-out", help="Share of the steps that the read-out leaves out at the start.")
    ] = None,
    input_shape: InputShape = None,
    config: Config = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a network in which anything does not spike.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Compare with the model afterwards.")] = True,
) -> None:
    """Compile a model to a spiking network and write the artifact."""
    from snnc import reports
    from snnc.compiler import compile

    compiled = compile(
        model,
        backend=backend,
        level=level,
        neurons=_by_layer(neurons, "neurons", str),
        scale=_by_layer(scale, "scale", float),
        synapse=_by_layer(synapse, "synapse", str),
        calibration=calibration,
        calibration_limit=calibration_limit,
        passes=passes or (),
        skip=skip or (),
        steps=steps,
        seed=seed,
        dt=dt,
        read_out=read_out,
        verify=verify,
        strict=strict,
        input_shape=_shapes(input_shape),
        config=config,
    )
    compiled.save(output)
    reports.compilation(compiled, output)
    if compiled.report is not None and not compiled.report["passed"]:
        raise typer.Exit(1)


@app.command()
def run(
    folder: Folder,
    inputs: Inputs,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".npz to write: (batch, steps, ...) by output name.")
    ] = None,
    steps: Steps = None,
    limit: Limit = None,
    jobs: Jobs = None,
) -> None:
    """Run an artifact on inputs; print the read-out, or write the outputs of every step."""
    from snnc import reports
    from snnc.compiler import load
    from snnc.files import npz_bytes, write_file

    compiled = load(folder)
    samples = compiled.samples(inputs, limit)
    steps = compiled.default_steps if steps is None else steps
    outputs, means = compiled.run_and_read_out(samples.inputs, steps, jobs=jobs, progress=True)
    if output is not None:
        write_file(output, npz_bytes(outputs))
    reports.readouts(means, steps, output)


@app.command()
def evaluate(
    folder: Folder,
    inputs: Inputs,
    steps: Steps = None,
    limit: Limit = None,
    engine: Annotated[
        str, typer.Option("--engine", help="numpy (batched, the same spikes) or program (the backend itself).")
    ] = "numpy",
    plots: Annotated[Path | None, typer.Option("--plots", help="Write PNG and SVG pictures to this folder.")] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Measure accuracy, firing rates, spikes and synaptic operations on labelled samples."""
    from snnc import reports
    from snnc.compiler import load

    compiled = load(folder)
    samples = compiled.samples(inputs, limit)
    options: dict[str, Any] = {"jobs": jobs, "progress": True} if engine == "program" else {}
    measured = compiled.evaluate(samples.inputs, samples.labels, steps, engine=engine, **options)
    reports.evaluation(measured, json=json)
    if plots is not None:
        from snnc.plots import write_plots

        write_plots(plots, compiled, measured, samples.inputs)


@app.command()
def verify(
    folder: Folder,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", help=".npz of inputs; a few random ones by default.")
    ] = None,
    steps: Steps = None,
    limit: Limit = None,
    jobs: Jobs = None,
    against_keras: Annotated[
        bool, typer.Option("--against-keras", help="Also compare with the installed Keras running the model.")
    ] = False,
    model: Annotated[Path | None, typer.Option("--model", help="Where the model is now, for --against-keras.")] = None,
    json: Json = False,
) -> None:
    """Compare an artifact with the model: import, rewrite and backend error, and the layer at fault."""
    from snnc import reports
    from snnc.compiler import load

    compiled = load(folder)
    samples = None if inputs is None else compiled.samples(inputs, limit).inputs
    keras = _model_file(compiled.origin, model) if against_keras else None
    report = compiled.verify(samples, steps, keras=keras, jobs=jobs, progress=True)
    reports.verification(report.as_dict(), json=json)
    if not report.passed:
        raise typer.Exit(1)


def _model_file(origin: dict[str, Any], model: Path | None) -> Path:
    path = model or (Path(origin["path"]) if origin.get("path") else None)
    if path is None or not path.exists():
        where = "was compiled from a live model" if path is None else f"was compiled from {path}, which is not there"
        raise UsageError(f"--against-keras needs the model, but this artifact {where}; say --model FILE")
    return path


@app.command()
def tune(
    model: Model,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The artifact of the best setting.", show_default=False)
    ],
    calibration: Annotated[
        Path, typer.Option("--calibration", help=".npz of samples, labels as y.", show_default=False)
    ],
    labels: Annotated[
        Path | None, typer.Option("--labels", help=".npz of the labels, where they are not there.")
    ] = None,
    target_drop: Annotated[float, typer.Option("--target-drop", help="Points of accuracy that may be lost.")] = 1.0,
    minimise: Annotated[str, typer.Option("--minimise", help="steps, spikes or energy.")] = "steps",
    trials: Annotated[int, typer.Option("--trials", help="Settings to try, with those in the storage.")] = 40,
    workers: Annotated[str, typer.Option("--workers", help="Processes, or the address of a Dask scheduler.")] = "1",
    storage: Annotated[Path | None, typer.Option("--storage", help="SQLite file that keeps the search.")] = None,
    backend: Backend = "nengo",
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    input_shape: InputShape = None,
    config: Config = None,
) -> None:
    """Search neurons, scales, steps and read-out for the cheapest network that keeps the accuracy."""
    from snnc import reports
    from snnc import tune as search
    from snnc.calibration import samples as samples_of
    from snnc.compiler import import_model

    if minimise not in ("steps", "spikes", "energy"):
        raise UsageError(f"--minimise must be steps, spikes or energy, not {minimise!r}")
    source = import_model(model, _shapes(input_shape), config=config)
    samples = samples_of(source, calibration, labels)
    found = search.tune(
        model,
        samples,
        target_drop=target_drop,
        minimise=minimise,  # type: ignore[arg-type]
        trials=trials,
        workers=workers,
        storage=storage,
        seed=seed,
        backend=backend,
        input_shape=_shapes(input_shape),
        config=config,
    )
    found.compiled.save(output)
    used = len(samples) // 2
    again = search.command(found.best.settings, str(model), str(calibration), used, seed, str(output))
    reports.tuning(found, again, minimise, target_drop)
    if not found.met:
        raise typer.Exit(1)


@app.command()
def show(
    source: Annotated[Path, typer.Argument(help="A model file, a saved graph or an artifact.", show_default=False)],
    imported: Annotated[bool, typer.Option("--source", help="Of an artifact: the graph as imported.")] = False,
    input_shape: InputShape = None,
    config: Config = None,
) -> None:
    """Print a graph, one line a node."""
    from snnc.artifact import MANIFEST_FILE
    from snnc.compiler import import_model, load

    if (source / MANIFEST_FILE).is_file():
        compiled = load(source)
        typer.echo(str(compiled.source if imported else compiled.graph))
    else:
        typer.echo(str(import_model(source, _shapes(input_shape), config=config)))


@app.command()
def plan(backend: Backend = "nengo", level: Level = 1, passes: Passes = None, skip: Skip = None) -> None:
    """Print the passes of a compilation in their order, with who provides each."""
    from snnc import reports
    from snnc.passes.plan import plan as make_plan
    from snnc.registry import Registry

    registry = Registry.discover()
    steps = make_plan(registry.passes, registry.chain(backend), level, named=passes or (), skip=skip or ())
    reports.plan(steps, registry.provided("pass"))


@app.command()
def plugins() -> None:
    """Print what every plugin provides, and which plugins could not be loaded."""
    from snnc import reports
    from snnc.registry import Registry

    reports.plugins(Registry.discover())


def _version(value: bool) -> None:
    if value:
        typer.echo(f"snnc {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Compile trained Keras models to spiking neural networks, with proof of how close they are."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 verification failed, 2 bad input or usage, 130 interrupted."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SnncError as error:
        return _fail(error)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except typer.Abort:
        return _fail("interrupted", 130)
    except Exception as error:
        # typer brings its own copy of click in some versions, so its usage errors are known by what they can do
        if hasattr(error, "format_message"):
            return _fail(error.format_message() or "missing arguments; see snnc --help")
        raise


def _fail(error: object, code: int = 2) -> int:
    line = " ".join(str(error).split())
    print(f"snnc: {line}", file=sys.stderr)  # noqa: T201
    return code
