"""``compile()``: the only function that knows the steps from a model to a verified program."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from snnc import artifact
from snnc.analysis.trade_off import Goal
from snnc.arguments import CHOOSING, DT, kept, left_out, neurons_of, plan_of, require_numbers, settings_of
from snnc.backend import Backend
from snnc.called import remembered
from snnc.checked import checked
from snnc.compiled import Compiled
from snnc.dump import Dump, NoDump
from snnc.engine.presentation import is_temporal, presentation
from snnc.engine.read_out import AnyReadOut
from snnc.errors import UsageError
from snnc.evaluation.tasks import Asked, tasks_of
from snnc.evaluation.verify import Check
from snnc.frontend.base import ImportOptions
from snnc.ir.graph import Graph
from snnc.ir.store import GRAPH_FILE
from snnc.made_inputs import TO_SHOW, Range, samples_or_made, with_ranges
from snnc.manifest import MANIFEST, Settings
from snnc.neurons import SoftResetIf
from snnc.on_host import on_host, require_spiking
from snnc.ops.kernels.blas import reproducible
from snnc.ops.read_out_activation import stepwise
from snnc.passes.base import Pass
from snnc.passes.pipeline import JournalEntry
from snnc.progress import progress_bar
from snnc.registry import Registry
from snnc.rehearsal import rehearse
from snnc.rewriting import CHECKED, context_of, rewrite
from snnc.samples import Data
from snnc.samples import samples as samples_of
from snnc.text_form import build, parse, write

Source: TypeAlias = Any
"""A path of a model file or of a saved graph, a live Keras model, or a Graph."""
JUDGED = 256
"""The most samples on which compile judges the network: all that calibration has not seen, up to so many."""
SHOWN = 2048
"""The steps for which these are shown, all together: many steps take fewer samples, but as many as ``CHECKED``."""


@checked
def import_model(
    model: Source,
    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    temporal: bool = False,
    replace: Mapping[str, str] | None = None,
    dt: float | None = None,
    registry: Registry | None = None,
) -> Graph:
    """Return a model as a graph: no passes, no backend.

    Args:
        model: a ``.keras`` or ``.h5`` file, a live Keras model (never called or changed), or a saved graph folder.
        input_shape: the shape without the batch, where the model leaves sizes open; of a slice if ``temporal``.
        config: the model's config as JSON, where the file holds weights alone.
        temporal: axis 1 of the model's inputs is time, and one slice is presented each step.
        replace: what stands for a layer, a class or a function of your own, by its name: an activation such as
            ``"leaky_relu{alpha=0.1 max=20}"``, ``"identity"``, a layer such as ``"Dense"``, or an op; no code of a
            model is ever executed.
        dt: seconds a step, for a file of spiking neurons that leaves it open.
        registry: the plugins to use; all installed ones by default.

    Raises:
        FileError: it cannot be read, or is damaged or hostile.
        FrontendError: it holds something that no importer reads; all such layers are named.

    """
    if isinstance(model, Graph):
        if replace:
            raise UsageError("replace: the model is a graph already, whose layers have their meaning")
        return _as_asked(model.copy(), temporal)
    registry = Registry.discover() if registry is None else registry
    source = Path(model) if isinstance(model, (str, os.PathLike)) else model
    for cls in registry.frontends.values():
        frontend = cls(registry.kinds)
        if frontend.accepts(source):
            importers = {i.class_name: i for i in registry.importers.values() if i.frontend == frontend.family}
            options = ImportOptions(input_shape, None if config is None else Path(config), temporal, replace or {}, dt)
            return _as_asked(frontend.load(source, importers, options), temporal)
    raise UsageError(f"model: {reprlib.repr(model)} is neither a model file, nor a saved graph, nor a Keras model")


def _as_asked(graph: Graph, temporal: bool) -> Graph:
    """Return a graph; raise UsageError for one that was saved without an axis of time where one is asked for."""
    if temporal and not is_temporal(graph):
        raise UsageError(
            f"the saved graph {graph.name!r} was imported without temporal: its axes are all of one sample; import the "
            "model itself again with temporal"
        )
    return graph


@checked
@reproducible()
@remembered
def compile(
    model: Source,
    *,
    backend: str | Backend = "nengo",
    level: int | None = None,
    neurons: Any = None,
    code: str | None = None,
    scale: float | Mapping[str, float] | None = None,
    synapse: Any = None,
    calibration: Data | None = None,
    calibration_limit: int | None = None,
    input_range: Range | Mapping[str, Range] | None = None,
    passes: Iterable[str | Pass] = (),
    skip: Iterable[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    steps: int | None = None,
    target_drop: float | None = None,
    minimise: Goal | None = None,
    seed: int | None = None,
    dt: float | None = None,
    read_out: AnyReadOut | None = None,
    verify: bool = True,
    strict: bool = False,
    build: bool = True,
    progress: bool = False,
    task: Asked = None,
    judge: str | None = None,
    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    config: str | os.PathLike[str] | None = None,
    temporal: bool = False,
    replace: Mapping[str, str] | None = None,
    dump: str | os.PathLike[str] | None = None,
    registry: Registry | None = None,
) -> Compiled:
    """Compile a trained Keras model to a spiking network.

    Args:
        model: a ``.keras`` or ``.h5`` file, a live Keras model, or a saved graph folder.
        backend: ``"nengo"`` or a plugin's, with options as in ``"loihi{chips=2}"``, or a ``Backend`` object.
        level: 0 translates literally, 1 folds and fuses, 2 calibrates. Default 2, or 1 with ``scale`` or
            ``synapse``, where the backend has no other.
        neurons: a neuron model such as ``"spiking-relu"`` or ``"lif{tau_rc=0.05}"``, or a dict of them by layer or
            activation name, ``"*"`` being the rest. The backend has a default for each level; most often
            ``"spiking-relu"``, at level 2 ``"sigma-delta"``.
        code: in place of ``neurons`` how spikes carry numbers: ``"graded"``, a spike being a power of two
            (``"sigma-delta"``), or ``"counted"``, all spikes being alike (``"signed-if"``, or ``"soft-reset-if"`` for a
            temporal model).
        scale: firing rate in Hz for an activation of 1, for all or by layer.
        synapse: time constant in seconds of a low-pass behind each population, for all or by layer.
        calibration: sample inputs: every other one calibrates where a pass measures, the others judge the result. By
            default inputs are made up, and judge nothing.
        calibration_limit: use the first of these samples only.
        input_range: the least and largest value of made-up inputs, for all or by name; by default found in the model.
        passes: further passes, as text such as ``"my-pass{gain=2}"`` or as objects.
        skip: names of passes to leave out.
        options: options of passes by the pass's name.
        steps: how many steps a sample is going to be shown; at level 2 chosen by default. Left out for a temporal
            model, which runs one step a slice.
        target_drop: points of accuracy that may be expected to be lost at level 2, by default 0.5.
        minimise: what level 2 spares: ``"steps"`` (the default; then spikes and energy), ``"spikes"`` or ``"energy"``.
        seed: of everything random, by default 0; the same seed gives the same spikes.
        dt: seconds a step, by default 0.001, or what a spiking model or the keras-spiking layers of one say.
        read_out: how the outputs of all steps become one answer. A number is the share of the steps that a mean over
            the others leaves out at the start; ``"last"`` takes the last step, ``"low-pass{tau=0.01}"`` filters.
            Default 0.5, when the network has settled; at level 2, which calibrates from the first step on, 0; and
            ``"last"`` where spikes are graded, or for a temporal model whose last step says what it found out.
        verify: compare with the model, on all samples that calibrated nothing (256 at most, 2048 steps in all) or on a
            few random inputs, which judge what must be exact, but no spikes; see ``report``.
        build: lower the graph now, so that a backend that cannot says so; otherwise when it is first run.
        progress: show what is being done on a terminal or in a notebook.
        strict: refuse a network in which any nonlinearity does not spike.
        task: what the output is for, or a mapping by output, such as ``"binary"``; see ``Compiled.evaluate``. By
            default its activation says, and labels in ``calibration``, where there are any that fit.
        judge: which of several outputs labels called ``y`` are of, and a ``task`` without a name.
        input_shape: the shape without the batch, where the model leaves sizes open; of a slice if ``temporal``.
        config: the model's config as JSON, where the file holds weights alone.
        temporal: axis 1 of the model's inputs is time, and one slice is presented each step.
        replace: what stands for a layer, a class or a function of your own, by its name; see ``import_model``.
        dump: a folder to write what each pass made of the graph, as text; if a pass fails, what makes it fail again.
        registry: the plugins to use; all installed ones by default.

    Returns:
        The compiled model.

    Raises:
        SnncError: the root of all deliberate errors; one line that names the layer, the reason and the remedy.

    """
    read = [Path(path) for path in (model, calibration, config) if isinstance(path, (str, os.PathLike))]
    registry = Registry.discover() if registry is None else registry
    observer = NoDump() if dump is None else Dump(Path(dump), read, registry.passes)
    chosen = registry.build_backend(backend)
    registry = registry.including(chosen)
    usual = chosen.level(samples=calibration is not None, by_hand=scale is not None or synapse is not None)
    if code is not None:
        neurons = neurons_of(code, neurons)
    short = {"neurons": neurons, "scale": scale, "synapse": synapse}
    aims = {key: value for key, value in (("target_drop", target_drop), ("minimise", minimise)) if value is not None}
    if aims:
        options = {**(options or {}), **{name: {**(options or {}).get(name, {}), **aims} for name in CHOOSING}}
    planned = plan_of(registry, chosen, usual if level is None else level, passes, skip, options, short)
    require_numbers(seed or 0, DT if dt is None else dt, steps)
    if read_out is not None:
        registry.read_out(read_out)
    reading: Any = {"config": config, "temporal": temporal, "replace": replace, "dt": dt}
    source = import_model(model, input_shape, **reading, registry=registry)
    source = with_ranges(source, input_range)
    showing = presentation(source)
    if (made_for := kept(source, chosen)) is not None:
        skip = (*skip, *left_out(registry, chosen, source, passes, {**short, "level": level}))
        usual, seed = 0, made_for.seed if seed is None else seed
        steps = made_for.steps if steps is None and not showing.temporal else steps
        planned = plan_of(registry, chosen, usual, passes, skip, options, short)
    level, seed = usual if level is None else level, seed or 0
    if showing.temporal:
        # what signed-if remembers is of one input: a stream would never let it forget
        short = {**short, "neurons": SoftResetIf.kind} if code == "counted" else short
        planned = plan_of(registry, chosen, level, passes, skip, options, short, temporal=True)
    settings = settings_of(source, registry, chosen, level, seed, dt, steps, read_out)
    measuring = any(p.needs_calibration for p in planned)
    if calibration is not None:
        calibration = samples_of(source, calibration, output=judge)
    samples, notes = samples_or_made(source, calibration, calibration_limit, seed, measuring)
    tasks = tasks_of(source, samples, task, output=judge)
    shown = samples.head(CHECKED if samples.real else TO_SHOW)
    judged = shown if not samples.real else samples.held_back() if measuring else samples
    length = showing.steps(shown.inputs, steps, chosen.defaults(level).steps)
    verified = verify and any(p.name == "verify" for p in planned)
    asked = length if showing.temporal else steps
    context = context_of(source, registry, chosen, settings, samples, measuring, length, asked, tasks)
    context.notes.extend([*notes, *(source.made_for.notes if source.made_for else ())])
    with progress_bar(shown=progress) as bar:
        row = bar.add_task("compile", total=None)
        context = dataclasses.replace(context, tell=lambda line: bar.update(row, description=line))
        showing_errors = shown.inputs if verified or measuring else None
        rehearsed = None
        if build and measuring and chosen.rehearses:
            rehearsed = rehearse(source, planned, context, registry, settings, observer)
        graph, journal = rewrite(source, planned, context, registry, showing_errors, observer=observer)
    chosen.require_accepted(stepwise(graph))
    hosted = on_host(graph, chosen, registry)
    if strict:
        require_spiking(graph, hosted)
    untold = [row for row in hosted if not any(row in note for note in context.notes)]
    if untold:
        context.note(f"{', '.join(untold)}: on the host, in numpy; {chosen.name} has no lowering for it")
    if not showing.temporal:
        settings = dataclasses.replace(settings, steps=context.choices.get("steps", settings.steps))
        if read_out is None and "read_out" in context.choices:
            chosen_read_out = context.choices["read_out"]
            settings = dataclasses.replace(settings, read_out=write(chosen_read_out.kind, chosen_read_out.attrs()))
    compiled = Compiled(
        graph,
        source,
        settings,
        registry,
        journal=journal,
        notes=(*map(str, registry.problems), *context.notes),
        origin=_origin(model, source),
        checks=tuple(p for p in planned if isinstance(p, Check)),
    )
    if build:
        # a backend that cannot build the graph says so now
        warnings = compiled.lower(rehearsed).warnings
        compiled.notes = (*compiled.notes, *(f"hardware: {warning}" for warning in warnings))
    if verified:
        length = compiled.steps(judged)
        judged = judged.head(min(JUDGED, max(CHECKED, SHOWN // length)))
        compiled.report = compiled.verify_samples(judged, length, tasks, jobs=1).as_dict()
    return compiled


@checked
def load(path: str | os.PathLike[str], *, registry: Registry | None = None) -> Compiled:
    """Return the compiled model in an artifact folder; raise FileError for anything else."""
    registry = Registry.discover() if registry is None else registry
    read = artifact.read(Path(path), registry.kinds, MANIFEST)
    manifest = read.manifest
    try:
        settings = Settings(**{name: manifest[name] for name in Settings.__dataclass_fields__})
        journal = tuple(JournalEntry(**{"seconds": 0.0, **entry}) for entry in manifest["journal"])
        require_numbers(settings.seed, settings.dt, settings.steps)
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: its manifest lacks or misnames {error}; compile the model again") from None
    compiled = Compiled(
        read.graph,
        read.source,
        settings,
        registry,
        journal=journal,
        notes=tuple(manifest.get("notes", ())),
        origin=manifest.get("source") or {},
        checks=tuple(_checks(registry, manifest.get("checks", ()))),
        report=manifest.get("report"),
        call=manifest.get("call") or {},
    )
    compiled.backend, compiled.read_out  # noqa: B018 - what is unknown is an error now
    return compiled


def _checks(registry: Registry, texts: Iterable[str]) -> Iterator[Check]:
    """Yield the checks of plugins that a compilation ran, as far as their plugins are installed here."""
    for text in texts:
        name, options = parse(text)
        if name in registry.passes:
            check = build(registry.passes[name], f"pass {name!r}", options)
            if isinstance(check, Check):
                yield check


def _origin(model: Source, graph: Graph) -> dict[str, Any]:
    """Return what the manifest says about where the model came from."""
    if not isinstance(model, (str, os.PathLike)):
        return {"name": graph.name}
    path = Path(model)
    file = path / GRAPH_FILE if path.is_dir() else path
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    return {"name": graph.name, "path": path.as_posix(), "sha256": digest}


__all__ = ["Compiled", "Settings", "compile", "import_model", "load"]
