"""The cores as text and as pictures: which layer is where, and how full each core is."""

from __future__ import annotations

import io
import json
from typing import Any

from snnc.api import MissingExtraError
from snnc_loihi.utilisation import Utilisation

WIDE, HIGH = 16, 8
"""Cores of a chip in a row, and rows: a picture of their number, not of where they are on the chip."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def text_map(found: Utilisation) -> str:
    """Return a cell a core: a letter for its layer, and how many tenths of its scarcest resource are taken."""
    names = [layer.layer for layer in found.layers]
    lines = []
    for chip in range(found.chips):
        cores = [core for core in found.cores if core.chip == chip]
        lines.append(f"chip {chip}: {len(cores)} of {WIDE * HIGH} cores")
        cells = [
            LETTERS[names.index(core.layer) % len(LETTERS)] + str(int(9.99 * max(core.shares(found.limits).values())))
            for core in cores
        ]
        lines += [" ".join(cells[i : i + WIDE]) for i in range(0, len(cells), WIDE)]
    for i, layer in enumerate(found.layers):
        lines.append(
            f"{LETTERS[i % len(LETTERS)]} {layer.layer}: {layer.cores} cores, {layer.neurons} neurons, "
            f"{layer.in_axons} in-axons, {layer.out_axons} out-axons, {layer.synapse_bits} bits of synapses, "
            f"fullest {layer.fullest:.0%} of {layer.scarcest}, {layer.weight_bits:.1f} bits for a median weight"
        )
    return "\n".join([*lines, *found.warnings])


def draw(figure: Any, found: Utilisation) -> Any:
    """Draw the chips on a ``matplotlib.figure.Figure`` and return it: a colour a layer, darker for fuller cores."""
    from matplotlib import colormaps
    from matplotlib.patches import Patch, Rectangle

    names = [layer.layer for layer in found.layers]
    colours = {name: colormaps["tab20"](i % 20) for i, name in enumerate(names)}
    panels = figure.subplots(1, found.chips, squeeze=False)[0]
    for chip, axes in enumerate(panels):
        for core in (c for c in found.cores if c.chip == chip):
            row, column = divmod(core.core, WIDE)
            full = max(core.shares(found.limits).values())
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colours[core.layer], alpha=0.25 + 0.75 * full))
            axes.text(column + 0.5, row + 0.5, f"{full:.0%}", ha="center", va="center", fontsize=5)
        axes.set(xlim=(0, WIDE), ylim=(HIGH, 0), aspect="equal", title=f"chip {chip}", xticks=[], yticks=[])
    handles = [Patch(color=colours[layer.layer], label=f"{layer.layer} ({layer.cores})") for layer in found.layers]
    figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=7)
    return figure


def map_files(found: Utilisation) -> dict[str, bytes]:
    """Return ``cores.txt``, ``cores.json``, ``cores.png`` and ``cores.svg`` by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots", error) from None
    figure = draw(Figure(figsize=(7 * found.chips, 4.5)), found)
    numbers = json.dumps(found.as_dict(), indent=1)
    files = {"cores.txt": f"{text_map(found)}\n".encode(), "cores.json": f"{numbers}\n".encode()}
    for kind in ("png", "svg"):
        data = io.BytesIO()
        # no date inside, so that the same network gives the same file
        figure.savefig(data, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
        files[f"cores.{kind}"] = data.getvalue()
    return files
