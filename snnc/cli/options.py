"""The words that several commands share, and how their text is read."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from snnc.cli import completing
from snnc.errors import UsageError

T = TypeVar("T")
_KEYED = re.compile(r"([^={}]+)=(.+)")

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A .keras or .h5 file, or a saved graph folder.", show_default=False)
]
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="An artifact that snnc compile wrote.", show_default=False)
]
Inputs = Annotated[
    Path,
    typer.Option(
        "--inputs", metavar="FILE", help=".npz of inputs by name (or x), labels as y, or y_OUTPUT.", show_default=False
    ),
]
TaskOf = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="KIND",
        autocompletion=completing.tasks,
        rich_help_panel="Judging",
        help="What an output is for: KIND or OUTPUT=KIND, of classes, binary, multi-label, regression, pixels, "
        "sequences, reconstruction. May be repeated.",
        show_default="by its activation and labels",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "--judge",
        metavar="OUTPUT",
        rich_help_panel="Judging",
        help="The only output to judge, whose labels y are.",
        show_default=False,
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="OUTPUT",
        rich_help_panel="Judging",
        help="The only output to judge, whose labels y are.",
        show_default=False,
    ),
]
Steps = Annotated[
    int | None, typer.Option("--steps", metavar="N", help="Time steps a sample is shown.", show_default=False)
]
TargetDrop = Annotated[
    float | None,
    typer.Option(
        "--target-drop", metavar="POINTS", help="Points of accuracy that may be lost at level 2.", show_default="0.5"
    ),
]
Minimise = Annotated[
    str | None,
    typer.Option(
        "--minimise",
        metavar="WHAT",
        autocompletion=completing.words("steps", "spikes", "energy"),
        help="What level 2 spares: steps, spikes or energy.",
        show_default="steps",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="Use the first samples only.", show_default=False)
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, help="Processes; by default as many as pay.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are no results of snnc, too.")]


def _tell_more(wanted: bool) -> bool:
    """Let what is logged for developers be printed, too."""
    if wanted:
        logging.getLogger("snnc").setLevel(logging.DEBUG)
    return wanted


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_tell_more,
        rich_help_panel="Looking inside",
        help="Print a line for each pass that runs, on stderr.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        autocompletion=completing.provided("backend"),
        help="nengo, or a plugin's, with options: 'name{key=value}'; see snnc plugins.",
    ),
]
Level = Annotated[
    int | None,
    typer.Option(
        "--level",
        metavar="N",
        autocompletion=completing.words("0", "1", "2"),
        help="0 literal, 1 fold and fuse, 2 calibrated.",
        show_default="2",
    ),
]
Passes = Annotated[
    list[str] | None,
    typer.Option(
        "--pass",
        metavar="PASS",
        autocompletion=completing.provided("pass"),
        help="A further pass, or options of one: 'name{key=value}'. May be repeated.",
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--no-pass",
        metavar="PASS",
        autocompletion=completing.provided("pass"),
        help="Leave a pass out. May be repeated.",
    ),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="SIZES",
        rich_help_panel="Reading the model",
        help="28,28,1 or input=28,28,1: sizes that the model leaves open.",
    ),
]
InputRange = Annotated[
    list[str] | None,
    typer.Option(
        "--input-range",
        metavar="RANGE",
        rich_help_panel="Reading the model",
        help="0,255 or input=0,255: of the inputs that are made up where no samples are given.",
    ),
]
Temporal = Annotated[
    bool,
    typer.Option(
        "--temporal",
        rich_help_panel="Reading the model",
        help="Axis 1 of the model's inputs is time: one slice is presented each step.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        rich_help_panel="Reading the model",
        help="The model's config as JSON, for a file of weights alone.",
    ),
]


Replace = Annotated[
    list[str] | None,
    typer.Option(
        "--replace",
        metavar="MEANING",
        rich_help_panel="Reading the model",
        help="NAME=MEANING, for a layer, class or function of your own. May be repeated.",
    ),
]


def by_layer(values: list[str] | None, what: str, kind: Callable[[str], T]) -> Any:
    """Return one value, or values by layer or output, from ``VALUE`` and ``NAME=VALUE`` words; None from none."""
    found: dict[str, T] = {}
    for word in values or ():
        match = _KEYED.fullmatch(word)
        key, text = match.groups() if match else ("*", word)
        if key in found:
            raise UsageError(f"--{what} is given twice for {'all' if key == '*' else key}")
        try:
            found[key] = kind(text)
        except ValueError:
            raise UsageError(f"--{what}: {text!r} is not a number") from None
    return found["*"] if set(found) == {"*"} else found or None


def meanings_of(values: list[str] | None) -> dict[str, str]:
    """Return what stands for layers, classes and functions, by name, from ``NAME=MEANING`` words."""
    found: dict[str, str] = {}
    for word in values or ():
        match = _KEYED.fullmatch(word)
        if match is None:
            raise UsageError(
                f"--replace: cannot read {word!r}; write NAME=MEANING, as in 'my_layer=leaky_relu{{alpha=0.1}}'"
            )
        name, text = match.groups()
        if name in found:
            raise UsageError(f"--replace is given twice for {name}")
        found[name] = text
    return found


def with_option(spec: str, name: str, value: str) -> str:
    """Return ``name{option=value}`` with one more option."""
    from snnc.text_form import parse, write

    head, options = parse(spec)
    return write(head, {**options, name: value})


def shapes_of(values: list[str] | None) -> Any:
    """Return one shape, or shapes by input, from ``28,28,1`` and ``INPUT=28,28,1`` words; None from none."""
    return _numbers(values, int, "--input-shape: {!r} is no shape; write 28,28,1")


def ranges_of(values: list[str] | None) -> Any:
    """Return one range, or ranges by input, from ``0,255`` and ``INPUT=0,255`` words; None from none."""
    return _numbers(values, float, "--input-range: {!r} is no range; write 0,255")


def _numbers(values: list[str] | None, kind: Callable[[str], T], problem: str) -> Any:
    found: dict[str, tuple[T, ...]] = {}
    for word in values or ():
        match = _KEYED.fullmatch(word)
        key, text = match.groups() if match else ("*", word)
        try:
            found[key] = tuple(kind(n) for n in text.strip("()").split(",") if n.strip())
        except ValueError:
            raise UsageError(problem.format(text)) from None
    return found["*"] if set(found) == {"*"} else found or None


def kinds_of(values: list[str] | None) -> Any:
    """Return a kind of task, or kinds by output, from ``KIND`` and ``OUTPUT=KIND`` words; None from none."""
    found = by_layer(values, "task", str)
    if isinstance(found, dict) and "*" in found:
        raise UsageError("--task: say OUTPUT=KIND for each, or one KIND for the only output")
    return found
