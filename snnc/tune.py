"""Search the settings of level 2 for the cheapest network that keeps the model's accuracy.

Optuna proposes, in batches of a fixed size and from a seeded sampler, and any number of workers evaluates a batch: one
process, eight, or a Dask cluster give the same front. Everything is kept in an SQLite file: a killed search goes on
where it was, and several machines may work on one file.
"""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from snnc.compiled import Compiled, Settings
from snnc.compiler import Source, compile, import_model
from snnc.engine.presentation import is_temporal
from snnc.errors import DataError, MissingExtraError, UsageError
from snnc.ir.graph import Graph
from snnc.registry import Registry
from snnc.samples import Samples

Goal: TypeAlias = Literal["steps", "spikes", "energy"]
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


@dataclass(frozen=True)
class Outcome:
    """The results of one setting on the samples that it was not calibrated with."""

    settings: dict[str, Any]
    accuracy: float
    drop: float
    """Percentage points below the model on the same samples."""
    steps: int
    spikes: float
    """Per input."""
    energy: float
    """Joules per input, 45 nm; see ``snnc.evaluation.cost``."""

    def cost(self, goal: Goal) -> float:
        """Return the number that is minimised."""
        return float(getattr(self, goal))


@dataclass(frozen=True)
class Tuned:
    """The result of a search."""

    front: tuple[Outcome, ...]
    """The settings that no other beats in both accuracy and cost, cheapest first."""
    best: Outcome
    """The cheapest that meets the target, or the most accurate where none does."""
    met: bool
    """Whether it meets the target."""
    trials: int
    stopped: int
    """Trials that the pruner stopped after a few images."""
    compiled: Compiled
    """The best setting, compiled."""


