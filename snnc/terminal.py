"""What is printed for people: text from models and plugins is shown as it is, whatever it holds, at any width."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

WIDE = 240
"""Columns of what is no terminal and has no COLUMNS: a pipe has no width, let no line of a table be folded there."""
WHOLE = 24
"""The longest value that is never broken over lines: numbers with their units and intervals."""
LABEL = (16, 24)
"""The fewest columns for what a row is called, in which names are shortened in the middle: half of what there is."""
LINES = 3
"""Over which such a name may go."""


def printable(text: str, *, keep: str = "\n") -> str:
    """Return a text with its control characters written out, so that no name reaches a terminal as a command."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def new_console(*, stderr: bool = False) -> Console:
    """Return a console on which brackets are brackets and control characters are written out.

    ``print`` leaves lines as they are, so that paths and commands can be copied and searched for; with
    ``soft_wrap=False`` it wraps at words.
    """
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **options: object) -> Text:
            options = {**options, "markup": False, "emoji": False, "highlight": False}
            return super().render_str(printable(text), **options)  # type: ignore[arg-type]

    stream = sys.stderr if stderr else sys.stdout
    shown = stream is not None and stream.isatty()
    colours = None if os.environ.get("NO_COLOR") else "auto"  # else rich leaves colours out, and bold in
    width = None if shown or os.environ.get("COLUMNS", "").isdigit() else WIDE
    return PlainConsole(stderr=stderr, soft_wrap=True, width=width, color_system=colours)  # type: ignore[arg-type]


def prose(console: Console, text: str, indent: str = "  ") -> None:
    """Print sentences: wrapped at words on a terminal, the further lines indented, and one line elsewhere."""
    console.print(_wrapped(printable(text), console.width, indent) if console.is_terminal else text)


class Listing:
    """A table of rows with a name and short values, which fits any width.

    Where there is little room, names are wrapped at words and shortened in the middle, values stay whole, and columns
    that do not fit come below, behind the names again.
    """

    def __init__(self, title: str, *columns: str) -> None:
        """Begin with no rows."""
        self.title, self.columns = printable(title), tuple(printable(column) for column in columns)
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add what a row is called, and its value in each other column."""
        self.rows.append(tuple(printable(cell) for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the title and tables that are no wider than the console."""
        from rich.cells import cell_len
        from rich.text import Text

        room = options.max_width
        yield Text(_wrapped(self.title, room), style="bold")
        columns = list(zip(self.columns, *self.rows, strict=True))
        names, *wanted = (max(map(cell_len, column)) for column in columns)
        if names + sum(width + 2 for width in wanted) <= room:
            yield self._table(names, dict(enumerate(wanted, 1)))
            return
        label = min(names, max(LABEL[0], min(LABEL[1], room // 2)))
        least = [min(_least(*column), max(1, room - label - 2)) for column in columns[1:]]
        for block in _blocks(least, room - label):
            left = room - label - sum(least[i] + 2 for i in block)
            more = max(0, min(names - label, left))
            widths = {}
            for i in block:
                widths[i + 1] = least[i] + max(0, min(wanted[i] - least[i], left - more))
                left -= widths[i + 1] - least[i]
            yield self._table(label + more, widths)

    def _table(self, names: int, widths: Mapping[int, int]) -> Table:
        """Return a table of the names and of some columns, by their number."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        table.add_column(self.columns[0], width=names)
        for i, width in widths.items():
            table.add_column(self.columns[i], width=width, justify="right", overflow="fold")
        for row in self.rows:
            table.add_row(Text(broken_name(row[0], names)), *(Text(row[i]) for i in widths))
        return table


def _least(head: str, *values: str) -> int:
    """Return the width that a column of values needs: no word of its head is broken, and no value that is short."""
    words = [len(word) for word in head.split()]
    return max(min(WHOLE, length) for length in (1, *words, *map(len, values)))


def _blocks(widths: list[int], room: int) -> list[list[int]]:
    """Return which columns stand beside each other: as many as fit, in their order, and one at least."""
    blocks: list[list[int]] = [[]]
    left = room
    for i, width in enumerate(widths):
        if blocks[-1] and width + 2 > left:
            blocks.append([])
            left = room
        blocks[-1].append(i)
        left -= width + 2
    return blocks


def _wrapped(text: str, width: int, indent: str = "  ") -> str:
    """Return a text in lines of a width, broken between words where these fit, the further ones indented."""
    if len(text) <= width:
        return text
    lead = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(
        text.strip(),
        max(width, 8),
        initial_indent=lead,
        subsequent_indent=lead + indent,
        break_long_words=True,  # names may be longer than a line
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def broken_name(name: str, width: int) -> str:
    """Return a name in at most ``LINES`` lines of a width, broken where its words end, the further ones indented."""
    if len(name) <= width:
        return name
    lead = " " * (len(name) - len(name.lstrip()))
    most = width - len(lead) - 2  # where further lines are indented
    name = name.strip()
    if len(name) > LINES * most:
        name = f"{name[: LINES * most // 2]}…{name[-(LINES * most // 3) :]}"
    lines = [""]
    for word in re.split(r"(?<=[-/_.:\s])", name):
        for part in (word[i : i + most] for i in range(0, len(word), most)):
            if len(lines[-1]) + len(part.rstrip()) > most:
                lines.append("")
            lines[-1] += part
    return lead + f"\n{lead}  ".join(line.strip() for line in lines)


def tolerant() -> None:
    """Let standard output and error replace what their encoding lacks; let there be one where the shell closed it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
