"""The evaluation as pictures: PNG and SVG. Needs matplotlib, from the extra ``plots``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnc.compiled import Compiled
from snnc.errors import MissingExtraError
from snnc.evaluation.evaluate import Evaluation
from snnc.ir.types import Array
from snnc.outputs import write_files
from snnc.report.traces import activations, trace
from snnc.samples import Samples

RASTER = 60
"""Neurons of each layer that the raster shows."""
DOTS = 2000
"""Neurons that the scatter shows at most."""


def write_plots(
    folder: Path,
    compiled: Compiled,
    measured: Evaluation,
    inputs: Mapping[str, Array],
    *,
    force: bool = False,
    reads: Iterable[Path] = (),
) -> list[Path]:
    """Write ``accuracy``, ``rates``, ``raster`` and ``activations`` as PNG and SVG, and the program's own pictures.

    ``accuracy`` shows R2 where numbers are values.

    Args:
        folder: where to; made if it is missing.
        compiled: what was measured.
        measured: its evaluation.
        inputs: samples by name; the first few are run again for the raster and the scatter.
        force: replace files that are no results of snnc, too.
        reads: files and folders that are never replaced.

    Returns:
        The files.

    Raises:
        MissingExtraError: matplotlib is not installed.
        FileError: a file cannot be written, or is no result of snnc; nothing has been written then.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots", error) from None
    few = {name: x[:20] for name, x in inputs.items()}
    drawn = {
        "accuracy": _accuracy(Figure(figsize=(6, 4)), measured),
        "rates": _rates(Figure(figsize=(6, 4)), measured),
        "raster": _raster(Figure(figsize=(7, 5)), compiled, few, measured.steps),
        "activations": _activations(Figure(figsize=(6, 5)), compiled, few, measured.steps),
    }
    files = {}
    for name, figure in drawn.items():
        figure.set_layout_engine("tight")
        for kind in ("png", "svg"):
            data = io.BytesIO()
            # no date inside, so that the same evaluation gives the same file
            figure.savefig(data, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
            files[f"{name}.{kind}"] = data.getvalue()
    files.update(compiled.program.pictures())
    write_files(folder, files, force=force, reads=reads)
    return [folder / name for name in files]


def _accuracy(figure: Any, measured: Evaluation) -> Any:
    axes = figure.subplots()
    steps = np.arange(1, measured.steps + 1)
    axes.plot(steps, measured.score_by_step, label=measured.measure)
    if measured.agreement_by_step is not None:
        axes.plot(steps, measured.agreement_by_step, label="agreement with the model", linestyle=":")
    axes.axhline(measured.model_score, color="gray", linewidth=1, label=f"the model's {measured.measure}")
    axes.set(xlabel="steps", ylabel=f"output {measured.output}, {measured.task}", ylim=(0, 1.02))
    axes.legend()
    return figure


def _rates(figure: Any, measured: Evaluation) -> Any:
    axes = figure.subplots()
    names = [row.layer for row in measured.layers]
    axes.barh(names, [row.rate for row in measured.layers])
    axes.invert_yaxis()
    axes.set(xlabel="mean firing rate (Hz)")
    return figure


def _raster(figure: Any, compiled: Compiled, inputs: Mapping[str, Array], steps: int) -> Any:
    """Draw the spikes of the first sample, of some neurons of each layer."""
    one = {name: x[:1] for name, x in inputs.items()}
    axes = figure.subplots()
    bottom, ticks = 0, []
    for raster in trace(compiled, one, steps, RASTER).rasters:
        times, rows = np.nonzero(raster.values)
        axes.scatter(times + 1, bottom + rows, s=3, marker="|")
        ticks.append((bottom + len(raster.neurons) / 2, raster.layer))
        bottom += len(raster.neurons) + 4
    axes.set_yticks([t for t, _ in ticks], [n for _, n in ticks])
    axes.set(xlabel="step", title="spikes of the first sample, some neurons of each layer")
    return figure


def _activations(figure: Any, compiled: Compiled, inputs: Mapping[str, Array], steps: int) -> Any:
    """Draw each neuron's activation in rate mode against what its spikes say."""
    axes = figure.subplots()
    for name, a, s in activations(compiled, Samples(inputs), steps):
        every = max(1, a.size // DOTS)
        largest = max(float(a.max()), 1e-12)
        axes.scatter(a[::every] / largest, s[::every] / largest, s=3, label=name)
    axes.plot([0, 1], [0, 1], color="gray", linewidth=1)
    axes.set(xlabel="activation / largest of the layer", ylabel="spike rate x scale / largest activation")
    axes.legend(markerscale=4)
    return figure
