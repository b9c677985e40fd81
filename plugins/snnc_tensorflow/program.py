"""A graph that runs in TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnc.api import (
    Array,
    Graph,
    LoweringContext,
    Neurons,
    Program,
    ReadOut,
    Recording,
    UsageError,
    as_run,
    presentation,
    progress_bar,
    validated_inputs,
)
from snnc_tensorflow.export import save
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.loop import CHUNK, runner
from snnc_tensorflow.lowered_graph import LoweredGraph
from snnc_tensorflow.site import Tensor, Tensors

ELEMENTS = 1 << 25
"""Of the largest tensor of a part of the batch, which holds CHUNK steps: 128 MB."""


class TensorflowProgram(Program):
    """One ``tf.function`` for each kind of question, made when it is first asked."""

    def __init__(self, graph: Graph, target: LoweringContext) -> None:
        """Lower the graph."""
        super().__init__(graph, target)
        self._machines: dict[tuple[str, ...], LoweredGraph] = {}
        self._functions: dict[tuple[tuple[str, ...], bool, bool], Any] = {}
        self._making = threading.RLock()
        self._machine()

    @property
    def shareable(self) -> bool:
        """Return that threads may share it: TensorFlow's functions have no state."""
        return True

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        """Present each sample for a number of steps; TensorFlow's threads do the work, however many ``jobs``."""
        names = tuple(dict.fromkeys(watch))
        for name in names:
            if name not in self.graph:
                raise UsageError(f"cannot watch {name!r}: the graph has no such node")
        window = self.target.read_out.window(steps)
        weights = np.zeros(steps, dtype=np.float32)
        weights[window] = 1 / (window.stop - window.start)
        done = self._present(inputs, weights, names, every_step=True, progress=progress)
        return Recording(done["outputs"], done["means"], done["totals"], done["messages"])

    def decode(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        read_out: ReadOut,
        dt: float,
        *,
        progress: bool = False,
        jobs: int | None = None,
    ) -> dict[str, Array]:
        """Return what is read out; affine layers behind the last neurons are applied once, to the weighted mean."""
        weights = read_out.weights(steps, dt)
        return self._present(inputs, weights, (), every_step=False, progress=progress)["outputs"]

    def start(self, batch: int) -> dict[str, Tensors]:
        """Return the state before the first step of so many samples, by node and part: for ``advance``."""
        return self._machine().start(batch)

    def advance(
        self, inputs: Mapping[str, Array], steps: int, state: Mapping[str, Tensors]
    ) -> tuple[dict[str, Array], dict[str, Tensors]]:
        """Go on from a state: a stream of changing inputs is shown piece by piece.

        Args:
            inputs: ``(batch, *shape)`` by input name, shown during these steps; of a temporal graph
                ``(batch, steps, *shape)``.
            steps: how many steps of ``dt`` seconds.
            state: what ``start`` or the call before gave.

        Returns:
            The outputs ``(batch, steps, *shape)`` by name, and the state after the last step.
        """
        fed = validated_inputs(self.graph, inputs)
        steps = presentation(self.graph).steps(fed, steps, steps)
        done = self._function((), every_step=True, fresh=False)(fed, np.zeros(steps, np.float32), state)
        return {name: y.numpy() for name, y in done["outputs"].items()}, done["state"]

    def export(self, folder: Path, finished: Graph) -> None:
        """Write a SavedModel; see ``snnc_tensorflow.export``."""
        save(self._machine(), self.target, finished, folder)

    def _machine(self, watch: Sequence[str] = ()) -> LoweredGraph:
        """Return the lowered graph with filters where vectors are short, which keeps the value of populations only."""
        kept = tuple(name for name in watch if not isinstance(self.graph[name].op, Neurons))
        with self._making:
            if kept not in self._machines:
                self._machines[kept] = LoweredGraph(as_run(self.graph, kept), self.target)
            return self._machines[kept]

    def _function(self, watch: tuple[str, ...], *, every_step: bool, fresh: bool) -> Any:
        """Return ``f(inputs, weights, state)``, or with ``fresh`` ``f(inputs, weights)``, which starts anew."""
        key = (watch, every_step, fresh)
        with self._making:
            if key not in self._functions:
                self._functions[key] = self._made(watch, every_step=every_step, fresh=fresh)
            return self._functions[key]

    def _made(self, watch: tuple[str, ...], *, every_step: bool, fresh: bool) -> Any:
        machine = self._machine(watch)
        run = runner(machine, watch, every_step=every_step)

        def from_start(inputs: Tensors, weights: Tensor) -> Any:
            done = run(inputs, machine.start(tf.shape(next(iter(inputs.values())))[0]), weights)
            del done["state"]
            return done

        def from_state(inputs: Tensors, weights: Tensor, state: dict[str, Tensors]) -> Any:
            return run(inputs, state, weights)

        types = (machine.input_types(), tf.TensorSpec((None,), tf.float32))
        if fresh:
            return tf.function(from_start, autograph=False, input_signature=types)
        return tf.function(from_state, autograph=False, input_signature=(*types, machine.state_types()))

    def _present(
        self,
        inputs: Mapping[str, Array],
        weights: Array,
        watch: tuple[str, ...],
        *,
        every_step: bool,
        progress: bool,
    ) -> dict[str, dict[str, Array]]:
        """Show every sample from a fresh state; return arrays of the whole batch by what and by name."""
        function = self._function(watch, every_step=every_step, fresh=True)
        done: list[Any] = []
        with progress_bar(shown=progress) as bar:
            for part, samples in bar.track(list(self._parts(inputs)), description="TensorFlow"):
                given = function(samples, weights)
                done.append(tf.nest.map_structure(lambda y, n=part.stop - part.start: y[:n].numpy(), given))
        return done[0] if len(done) == 1 else tf.nest.map_structure(lambda *y: np.concatenate(y), *done)

    def _parts(self, inputs: Mapping[str, Array]) -> Iterator[tuple[slice, dict[str, Array]]]:
        return equal_parts(inputs, max(1, ELEMENTS // (CHUNK * max(node.type.size for node in self.graph))))


def equal_parts(inputs: Mapping[str, Array], most: int) -> Iterator[tuple[slice, dict[str, Array]]]:
    """Yield where each part of a batch is in it, and its samples.

    The parts are as few as ``most`` samples a part allow, and of one size, since TensorFlow compiles for each: the last
    sample of all is repeated until its part is full.
    """
    samples = len(next(iter(inputs.values())))
    size = -(-samples // -(-samples // most))
    for start in range(0, samples, size):
        index = np.minimum(np.arange(start, start + size), samples - 1)
        yield slice(start, min(start + size, samples)), {name: x[index] for name, x in inputs.items()}
