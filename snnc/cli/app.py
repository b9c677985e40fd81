"""The application that the commands are added to."""

from __future__ import annotations

from typing import Annotated

import typer

from snnc._version import __version__

app = typer.Typer(
    name="snnc",
    help="Compile trained Keras models to spiking neural networks, with proof of how close they are.",
    no_args_is_help=True,
    add_completion=False,
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