def tune(
    model: Source,
    samples: Samples,
    *,
    target_drop: float = 1.0,
    minimise: Goal = "steps",
    trials: int = 40,
    workers: int | str = 1,
    storage: Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Tuned:
    """Return the front and the best setting.

    Args:
        model: as for ``compile``; a live model is imported once.
        samples: labelled samples. The first half calibrates, the second half, which no pass sees, decides.
        target_drop: percentage points of accuracy that may be lost.
        minimise: ``"steps"``, ``"spikes"`` or ``"energy"``.
        trials: how many settings are tried in all, those of an earlier search in the same storage included.
        workers: processes, or the address of a Dask scheduler.
        storage: an SQLite file that keeps the search; None keeps it in memory.
        seed: of the search and of every compilation.
        options: as for ``compile``: backend, input_shape, …

    Raises:
        DataError: there are no labels, or too few samples.
        MissingExtraError: Optuna (or Dask) is not installed.
    """
    optuna = _optuna()
    calibrating, deciding = halves(samples)
    graph = import_model(
        model, options.get("input_shape"), config=options.get("config"), registry=options.get("registry")
    )
    if is_temporal(graph):
        raise UsageError("tune searches for few steps, and a temporal model runs for one step a slice; compile it")
    reading = ("input_shape", "config")
    task = _Task(graph, calibrating, deciding, seed, {k: v for k, v in options.items() if k not in reading})
    with _kept(optuna, storage) as kept:
        study = _study(optuna, kept, storage, seed, target_drop, minimise)
        with _cluster(workers) as parallel:
            while (left := trials - _counted(study)) > 0:
                batch = [study.ask() for _ in range(min(BATCH, left))]
                settings = [_suggest(trial) for trial in batch]
                _run_batch(optuna, study, batch, settings, task, parallel, target_drop, minimise)
        outcomes = [Outcome(**t.user_attrs["outcome"]) for t in study.trials if "outcome" in t.user_attrs]
        best = choose(outcomes, target_drop, minimise)
        stopped = sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials)
        return Tuned(
            front=front(outcomes, minimise),
            best=best,
            met=best.drop <= target_drop,
            trials=_counted(study),
            stopped=stopped,
            compiled=compile(model, calibration=calibrating, seed=seed, **arguments(best.settings), **options),
        )


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """Return the first half, to calibrate with, and the second, to decide with."""
    if samples.labels is None:
        raise DataError("tune needs labels: put them into the .npz as 'y', or give --labels")
    if len(samples) < 40:
        raise DataError(f"{len(samples)} labelled samples are too few to tune with: give at least 40, better 500")
    half = len(samples) // 2
    second = Samples({name: x[half:] for name, x in samples.inputs.items()}, samples.labels[half:])
    return samples.head(half), second


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``compile`` for settings of the search."""
    scales = {key: settings[key] for key in ("rule", "percentile", "per", "spikes")}
    return {
        "level": 2,
        "neurons": settings["neurons"],
        "synapse": settings["synapse"],
        "steps": settings["steps"],
        "read_out": settings["read_out"],
        "options": {"calibrate-scales": scales},
    }


def command(settings: Mapping[str, Any], model: str, calibration: str, samples: int, seed: int, output: str) -> str:
    """Return the command line that compiles the same artifact."""
    scales = " ".join(f"{key}={settings[key]}" for key in ("rule", "percentile", "per", "spikes"))
    words = ["snnc", "compile", model, "--level", "2"]
    words += ["--calibration", calibration, "--calibration-limit", str(samples)]
    words += ["--neurons", settings["neurons"], "--pass", f"calibrate-scales{{{scales}}}"]
    words += ["--steps", str(settings["steps"]), "--read-out", str(settings["read_out"]), "--seed", str(seed)]
    if settings["synapse"] is not None:
        words += ["--synapse", str(settings["synapse"])]
    return shlex.join([*words, "-o", output])


def front(outcomes: Sequence[Outcome], minimise: Goal) -> tuple[Outcome, ...]:
    """Return the outcomes that no other beats in accuracy and cost, cheapest first, equal ones once."""
    best: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda o: (o.cost(minimise), -o.accuracy, o.spikes, repr(o.settings))):
        if not best or outcome.accuracy > best[-1].accuracy:
            best.append(outcome)
    return tuple(best)


def choose(outcomes: Sequence[Outcome], target_drop: float, minimise: Goal) -> Outcome:
    """Return the cheapest outcome that meets the target, the more accurate of equals, or else the most accurate."""
    meeting = [o for o in outcomes if o.drop <= target_drop]
    if meeting:
        return min(meeting, key=lambda o: (o.cost(minimise), -o.accuracy, o.spikes))
    return max(outcomes, key=lambda o: (o.accuracy, -o.cost(minimise)))


@dataclass(frozen=True)
class _Task:
    """A setting to try, with all that a worker needs for it."""

    graph: Graph
    calibrating: Samples
    deciding: Samples
    seed: int
    options: dict[str, Any]

    def first(self, settings: Mapping[str, Any]) -> tuple[Graph, Settings, Outcome]:
        """Return the compiled setting, and what it gives on a few images.

        Nothing is lowered before the engine that measures it needs that.
        """
        made = arguments(settings)
        compiled = compile(
            self.graph, calibration=self.calibrating, seed=self.seed, verify=False, build=False, **made, **self.options
        )
        graph, asked = compiled.graph, compiled.settings
        return graph, asked, self.measure(settings, graph, asked, FEW)

    def measure(self, settings: Mapping[str, Any], graph: Graph, asked: Settings, images: int | None = None) -> Outcome:
        """Return what a compiled graph gives on the first images of the half that decides, or on all."""
        shown = self.deciding.head(images)
        compiled = Compiled(graph, self.graph, asked, self.options.get("registry") or Registry.discover())
        found = compiled.evaluate(shown)
        drop = 100 * (found.model_accuracy - found.accuracy)
        return Outcome(dict(settings), found.accuracy, drop, found.steps, found.spikes, found.cost.energy_45nm)


def _run_batch(
    optuna: Any,
    study: Any,
    batch: Sequence[Any],
    settings: Sequence[Mapping[str, Any]],
    task: _Task,
    parallel: Any,
    target_drop: float,
    minimise: Goal,
) -> None:
    """Try a batch on a few images, let the pruner stop what is bad, and try the rest on all."""
    from joblib import delayed

    firsts = parallel(delayed(_Task.first)(task, s) for s in settings)
    going = []
    for trial, setting, (graph, asked, outcome) in zip(batch, settings, firsts, strict=True):
        trial.report(_value(outcome, target_drop, minimise), step=1)
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            going.append((trial, setting, graph, asked))
    outcomes = parallel(delayed(_Task.measure)(task, *rest) for _, *rest in going)
    for (trial, *_), outcome in zip(going, outcomes, strict=True):
        trial.set_user_attr("outcome", asdict(outcome))
        study.tell(trial, _value(outcome, target_drop, minimise))


def _value(outcome: Outcome, target_drop: float, minimise: Goal) -> float:
    excess = max(0.0, outcome.drop - target_drop)
    return HOPELESS * (1 + excess) if excess else outcome.cost(minimise)


def _suggest(trial: Any) -> dict[str, Any]:
    return {name: trial.suggest_categorical(name, list(values)) for name, values in SPACE.items()}


@contextmanager
def _kept(optuna: Any, storage: Path | None) -> Iterator[Any]:
    """Give Optuna's storage in an SQLite file, or None for one in memory; its connections are closed afterwards."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage is None:
        yield None
        return
    from sqlalchemy.pool import NullPool

    try:
        kept = optuna.storages.RDBStorage(
            f"sqlite:///{os.path.abspath(storage)}", engine_kwargs={"poolclass": NullPool}
        )
    except Exception as error:  # SQLAlchemy's own errors are many, and all mean the same here
        reason = str(error).splitlines()[0]
        raise UsageError(f"{storage}: cannot be used as the storage of a search: {reason}") from error
    try:
        yield kept
    finally:
        kept.remove_session()
        kept.engine.dispose()


def _study(optuna: Any, kept: Any, storage: Path | None, seed: int, target_drop: float, minimise: Goal) -> Any:
    """Return the study: a new one that begins with the defaults of level 2, or the one in the file."""
    study = optuna.create_study(
        study_name="snnc", storage=kept, load_if_exists=True, pruner=optuna.pruners.MedianPruner(n_startup_trials=5)
    )
    goal = [target_drop, minimise]
    if study.user_attrs.get("goal", goal) != goal:
        raise UsageError(f"{storage}: holds a search for another goal, {study.user_attrs['goal']}; use another file")
    study.set_user_attr("goal", goal)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # left behind by a search that was killed
    if not study.trials:
        for steps in FIRST_STEPS:
            study.enqueue_trial({**DEFAULTS, "steps": steps})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the constant liar, which keeps a batch varied, is "experimental"
        # a search that goes on must not repeat the proposals that it began with
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), constant_liar=True)
    return study


def _counted(study: Any) -> int:
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)


def _cluster(workers: int | str) -> AbstractContextManager[Any]:
    """Return a context that gives a joblib ``Parallel``: in processes, or on the cluster of a Dask scheduler."""
    from joblib import Parallel, parallel_config

    if isinstance(workers, int) or workers.isdigit():
        return nullcontext(Parallel(n_jobs=max(1, int(workers))))
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
