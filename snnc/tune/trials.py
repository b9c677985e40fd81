"""Search for neurons of which there is no forecast: every setting is simulated.

Optuna proposes, in batches of a fixed size and from a seeded sampler, and any number of workers evaluates a batch: one
process, eight, or a Dask cluster give the same front. Everything is kept in an SQLite file: a killed search goes on
where it was, and several machines may work on one file.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from snnc.analysis.trade_off import Goal, cost_of, meets
from snnc.compiled import Compiled
from snnc.compiler import compile
from snnc.errors import MissingExtraError, UsageError
from snnc.ir.graph import Graph
from snnc.manifest import Settings
from snnc.passes.calibrate_scales import CalibrateScales
from snnc.processes import in_processes
from snnc.registry import Registry
from snnc.samples import Samples
from snnc.tune.outcomes import Judged, Outcome, Watched, arguments, outcome

BATCH = 6
"""Trials that are proposed together. Fixed, so that the search does not depend on the number of workers."""
FEW = 50
"""Images after which a trial may be stopped."""
HOPELESS = 1e9
"""Added to the value of a trial that misses the target, so that it is worse than any that meets it."""

SPACE: Mapping[str, Sequence[Any]] = {
    "neurons": ("soft-reset-if", "soft-reset-if{gamma=2}", "soft-reset-if{gamma=4}", "spiking-relu"),
    "rule": ("percentile", "max", "mmse", "balance"),
    "percentile": (99.0, 99.9, 99.99),
    "per": ("channel", "layer"),
    "spikes": (0.5, 1.0, 2.0),
    "synapse": (None, 0.002, 0.005),
    "steps": (2, 3, 4, 6, 8, 12, 16, 24, 32),
    "read_out": (0.0, 0.25, 0.5, "low-pass{tau=0.005}"),
}
"""The settings that are searched. Optuna keeps what it is given, so these are plain values."""
DEFAULTS: Mapping[str, Any] = {
    "neurons": "soft-reset-if",
    "rule": "percentile",
    "percentile": 99.9,
    "per": "channel",
    "spikes": 1.0,
    "synapse": None,
    "read_out": 0.0,
}
"""What level 2 does by itself; tried first, at several numbers of steps."""
FIRST_STEPS = (8, 4, 16)


def search(
    graph: Graph,
    calibrating: Samples,
    deciding: Judged,
    watched: Watched,
    neurons: str | None,
    target_drop: float,
    trials: int,
    workers: int | str,
    storage: Path | None,
    seed: int,
    options: Mapping[str, Any],
) -> tuple[int, int]:
    """Put the outcomes into ``watched``, and return how many settings were tried, and how many on all samples.

    Args:
        graph: the model as imported.
        calibrating: samples for the passes.
        deciding: labelled samples, a few of which decide whether a setting is measured on all.
        watched: takes in the outcomes, those of an earlier search in the same storage first.
        neurons: the only neurons to try; None for all of the space.
        target_drop: points of accuracy that may be lost.
        trials: how many settings in all.
        workers: processes, or the address of a Dask scheduler.
        storage: an SQLite file, or None.
        seed: of the search and of every compilation.
        options: as for ``compile``.
    """
    optuna = _optuna()
    space = SPACE if neurons is None else {**SPACE, "neurons": (neurons,)}
    task = _Task(graph, calibrating, deciding, seed, dict(options))
    minimise = watched.minimise
    with _kept(optuna, storage) as kept:
        study = _study(optuna, kept, storage, seed, target_drop, minimise, space)
        for trial in study.trials:
            if "outcome" in trial.user_attrs:
                watched.add(Outcome(**trial.user_attrs["outcome"]))
        with _cluster(workers) as parallel:
            while (left := trials - _counted(study)) > 0:
                batch = [study.ask() for _ in range(min(BATCH, left))]
                settings = [_suggest(trial, space) for trial in batch]
                for found in _run_batch(optuna, study, batch, settings, task, parallel, target_drop, minimise):
                    watched.add(found)
        return _counted(study), len(watched.outcomes)


@dataclass(frozen=True)
class _Task:
    """A setting to try, with all that a worker needs for it."""

    graph: Graph
    calibrating: Samples
    deciding: Judged
    seed: int
    options: dict[str, Any]

    def first(self, settings: Mapping[str, Any]) -> tuple[Graph, Settings, Outcome]:
        """Return the compiled setting, and what it gives on a few images.

        Nothing is lowered before the engine that measures it needs that.
        """
        made = arguments(as_arguments(settings))
        compiled = compile(
            self.graph, calibration=self.calibrating, seed=self.seed, verify=False, build=False, **made, **self.options
        )
        graph, asked = compiled.graph, compiled.settings
        return graph, asked, self.measure(settings, graph, asked, FEW)

    def measure(self, settings: Mapping[str, Any], graph: Graph, asked: Settings, images: int | None = None) -> Outcome:
        """Return what a compiled graph gives on the first images of the half that decides, or on all."""
        compiled = Compiled(graph, self.graph, asked, self.options.get("registry") or Registry.discover())
        return outcome(as_arguments(settings), self.deciding.evaluation(compiled, images))


def _run_batch(
    optuna: Any,
    study: Any,
    batch: Sequence[Any],
    settings: Sequence[Mapping[str, Any]],
    task: _Task,
    parallel: Any,
    target_drop: float,
    minimise: Goal,
) -> list[Outcome]:
    """Try a batch on a few images, let the pruner stop what is bad, and return the outcomes of the rest on all."""
    from joblib import delayed

    firsts = list(parallel(delayed(_Task.first)(task, s) for s in settings))
    going = []
    for trial, setting, (graph, asked, first) in zip(batch, settings, firsts, strict=True):
        trial.report(_value(first, target_drop, minimise), step=1)
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            going.append((trial, setting, graph, asked))
    outcomes: list[Outcome] = list(parallel(delayed(_Task.measure)(task, *rest) for _, *rest in going))
    for (trial, *_), found in zip(going, outcomes, strict=True):
        trial.set_user_attr("outcome", asdict(found))
        study.tell(trial, _value(found, target_drop, minimise))
    return outcomes


def as_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of the space as ``arguments`` and ``command`` take them."""
    scales = {key: settings[key] for key in ("rule", "percentile", "per", "spikes")}
    own = {key: settings[key] for key in ("neurons", "synapse", "steps", "read_out")}
    return {**own, CalibrateScales.name: scales}


