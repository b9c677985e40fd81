"""The application that the commands are added to."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from snnc._version import __version__


def examples(*lines: str) -> str:
    """Return the end of a command's help: command lines that a test runs, a paragraph each, so that none is joined."""
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


NARROW = 60
"""Columns with fewer of which the boxes of rich cut off the names of options: help is plain text then."""

app = typer.Typer(
    name="snnc",
    rich_markup_mode="rich" if shutil.get_terminal_size().columns >= NARROW else None,
    epilog=examples(
        "snnc compile model.keras -o out",
        "snnc evaluate out --inputs samples.npz",
    ),
    help="Compile trained Keras models to spiking neural networks, with proof of how close they are.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
