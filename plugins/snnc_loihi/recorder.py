"""Collect what a run gives, step by step or sample by sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from snnc.api import Array, Graph, Recording


class Recorder:
    """Empty arrays of a run, to be filled."""

    def __init__(self, graph: Graph, watched: Collection[str], batch: int, steps: int, window: slice) -> None:
        """Make room for the outputs of a graph and for the watched nodes."""
        self._outputs = dict(graph.output_nodes)
        self.watched = tuple(dict.fromkeys(watched))
        self._window = window
        shape = {node: graph[node].type.shape for node in (*self._outputs.values(), *self.watched)}
        self.recording = Recording(
            {o: np.zeros((batch, steps, *shape[node]), dtype=np.float32) for o, node in self._outputs.items()},
            {name: np.zeros((batch, *shape[name]), dtype=np.float32) for name in self.watched},
            {name: np.zeros((batch, *shape[name]), dtype=np.float32) for name in self.watched},
        )

    def outputs(self, samples: Sequence[int], t: int, values: Mapping[str, Array]) -> None:
        """Take in the outputs of a step from the values of nodes."""
        for output, node in self._outputs.items():
            self.recording.outputs[output][samples, t] = values[node]

    def watch(self, samples: Sequence[int], t: int, values: Mapping[str, Array]) -> None:
        """Take in the watched nodes' values of a step."""
        inside = self._window.start <= t < self._window.stop
        for name in self.watched:
            self.recording.totals[name][samples] += values[name]
            if inside:
                self.recording.means[name][samples] += values[name] / (self._window.stop - self._window.start)

    def whole_sample(self, sample: int, outputs: Mapping[str, Array], watched: Mapping[str, Array]) -> None:
        """Take in all steps of one sample, ``(steps, size)`` each."""
        for output, y in outputs.items():
            kept = self.recording.outputs[output][sample]
            kept[...] = y.reshape(kept.shape)
        for name, y in watched.items():
            kept = self.recording.means[name][sample]
            kept[...] = y[self._window].mean(axis=0).reshape(kept.shape)
            self.recording.totals[name][sample] = y.sum(axis=0).reshape(kept.shape)
