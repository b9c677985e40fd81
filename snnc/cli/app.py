"""The application that the commands are added to."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from snnc._version import __version__


def examples(*lines: str) -> str:
    """Return the end of a command's help: command lines that a test runs, a paragraph each, so that none is joined."""
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


MAKE, MEASURE, INSIDE = "Make", "Measure and look", "See inside the compiler"
"""Groups of commands, as the help has them."""
NARROW = 60
"""Columns with fewer of which the boxes of rich cut off the names of options: help is plain text then."""


class _Ordered(TyperGroup):
    """The groups of commands in their order."""

    def list_commands(self, ctx: Any) -> list[str]:
        groups = (MAKE, MEASURE, INSIDE)
        return sorted(self.commands, key=lambda name: groups.index(self.commands[name].rich_help_panel))  # type: ignore[attr-defined]


app = typer.Typer(
    name="snnc",
    cls=_Ordered,
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
