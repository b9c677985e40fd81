"""What is compared of a graph as it runs, by the tasks of its outputs: scores where they decide, else values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from snnc.analysis.task import Task
from snnc.engine.answers import finish
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.ops.read_out_activation import ReadOutActivation

Scores: TypeAlias = Callable[[Array], "Array | None"]
"""From what a network gives to scores ``(decisions, classes)``; None where numbers are values."""


class ReadTasks:
    """The outputs of ``stepwise(graph)`` as the tasks of the graph's outputs see them."""

    def __init__(self, graph: Graph, tasks: Mapping[str, Task]) -> None:
        """Take a graph with its tail, and the tasks by output; who is not there is undecided."""
        self.tasks, self.graph = tasks, graph.copy()
        self.deferred = {
            output for output, node in graph.output_nodes.items() if isinstance(graph[node].op, ReadOutActivation)
        }
        self.finished = {name for name in self.deferred if name in tasks and tasks[name].of_values}

    def compared(self, read: Mapping[str, Array]) -> dict[str, Array]:
        """Return what is read out, ``(batch, *shape)`` by name, but of values what the tail of the graph makes of it.

        What decides is compared before the last activation, where differences say more.
        """
        if not self.finished:
            return dict(read)
        answers = finish(self.graph, read)
        own = {name: y for name, y in read.items() if self._output(name) not in self.finished}
        return {**own, **{name: y for name, y in answers.items() if name in self.finished}}

    def scores(self, name: str) -> Scores:
        """Return how the scores of one of these are found."""
        if name not in self.tasks:
            return vector_scores
        return partial(self.tasks[name].scores, logits=name in self.deferred)

    def _output(self, read: str) -> str:
        """Return the output that a value is read out for: ``average.1`` is of ``average``."""
        return read if read in self.graph.output_nodes else read.rpartition(".")[0]


def vector_scores(outputs: Array) -> Array | None:
    """Return outputs ``(batch, classes)`` as they are, None for any others: what is taken where nobody says more."""
    return outputs if outputs.ndim == 2 and outputs.shape[-1] > 1 else None
