"""Search the settings of level 2 for the cheapest network that keeps the model's accuracy.

Where a forecast of the network exists, hundreds of settings are a matter of seconds, and only those of the front are
simulated (``forecasts.py``). For other neurons every setting is (``trials.py``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from snnc.analysis.trade_off import Goal, choose, front, meets, require_goal
from snnc.arguments import neurons_of
from snnc.checked import checked
from snnc.compiler import Source, compile, import_model
from snnc.engine.presentation import is_temporal
from snnc.errors import UsageError
from snnc.evaluation.tasks import Asked, tasks_and_targets
from snnc.registry import Registry
from snnc.samples import Samples
from snnc.samples import samples as samples_of
from snnc.tune.forecasts import FORECAST, FORECASTABLE, search
from snnc.tune.outcomes import Judged, Outcome, Tuned, Watch, Watched, arguments, command, halves


@checked
def tune(
    model: Source,
    samples: Samples,
    *,
    target_drop: float = 1.0,
    minimise: Goal = "steps",
    neurons: str | None = None,
    code: str | None = None,
    trials: int = 40,
    workers: int | str = 1,
    storage: str | os.PathLike[str] | None = None,
    seed: int = 0,
    watch: Watch | None = None,
    task: Asked = None,
    judge: str | None = None,
    **options: Any,
) -> Tuned:
    """Return the front and the best setting.

    Args:
        model: as for ``compile``; a live model is imported once.
        samples: labelled samples. The first half calibrates, the second half, which no pass sees, decides.
        target_drop: points, hundredths of the accuracy or of R2, that may be lost; of several outputs by each.
        minimise: ``"steps"``, ``"spikes"`` or ``"energy"``.
        neurons: a neuron model; by default the backend's own of level 2.
        code: ``"graded"`` or ``"counted"``, in place of neurons.
        trials: how many settings are simulated in all, those of an earlier search in the same storage included; where a
            forecast exists, those of its front, and no more than so many.
        workers: processes, or the address of a Dask scheduler; for neurons without a forecast.
        storage: an SQLite file that keeps the search, for neurons without a forecast; None keeps it in memory.
        seed: of the search and of every compilation.
        watch: called with each outcome and the front so far.
        task: what the output is for, or a mapping by output; see ``Compiled.evaluate``.
        judge: the only output to judge, which labels called ``y`` are of; by default all that have labels.
        options: as for ``compile``: backend, input_shape, …

    Raises:
        DataError: there are no labels, or too few samples.
        MissingExtraError: Optuna (or Dask) is needed and not installed.
        UsageError: the model is temporal, or there is no such goal.
    """
    require_goal(minimise)
    registry = options.get("registry") or Registry.discover()
    reading = {key: options.pop(key) for key in ("input_shape", "config", "replace") if key in options}
    graph = import_model(model, **reading, registry=registry)
    if is_temporal(graph):
        raise UsageError("tune searches for few steps, and a temporal model runs for one step a slice; compile it")
    samples = samples_of(graph, samples, output=judge)
    tasks_and_targets(graph, samples, task, output=judge)  # what is wrong with labels is said before anything runs
    calibrating, others = halves(samples)
    deciding = Judged(others, task, judge)
    options = {**options, "task": task, "judge": judge}
    if code is not None:
        neurons = neurons_of(code, neurons)
    usual = registry.build_backend(options.get("backend", "nengo")).defaults(2).neurons
    kind = str(usual if neurons is None else neurons).split("{")[0]
    watched = Watched(minimise, watch)
    if kind in FORECASTABLE:
        calibrating = calibrating.head(FORECAST)
        fixed = {} if neurons is None else {"neurons": neurons}
        near: Any = {"target_drop": target_drop, "most": trials}
        tried = search(graph, calibrating, deciding, watched, kind, fixed, **near, seed=seed, options=options)
        simulated = len(watched.outcomes)
    else:
        from snnc.tune.trials import search as search_by_trials

        kept = None if storage is None else Path(storage)
        tried, simulated = search_by_trials(
            graph, calibrating, deciding, watched, neurons, target_drop, trials, workers, kept, seed, options
        )
    best = choose(watched.outcomes, target_drop, minimise)
    return Tuned(
        front=watched.front,
        best=best,
        met=meets(best.drop, target_drop),
        trials=tried,
        stopped=tried - simulated,
        calibrated=len(calibrating),
        compiled=compile(model, calibration=calibrating, seed=seed, **arguments(best.settings), **reading, **options),
    )


__all__ = ["Outcome", "Tuned", "arguments", "choose", "command", "front", "halves", "tune"]
