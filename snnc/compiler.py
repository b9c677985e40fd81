"""``compile()``: the only function that knows the steps from a model to a verified program."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from snnc import artifact, calibration
from snnc._version import __version__
from snnc.backend import Backend, Program, Recording, Target
from snnc.calibration import Samples
from snnc.errors import SnncError, UsageError
from snnc.evaluation import Evaluation, evaluation
from snnc.frontend.base import ImportOptions
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE
from snnc.ir.types import AnyArray, Array
from snnc.passes import pipeline
from snnc.passes.base import Context, Pass
from snnc.passes.pipeline import JournalEntry
from snnc.passes.plan import plan
from snnc.registry import Registry
from snnc.verify import Check, Subject, VerifyReport, changes_over_time, populations, read_out, verify

Source: TypeAlias = Any
"""A path of a model file or of a saved graph, a live Keras model, or a Graph."""
Data: TypeAlias = "str | os.PathLike[str] | AnyArray | Mapping[str, AnyArray]"
"""The path of an ``.npz``, an array ``(batch, *shape)``, or such arrays by input name."""

STEPS = 30
"""Steps a sample is shown where the user does not say; 1 where nothing changes over time."""
MADE_UP, CHECKED = 4, 16
"""Samples that compile verifies with: random ones, or of the user's."""


def import_model(
    model: Source,
    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    registry: Registry | None = None,
) -> Graph:
    """Return a model as a graph: no passes, no backend.

    Args:
        model: a ``.keras`` or ``.h5`` file, a live Keras model (never called or changed), or a saved graph folder.
        input_shape: the shape without the batch, where the model leaves sizes open.
        config: the model's config as JSON, where the file holds weights alone.
        registry: the plugins to use; all installed ones by default.

    Raises:
        FileError: it cannot be read, or is damaged or hostile.
        FrontendError: it holds something that no importer reads; all such layers are named.

    """
    if isinstance(model, Graph):
        return model.copy()
    registry = Registry.discover() if registry is None else registry
    source = Path(model) if isinstance(model, (str, os.PathLike)) else model
    for cls in registry.frontends.values():
        frontend = cls(registry.kinds)
        if frontend.accepts(source):
            importers = {i.class_name: i for i in registry.importers.values() if i.frontend == frontend.family}
            return frontend.load(
                source,
                importers,
                ImportOptions(input_shape, config=None if config is None else Path(config)),
            )
    raise UsageError(f"{model!r} is neither a model file, nor a saved graph, nor a Keras model")


@dataclass(frozen=True)
class Settings:
    """What was asked for, as the manifest keeps it."""

    backend: str
    level: int
    seed: int
    dt: float
    steps: int | None


