"""The evaluation as pictures: PNG and SVG. Needs matplotlib, from the extra ``plots``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnc.compiled import Compiled
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.simulate import as_run, present
from snnc.errors import MissingExtraError
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.verify import populations
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import stepwise
from snnc.outputs import write_files

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
    """Draw the spikes of the first sample, of the neurons of each layer that fire most."""
    graph = stepwise(compiled.graph)
    names = populations(graph)
    graph.set_outputs({name: name for name in names})
    graph.prune()
    settings = compiled.settings
    one = {name: x[:1] for name, x in inputs.items()}
    run = present(as_run(graph), one, steps, window=slice(0, steps), dt=settings.dt, seed=settings.seed)
    axes = figure.subplots()
    bottom, ticks = 0, []
    for name in names:
        spikes = run.outputs[name][0].reshape(steps, -1) > 0
        busiest = np.argsort(-spikes.sum(axis=0), kind="stable")[:RASTER]
        times, rows = np.nonzero(spikes[:, busiest])
        axes.scatter(times + 1, bottom + rows, s=3, marker="|")
        ticks.append((bottom + len(busiest) / 2, name))
        bottom += len(busiest) + 4
    axes.set_yticks([t for t, _ in ticks], [n for _, n in ticks])
    axes.set(xlabel="step", title="spikes of the first sample, busiest neurons")
    return figure


def _activations(figure: Any, compiled: Compiled, inputs: Mapping[str, Array], steps: int) -> Any:
    """Draw each neuron's activation in rate mode against what its spikes say."""
    graph, settings = compiled.graph, compiled.settings
    names = populations(graph)
    wanted = presentation(graph).mean(evaluate_nodes(graph, inputs, set(names)), slice(0, steps))
    run = present(
        as_run(graph, names),
        inputs,
        steps,
        window=slice(0, steps),
        dt=settings.dt,
        seed=settings.seed,
        watch=names,
        outputs=False,
    )
    axes = figure.subplots()
    for name in names:
        op = graph[name].op
        assert isinstance(op, Neurons)
        a, s = wanted[name].ravel(), op.decoded(run.means[name], steps).ravel()
        every = max(1, a.size // DOTS)
        largest = max(float(a.max()), 1e-12)
        axes.scatter(a[::every] / largest, s[::every] / largest, s=3, label=name)
    axes.plot([0, 1], [0, 1], color="gray", linewidth=1)
    axes.set(xlabel="activation / largest of the layer", ylabel="spike rate x scale / largest activation")
    axes.legend(markerscale=4)
    return figure
