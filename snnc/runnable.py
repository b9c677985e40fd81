"""A lowered graph that samples are shown to: what is run, for how many steps, and in what parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc import limits
from snnc import samples as calibration
from snnc.checked import checked
from snnc.engine.answers import decode, finish, finish_each
from snnc.engine.presentation import is_temporal, presentation
from snnc.engine.recording import Recording
from snnc.errors import UsageError
from snnc.evaluation.verify import changes_over_time, populations
from snnc.ir.types import Array
from snnc.lowered import Lowered
from snnc.made_inputs import TO_SHOW, input_ranges, made_inputs
from snnc.neurons import Neurons
from snnc.progress import progress_bar
from snnc.samples import Data, Samples

ELEMENTS, FEWEST = 1 << 25, 16
"""Of all tensors of the graph together, for the samples that evaluate and verify look at together: 128 MB, and a few
times that. And the fewest samples, whatever the graph."""


@dataclass(eq=False, repr=False)
class Runnable(Lowered):
    """A lowered graph that samples are shown to."""

    @property
    def temporal(self) -> bool:
        """Return whether axis 1 of the inputs is time, of which one slice is presented each step."""
        return is_temporal(self.source)

    @property
    def default_steps(self) -> int:
        """Return how many steps a sample is shown where nobody says, and where the samples are no sequences."""
        if self.settings.steps is not None:
            return self.settings.steps
        return self.backend.defaults(self.settings.level).steps if changes_over_time(self.graph) else 1

    @checked
    def samples(self, x: Data, limit: int | None = None, output: str | None = None) -> Samples:
        """Return samples for this model: inputs checked, once, whatever is done with them, and labels as they are.

        Args:
            x: inputs as for ``run``, and labels: ``y``, or ``y_OUTPUT`` for one of several outputs.
            limit: the first samples only.
            output: which output ``y`` is of.
        """
        return calibration.samples(self.source, x, output=output).head(limit)

    @checked
    def run(
        self, x: Data, steps: int | None = None, *, jobs: int | None = None, progress: bool = False
    ) -> dict[str, Array]:
        """Present each sample for a number of steps, every one from the same fresh state.

        Args:
            x: ``(batch, *shape)``, arrays by input name, or an ``.npz`` path; sequences ``(batch, time, *shape)`` for a
                temporal model.
            steps: how many steps of ``dt`` seconds; a temporal model runs for one step a slice.
            jobs: how many processes; None takes what pays.
            progress: show a bar on a terminal or in a notebook.

        Returns:
            ``(batch, steps, *shape)`` float32 by output name.

        """
        return self.run_and_read_out(x, steps, jobs=jobs, progress=progress)[0]

    @checked
    def predict(
        self, x: Data, steps: int | None = None, *, jobs: int | None = None, progress: bool = False
    ) -> Array | dict[str, Array]:
        """Return the read-out, ``(batch, *shape)``, by default a mean over steps; a dict for several outputs."""
        samples, dt = self.samples(x), self.settings.dt
        steps = self.steps(samples, steps)
        with self.alone(self.program) as program:
            raw = program.decode(samples.inputs, steps, self.read_out, dt, jobs=jobs, progress=progress)
        outputs = finish(self.graph, raw)
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    @checked
    def run_and_read_out(
        self, x: Data, steps: int | None = None, *, jobs: int | None = None, progress: bool = False
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the results of ``run`` and of ``predict``, by output name, from one run."""
        samples = self.samples(x)
        steps = self.steps(samples, steps)
        self._require_outputs(len(samples), steps)
        with self.alone(self.program) as program:
            raw = program.run(samples.inputs, steps, jobs=jobs, progress=progress).outputs
        return finish_each(self.graph, raw), decode(self.graph, raw, self.read_out, self.settings.dt)

    @checked
    def trace(self, x: Data, steps: int | None = None, *, engine: str | None = None) -> dict[str, Array]:
        """Return the spikes of the first sample, step by step: what a raster shows.

        Args:
            x: inputs as for ``run``.
            steps: how many steps it is shown.
            engine: what runs it, as for ``evaluate``.

        Returns:
            ``(steps, *shape)`` float32 by spiking layer: how many spikes each neuron sends in each step. Negative ones
            take spikes back, and a graded spike has its size.

        """
        samples = self.samples(x, 1)
        return self.traced(samples.inputs, self.steps(samples, steps), engine)[1]

    def traced(
        self, sample: Mapping[str, Array], steps: int, engine: str | None = None
    ) -> tuple[Recording, dict[str, Array]]:
        """Return what one checked sample gave, and what ``trace`` returns."""
        firing = {node.name: node.op for node in self.graph.nodes(Neurons) if node.op.model.spiking}
        with self.alone(self.engine(engine or self.backend.engines[0])) as program:
            recording, values = program.trace(sample, steps, list(firing))
        dt = np.float32(self.settings.dt)
        return recording, {name: y * dt / np.asarray(firing[name].scale, np.float32) for name, y in values.items()}

    def steps(self, samples: Samples, steps: int | None = None) -> int:
        """Return how many steps samples are shown: as asked for, or by default; for sequences one step a slice."""
        steps = None if steps is None else require_steps(steps)
        steps = require_steps(presentation(self.source).steps(samples.inputs, steps, self.default_steps))
        self._require_outputs(min(len(samples), FEWEST), steps)
        return steps

    def _require_outputs(self, samples: int, steps: int) -> None:
        """Raise BudgetError where what the outputs of all steps would take is more than the budget."""
        values = samples * steps * sum(self.graph[node].type.size for node in self.graph.output_nodes.values())
        limits.require("elements of outputs over all steps", values, f"{samples} sample(s), {steps} steps")

    def _runs(
        self, samples: Samples, steps: int, engine: str = "program", *, jobs: int | None, progress: bool
    ) -> Iterator[tuple[Samples, Recording]]:
        """Yield samples part by part, with their recordings of every population, which are large."""
        program = self.engine(engine)
        elements = sum(node.type.size for node in self.graph) * presentation(self.graph).repeats(steps)
        parts = samples.parts(max(FEWEST, ELEMENTS // elements))
        watch, several = populations(self.graph), len(parts) > 1
        with progress_bar(shown=progress and several) as bar:
            for part in bar.track(parts, description=self.backend.name):
                shown = progress and not several
                with self.alone(program):
                    recording = program.run(part.inputs, steps, watch=watch, jobs=jobs, progress=shown)
                yield part, recording

    def _made(self) -> Samples:
        """Return made-up inputs of the seed."""
        seed = self.settings.seed
        return made_inputs(self.source, input_ranges(self.source, seed), seed, TO_SHOW)


def require_steps(steps: Any) -> int:
    """Return a number of steps; raise UsageError for anything but a positive whole number."""
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise UsageError(f"steps must be a whole number of at least 1, not {steps!r}")
    limits.require("steps", int(steps), "a run")
    return int(steps)