class Compiled:
    """A compiled model: run it, measure it, save it."""

    def __init__(
        self,
        graph: Graph,
        source: Graph,
        settings: Settings,
        registry: Registry,
        *,
        journal: tuple[JournalEntry, ...] = (),
        notes: tuple[str, ...] = (),
        origin: Mapping[str, Any] | None = None,
        checks: tuple[Check, ...] = (),
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Hold what compile or load made."""
        self.graph = graph
        """The graph as lowered."""
        self.source = source
        """The graph as imported."""
        self.settings = settings
        self.journal = journal
        """One entry a pass: what ran, who provides it, whether it changed anything, and by how much."""
        self.notes = notes
        """What the user should know about this compilation."""
        self.origin = dict(origin or {})
        """Which file or model it came from."""
        self.report = report
        """The verify report of the compilation as in the manifest, or None."""
        self._registry = registry
        self._checks = checks
        self._program: Program | None = None

    @property
    def backend(self) -> type[Backend]:
        """Return the backend's class."""
        return self._registry.backend(self.settings.backend)

    @property
    def program(self) -> Program:
        """Return the lowered program; built when first asked for."""
        if self._program is None:
            lowerings = self._registry.lowerings_for(self.settings.backend)
            target = Target(lowerings, dt=self.settings.dt, seed=self.settings.seed)
            self._program = self.backend().lower(self.graph, target)
        return self._program

    @property
    def network(self) -> Any:
        """Return the ``nengo.Network``, or None where the backend has none."""
        return self.program.network

    @property
    def network_map(self) -> Mapping[str, Any]:
        """Return the backend's object for each layer of the model, by name."""
        return self.program.network_map

    @property
    def default_steps(self) -> int:
        """Return how many steps a sample is shown where nobody says."""
        return self.settings.steps or (STEPS if changes_over_time(self.graph) else 1)

    def samples(self, x: Data, limit: int | None = None) -> Samples:
        """Return checked sample inputs (and labels) for this model."""
        return calibration.samples(self.source, x).head(limit)

    def run(self, x: Data, steps: int | None = None, **options: Any) -> dict[str, Array]:
        """Present each sample for a number of steps, every one from the same fresh state.

        Args:
            x: ``(batch, *shape)``, arrays by input name, or an ``.npz`` path.
            steps: how many steps of ``dt`` seconds.
            options: ``jobs`` (processes) and ``progress`` (a bar on a terminal).

        Returns:
            ``(batch, steps, *shape)`` float32 by output name.

        """
        return self._record(self.samples(x), self._steps(steps), **options).outputs

    def predict(self, x: Data, steps: int | None = None, **options: Any) -> Array | dict[str, Array]:
        """Return the read-out, ``(batch, *shape)``: the mean over the second half of the steps; a dict for several."""
        steps = self._steps(steps)
        outputs = read_out(self.run(x, steps, **options), steps)
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def evaluate(self, x: Data, y: AnyArray | None = None, steps: int | None = None, **options: Any) -> Evaluation:
        """Return accuracy, firing rates, spikes and synaptic operations on labelled samples.

        Args:
            x: inputs as for ``run``; an ``.npz`` or a mapping may hold the labels as ``y``.
            y: one class a sample, or one-hot rows.
            steps: how many steps each sample is shown.
            options: as for ``run``.

        """
        samples = self.samples(x)
        if y is not None:
            samples = Samples(samples.inputs, calibration.class_labels(y, len(samples)))
        steps = self._steps(steps)
        recording = self._record(samples, steps, watch=populations(self.graph), **options)
        return evaluation(self.source, self.graph, samples, recording, steps, self.settings.dt)

    def verify(
        self, x: Data | None = None, steps: int | None = None, *, keras: Any = None, **options: Any
    ) -> VerifyReport:
        """Return how close the program is to the model, and which layer is at fault.

        Args:
            x: inputs as for ``run``; random ones of the seed by default.
            steps: how many steps each sample is shown.
            keras: a live Keras model, or a file that the installed Keras can load: adds the import error.
            options: as for ``run``.

        """
        samples = calibration.made_up(self.source, MADE_UP, self.settings.seed) if x is None else self.samples(x)
        return self._verify(samples, self._steps(steps), keras, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the artifact folder, all or nothing; replaces an artifact but never anything else."""
        manifest = {
            "snnc": __version__,
            "source": self.origin,
            **asdict(self.settings),
            "journal": [_without_time(entry) for entry in self.journal],
            "notes": list(self.notes),
            "report": self.report,
        }
        artifact.write(Path(path), artifact.Artifact(manifest, self.graph, self.source))

    def _steps(self, steps: int | None) -> int:
        steps = self.default_steps if steps is None else steps
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
            raise UsageError(f"steps must be a whole number of at least 1, not {steps!r}")
        return int(steps)

    def _record(self, samples: Samples, steps: int, watch: Collection[str] = (), **options: Any) -> Recording:
        return self.program.run(samples.inputs, steps, watch=watch, **options)

    def _verify(self, samples: Samples, steps: int, keras: Any = None, **options: Any) -> VerifyReport:
        subject = Subject(
            source=self.source,
            graph=self.graph,
            program=self.program,
            samples=samples,
            steps=steps,
            tolerance=self.backend.tolerance,
            recording=self._record(samples, steps, watch=populations(self.graph), **options),
            journal=self.journal,
            keras=None if keras is None else keras_outputs(keras, self.source, samples),
        )
        return verify(subject, self._checks)


def compile(
    model: Source,
    *,
    backend: str = "nengo",
    level: int = 1,
    neurons: Any = None,
    scale: float | Mapping[str, float] | None = None,
    synapse: Any = None,
    calibration: Data | None = None,
    passes: Iterable[str | Pass] = (),
    skip: Iterable[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    steps: int | None = None,
    seed: int = 0,
    dt: float = 0.001,
    verify: bool = True,
    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    config: str | os.PathLike[str] | None = None,
    registry: Registry | None = None,
) -> Compiled:
    """Compile a trained Keras model to a spiking network.

    Args:
        model: a ``.keras`` or ``.h5`` file, a live Keras model, or a saved graph folder.
        backend: ``"nengo"`` or a plugin's.
        level: 0 translates literally, 1 folds and fuses.
        neurons: a neuron model such as ``"spiking-relu"`` or ``"lif{tau_rc=0.05}"``, or a dict of them by layer or
            activation name, ``"*"`` being the rest. Default ``"spiking-relu"``.
        scale: firing rate in Hz for an activation of 1, for all or by layer.
        synapse: time constant in seconds of a low-pass behind each population, for all or by layer.
        calibration: sample inputs; used by passes that measure, and to verify.
        passes: further passes, as text such as ``"my-pass{gain=2}"`` or as objects.
        skip: names of passes to leave out.
        options: options of passes by the pass's name.
        steps: how many steps a sample is going to be shown.
        seed: of everything random; the same seed gives the same spikes.
        dt: seconds a step.
        verify: compare with the model on the calibration samples, or on a few random inputs; see ``report``.
        input_shape: the shape without the batch, where the model leaves sizes open.
        config: the model's config as JSON, where the file holds weights alone.
        registry: the plugins to use; all installed ones by default.

    Returns:
        The compiled model.

    Raises:
        SnncError: the root of all deliberate errors; one line that names the layer, the reason and the remedy.

    """
    registry = Registry.discover() if registry is None else registry
    steps_plan = _plan(registry, backend, level, passes, skip, options, neurons=neurons, scale=scale, synapse=synapse)
    _require_numbers(seed, dt, steps)
    needing = [p.name for p in steps_plan if p.needs_calibration]
    if needing and calibration is None:
        raise UsageError(f"{', '.join(needing)} measure the model: give sample inputs (--calibration x.npz)")
    source = import_model(model, input_shape, config=config, registry=registry)
    samples = None if calibration is None else _samples(source, calibration)
    context = Context(
        backend=backend,
        chain=registry.chain(backend),
        neurons=registry.neurons,
        samples=None if samples is None else samples.inputs,
        seed=seed,
        dt=dt,
        steps=steps,
    )
    verified = verify and any(p.name == "verify" for p in steps_plan)
    shown = made_up_or(samples, source, seed)
    graph, journal = pipeline.run(
        source,
        steps_plan,
        context,
        kinds=registry.ops,
        providers=registry.provided("pass"),
        samples=shown.inputs if verified else None,
    )
    compiled = Compiled(
        graph,
        source,
        Settings(backend, level, seed, dt, steps),
        registry,
        journal=journal,
        notes=tuple(context.notes),
        origin=_origin(model, source),
        checks=tuple(p for p in steps_plan if isinstance(p, Check)),
    )
    compiled.program  # noqa: B018 - a backend that cannot build the graph says so now
    if verified:
        compiled.report = compiled._verify(shown, compiled.default_steps, jobs=1).as_dict()
    return compiled


def load(path: str | os.PathLike[str], *, registry: Registry | None = None) -> Compiled:
    """Return the compiled model in an artifact folder; raise FileError for anything else."""
    registry = Registry.discover() if registry is None else registry
    read = artifact.read(Path(path), registry.kinds)
    manifest = read.manifest
    try:
        settings = Settings(**{name: manifest[name] for name in Settings.__dataclass_fields__})
        journal = tuple(JournalEntry(**{"seconds": 0.0, **entry}) for entry in manifest["journal"])
        _require_numbers(settings.seed, settings.dt, settings.steps)
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: its manifest lacks or misnames {error}; compile the model again") from None
    named = [cls() for cls in registry.passes.values() if issubclass(cls, Check)]
    ran = {entry.name for entry in journal}
    compiled = Compiled(
        read.graph,
        read.source,
        settings,
        registry,
        journal=journal,
        notes=tuple(manifest.get("notes", ())),
        origin=manifest.get("source"),
        checks=tuple(check for check in named if check.default or check.name in ran),
        report=manifest.get("report"),
    )
    compiled.backend  # noqa: B018 - an unknown backend is an error now
    return compiled


def keras_outputs(keras: Any, source: Graph, samples: Samples) -> dict[str, Array]:
    """Return what Keras itself gives for the samples, by output name; a path is loaded with the installed Keras."""
    if isinstance(keras, (str, os.PathLike)):
        from snnc.frontend.keras_live import load_with_keras

        keras = load_with_keras(Path(keras))
    inputs = [samples.inputs[name] for name in source.inputs]
    outputs = keras.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    listed = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    if len(listed) != len(source.outputs):
        raise SnncError(f"Keras gives {len(listed)} outputs, the graph has {len(source.outputs)}: not the same model")
    return dict(zip(source.outputs, (np.asarray(y, dtype=np.float32) for y in listed), strict=True))


def made_up_or(samples: Samples | None, source: Graph, seed: int) -> Samples:
    """Return a few of the user's samples, or random ones where there are none."""
    return calibration.made_up(source, MADE_UP, seed) if samples is None else samples.head(CHECKED)


def _samples(graph: Graph, data: Data) -> Samples:
    return calibration.samples(graph, data)


def _plan(
    registry: Registry,
    backend: str,
    level: int,
    passes: Iterable[str | Pass],
    skip: Iterable[str],
    options: Mapping[str, Mapping[str, Any]] | None,
    **short: Any,
) -> list[Pass]:
    """Return the plan, with the short forms (neurons, scale, synapse) put into the options of their passes."""
    merged = {name: dict(values) for name, values in (options or {}).items()}
    for key, name in (("neurons", "swap-activations"), ("scale", "scale-rates"), ("synapse", "insert-synapses")):
        if short[key] is not None:
            merged.setdefault(name, {})[key] = short[key]
    return plan(registry.passes, registry.chain(backend), level, named=passes, skip=skip, options=merged)


def _require_numbers(seed: Any, dt: Any, steps: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**31:
        raise UsageError(f"seed must be a whole number from 0 to {2**31 - 1}, not {seed!r}")
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt <= 1:
        raise UsageError(f"dt must be seconds between 0 and 1, not {dt!r}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1):
        raise UsageError(f"steps must be a whole number of at least 1, not {steps!r}")


def _origin(model: Source, graph: Graph) -> dict[str, Any]:
    """Return what the manifest says about where the model came from."""
    if not isinstance(model, (str, os.PathLike)):
        return {"name": graph.name}
    path = Path(model)
    file = path / GRAPH_FILE if path.is_dir() else path
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    return {"name": graph.name, "path": path.as_posix(), "sha256": digest}


def _without_time(entry: JournalEntry) -> dict[str, Any]:
    """Return a journal entry for the manifest, which must not differ between two equal compilations."""
    document = asdict(entry)
    del document["seconds"]
    if entry.error is not None:
        document["error"] = float(f"{entry.error:.2g}")
    return document


__all__ = ["Compiled", "Settings", "compile", "import_model", "load"]