def _value(found: Outcome, target_drop: float, minimise: Goal) -> float:
    if not meets(found.drop, target_drop):
        return HOPELESS * (1 + found.drop - target_drop)
    return cost_of(found, minimise)[0]


def _suggest(trial: Any, space: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: trial.suggest_categorical(name, list(values)) for name, values in space.items()}


@contextmanager
def _kept(optuna: Any, storage: Path | None) -> Iterator[Any]:
    """Give Optuna's storage in an SQLite file, or None for one in memory; its connections are closed afterwards."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage is None:
        yield None
        return
    from sqlalchemy.pool import NullPool

    try:
        _require_search(storage)
        kept = optuna.storages.RDBStorage(
            f"sqlite:///{os.path.abspath(storage)}", engine_kwargs={"poolclass": NullPool}
        )
    except UsageError:
        raise
    except Exception as error:  # SQLAlchemy's own errors are many, and all mean the same here
        reason = str(error).splitlines()[0]
        raise UsageError(f"{storage}: cannot be used as the storage of a search: {reason}") from error
    try:
        yield kept
    finally:
        kept.remove_session()
        kept.engine.dispose()


def _require_search(storage: Path) -> None:
    """Raise UsageError for a database that is not Optuna's, which would put its tables into it."""
    if storage.exists() and storage.stat().st_size:
        with closing(sqlite3.connect(f"{storage.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if "studies" not in tables:
            raise UsageError(f"{storage}: is a database of something else; choose another --storage")


def _study(
    optuna: Any,
    kept: Any,
    storage: Path | None,
    seed: int,
    target_drop: float,
    minimise: Goal,
    space: Mapping[str, Sequence[Any]],
) -> Any:
    """Return the study: a new one that begins with the defaults of level 2, or the one in the file."""
    study = optuna.create_study(
        study_name="snnc", storage=kept, load_if_exists=True, pruner=optuna.pruners.MedianPruner(n_startup_trials=5)
    )
    goal = [target_drop, minimise, *space["neurons"]]
    if study.user_attrs.get("goal", goal) != goal:
        raise UsageError(f"{storage}: holds a search for another goal, {study.user_attrs['goal']}; use another file")
    study.set_user_attr("goal", goal)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # left behind by a search that was killed
    if not study.trials:
        for steps in FIRST_STEPS:
            study.enqueue_trial({**DEFAULTS, "neurons": space["neurons"][0], "steps": steps})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the constant liar, which keeps a batch varied, is "experimental"
        # a search that goes on must not repeat the proposals that it began with
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), constant_liar=True)
    return study


def _counted(study: Any) -> int:
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)


def _cluster(workers: int | str) -> AbstractContextManager[Any]:
    """Return a context that gives what does joblib's ``delayed`` calls: processes, or a Dask scheduler's cluster."""
    from joblib import Parallel, parallel_config

    if isinstance(workers, int) or workers.isdigit():
        return nullcontext(partial(in_processes, jobs=max(1, int(workers))))
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("dask", error) from None

    class Cluster(AbstractContextManager[Any]):
        def __enter__(self) -> Any:
            try:
                self.client = Client(workers, timeout="10s")
            except (OSError, ValueError) as error:
                raise UsageError(f"workers: no Dask scheduler answers at {workers}: {error}") from None
            self.config = parallel_config("dask")
            self.config.__enter__()
            return Parallel()

        def __exit__(self, *error: object) -> None:
            self.config.__exit__(None, None, None)
            self.client.close()

    return Cluster()


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("tune", error) from None
    return optuna
