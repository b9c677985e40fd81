"""The compiled model that compile returns: it runs, is measured and is saved."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from snnc import artifact
from snnc._version import __version__
from snnc.analysis.census import Census, census
from snnc.analysis.rate_model import to_rate_model
from snnc.analysis.task import Task
from snnc.checked import checked
from snnc.engine.recording import Recording
from snnc.errors import UsageError
from snnc.evaluation.evaluate import Evaluation, evaluation
from snnc.evaluation.exported import ExportReport, compare_exported
from snnc.evaluation.tasks import Asked, tasks_and_targets, tasks_of
from snnc.evaluation.verify import Check, Measurements, Subject, VerifyReport, verify
from snnc.export import Network
from snnc.frontend.keras_loading import keras_outputs
from snnc.manifest import without_time
from snnc.outputs import Kind, new_folder, write_file, write_manifest
from snnc.passes.pipeline import JournalEntry
from snnc.runnable import Runnable
from snnc.samples import Data, Labels, Samples
from snnc.text_form import write

EXPORT_FILE = "snnc.json"
"""In what ``export`` writes: which files are of it."""


@dataclass(eq=False, repr=False)
class Compiled(Runnable):
    """A compiled model: run it, measure it, save it.

    Threads may share one. It is pickled and copied without its program, which is built again when it is asked for.
    """

    journal: tuple[JournalEntry, ...] = ()
    """One entry a pass: what ran, who provides it, whether it changed anything, and by how much."""
    notes: tuple[str, ...] = ()
    """What the user should know about this compilation."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Which file or model it came from."""
    checks: tuple[Check, ...] = ()
    """The checks of plugins that verify asks."""
    call: Mapping[str, Any] = field(default_factory=dict)
    """The arguments that compile was given, as text."""
    report: Mapping[str, Any] | None = None
    """The verify report of the compilation as in the manifest, or None."""

    def __repr__(self) -> str:
        return f"<Compiled {self.graph.name!r} for {self.settings.backend}, level {self.settings.level}>"

    def _repr_html_(self) -> str:
        from snnc.in_notebook import compiled

        return compiled(self)

    @property
    def census(self) -> Census:
        """Return statistics of the graph: neurons, ops on the host, the share of the work that spikes drive."""
        return census(self.graph)

    @checked
    def evaluate(
        self,
        x: Data,
        y: Labels | None = None,
        steps: int | None = None,
        *,
        output: str | None = None,
        task: Asked = None,
        engine: str | None = None,
        jobs: int | None = None,
        progress: bool = False,
    ) -> Evaluation:
        """Return how well each output does its task, firing rates, spikes and operations on labelled samples.

        Args:
            x: inputs as for ``run``; an ``.npz`` or a mapping may hold the labels as ``y``, or ``y_OUTPUT`` for one of
                several outputs.
            y: the labels of the only output, or a mapping of them by output: classes or one-hot rows, yes or no,
                values, all of these for each pixel or step.
            steps: how many steps each sample is shown.
            output: the only output to judge, which ``y`` is of; by default all that have labels.
            task: what the output is for, or a mapping by output; by default its activation and labels say:
                ``"classes"``, ``"binary"``, ``"multi-label"``, ``"regression"``, ``"pixels"``, ``"sequences"`` or
                ``"reconstruction"``.
            engine: what runs it, one of ``backend.engines``, by default the first. ``"numpy"`` is snnc's batched
                evaluator, ``"program"`` what ``run`` uses.
            jobs: as for ``run``; the engine ``"numpy"`` has threads.
            progress: show a bar on a terminal or in a notebook.
        """
        samples = self._labelled(x, y, output)
        # what is wrong with labels is said before anything runs
        tasks, samples = tasks_and_targets(self.source, samples, task, output=output)
        steps = self.steps(samples, steps)
        engine = engine or self.backend.engines[0]
        runs = self._runs(samples, steps, engine, jobs=jobs, progress=progress)
        stored = {} if engine == "numpy" else self.program.using(engine).stored_inputs
        return evaluation(
            self.source,
            self.graph,
            runs,
            steps,
            self.settings.dt,
            self.read_out,
            tasks,
            stored,
            self.backend.remedies,
        )

    @checked
    def verify(
        self,
        x: Data | None = None,
        steps: int | None = None,
        *,
        keras: Any = None,
        output: str | None = None,
        task: Asked = None,
        jobs: int | None = None,
        progress: bool = False,
    ) -> VerifyReport:
        """Return how close the program is to the model, and which layer is at fault.

        Args:
            x: inputs as for ``run``; random ones of the seed by default.
            steps: how many steps each sample is shown.
            keras: a live Keras model, or a file that the installed Keras can load: adds the import error.
            output: which output labels called ``y`` are of, and a ``task`` without a name.
            task: what is judged, as for ``evaluate``; labels only help to choose it.
            jobs: as for ``run``.
            progress: show a bar on a terminal or in a notebook.

        """
        samples = self._made() if x is None else self.samples(x, output=output)
        tasks = tasks_of(self.source, samples, task, output=output)
        return self.verify_samples(samples, self.steps(samples, steps), tasks, keras, jobs=jobs, progress=progress)

    @checked
    def report_html(
        self,
        x: Data,
        y: Labels | None = None,
        steps: int | None = None,
        *,
        output: str | None = None,
        task: Asked = None,
        chosen: Sequence[int] | None = None,
        jobs: int | None = None,
        progress: bool = False,
    ) -> str:
        """Return a page, one HTML file, that shows this network and what it does with samples.

        Args:
            x: inputs as for ``run``, with labels or without; without any the model's answers are what is right.
            y: labels, as for ``evaluate``.
            steps: how many steps each sample is shown.
            output: the only output to judge.
            task: what it is for, as for ``evaluate``.
            chosen: the numbers of the samples whose spikes are shown; by default six are chosen.
            jobs: as for ``run``.
            progress: show a bar.

        Raises:
            MissingExtraError: what the extra ``report`` brings is not installed.
            UsageError: there is no such sample.
            DataError: the samples or labels do not fit the model.

        """
        from snnc.report import report_html

        samples = self._labelled(x, y, output)
        return report_html(
            self,
            samples,
            self.steps(samples, steps),
            output=output,
            task=task,
            chosen=chosen,
            jobs=jobs,
            progress=progress,
        )

    def _labelled(self, x: Data, y: Labels | None, output: str | None) -> Samples:
        """Return checked samples, with labels that are given beside them in place of their own."""
        samples = self.samples(x, output=output)
        return samples if y is None else samples.labelled(self.source, y, output)

    def absorb(self, trained: Any) -> Compiled:
        """Return this compilation with the parameters that its ``network`` was trained to.

        The new ``graph`` has the trained weights and biases in place of the old ones, and its ``source`` is the model
        that this graph stands for, activations in place of neurons: verify compares with it, and ``snnc.compile``
        takes it to any backend, with other neurons and synapses. This compilation stays as it is.

        Args:
            trained: with the backend ``nengo-dl`` the open ``nengo_dl.Simulator`` of ``network``.

        Raises:
            UsageError: the backend cannot train, or this is not what it trained.
            LoweringError: the graph has no place for what was trained; names the layer.

        """
        graph = self.graph.copy()
        with graph.authored_by("absorb"):
            for name, op in self.program.absorb(trained).items():
                graph.replace(name, op)
        return Compiled(
            graph,
            to_rate_model(graph),
            self.settings,
            self.registry,
            journal=self.journal,
            notes=(*self.notes, f"trained in {self.backend.name} after it was compiled"),
            origin={"name": self.graph.name},
            checks=self.checks,
        )

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the artifact folder, all or nothing.

        An artifact there is replaced, which holds nothing else; never anything else, or the model itself.

        Raises:
            FileError: something else is there, or the disk says no; nothing is left behind.
        """
        manifest = {
            "snnc": __version__,
            "source": self.origin,
            "call": self.call,
            **asdict(self.settings),
            "journal": [without_time(entry) for entry in self.journal],
            "checks": [write(check.name, check.options()) for check in self.checks],
            "notes": list(self.notes),
            "census": {**asdict(self.census), "spiking_share": self.census.spiking_share},
            "temporal": self.temporal,
            "report": self.report,
        }
        model = self.origin.get("path")
        read = [Path(model)] if isinstance(model, str) else []
        artifact.write(Path(path), artifact.Artifact(manifest, self.graph, self.source), read)

    @checked
    def export(
        self, path: str | os.PathLike[str], format: str | None = None, *, plain: bool = False, force: bool = False
    ) -> None:
        """Write the network in a form that runs without snnc, all or nothing.

        Args:
            path: the folder to write, or with a format the file.
            format: a file format such as ``"nir"``; by default the backend's own form, TensorFlow's SavedModel.
            plain: a file for readers that know nothing of snnc, of a network that was compiled for them.
            force: replace a file that is no result of snnc.

        Raises:
            UsageError: the backend has no such form, or the program holds something that it cannot hold.
            LoweringError: the format cannot say the network; names the layers.
            FileError: what is there is something else, or holds something else, too.
        """
        if format is not None:
            write_file(
                Path(path), self.registry.exporter(format).to_bytes(replace(self.exported, plain=plain)), force=force
            )
            return
        kind = self.exported_kind()
        with new_folder(Path(path), kind) as folder:
            self.program.export(folder, self.graph)
            write_manifest(folder, kind)

    @property
    def exported(self) -> Network:
        """Return what ``export`` hands to a file format."""
        of = self.settings
        return Network(self.graph, of.dt, self.default_steps, of.seed, of.read_out)

    @checked
    def verify_exported(
        self, path: str | os.PathLike[str], x: Data | None = None, steps: int | None = None
    ) -> ExportReport:
        """Return how close a file that ``export`` wrote is to this network: it is read again, and both are run.

        Args:
            path: the file.
            x: inputs as for ``run``; random ones of the seed by default.
            steps: how many steps each sample is shown.

        Raises:
            UsageError: it is of no format that is known, or none that can be read.
            FileError: it cannot be read.
        """
        file = self.registry.exporter_of(Path(path)).read(Path(path), self.registry.kinds)
        samples = self._made() if x is None else self.samples(x)
        return compare_exported(self.exported, file, samples, self.steps(samples, steps))

    def exported_kind(self) -> Kind:
        """Return how a folder that ``export`` writes is known; raise UsageError where the backend has no such form."""
        mark, what = self.backend.exported
        if not mark:
            raise UsageError(
                f"backend {self.backend.name!r} has nothing to export of its own; compile with --backend tensorflow to "
                f"get a SavedModel, or name a format: {', '.join(self.registry.exporters)}"
            )
        return Kind(what, EXPORT_FILE, f"snnc-export of {mark}")

    def verify_samples(
        self,
        samples: Samples,
        steps: int,
        tasks: Mapping[str, Task],
        keras: Any = None,
        *,
        jobs: int | None = None,
        progress: bool = False,
    ) -> VerifyReport:
        """Return the report on checked samples; see ``verify``."""
        measured = Measurements(self.source, self.graph, self.read_out.window(steps))
        for part, recording in self._runs(samples, steps, jobs=jobs, progress=progress):
            measured.add(part, recording)
        subject = Subject(
            source=self.source,
            graph=self.graph,
            program=self.program,
            samples=samples,
            steps=steps,
            read_out=self.read_out,
            dt=self.settings.dt,
            tolerance=self.backend.tolerance,
            recording=Recording(measured.program),
            wanted=measured.wanted,
            rates=measured.rates,
            layers=measured.layers(),
            journal=self.journal,
            keras=None if keras is None else keras_outputs(keras, self.source, samples),
        )
        with self.alone(self.program):  # a remedy is tried by running it again
            return verify(subject, tasks, self.checks)
