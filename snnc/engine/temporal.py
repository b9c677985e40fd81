"""Temporal graphs: their inputs are sequences, of which one slice is presented a step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnc import ops
from snnc.engine.read_out import ReadOut
from snnc.errors import DataError
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array
from snnc.ops.activations import Activation
from snnc.ops.causal import DelayLine, LastStep
from snnc.ops.stateful import Causal

LENGTH = 10
"""Slices of made-up sequences, where the model takes any number."""


def is_temporal(graph: Graph) -> bool:
    """Return whether the inputs are sequences, ``(batch, time, *shape)``."""
    return seconds(graph) is not None


def seconds(graph: Graph) -> float | None:
    """Return how long a slice is shown; None for a graph whose inputs do not change over time."""
    return next((op.dt for op in _inputs(graph).values() if op.dt is not None), None)


def length(graph: Graph) -> int | None:
    """Return the number of slices that the model fixes, or None."""
    return next((op.length for op in _inputs(graph).values() if op.length is not None), None)


def require_slices(graph: Graph, inputs: Mapping[str, AnyArray]) -> None:
    """Raise DataError unless all sequences ``(batch, time, *shape)`` have one length, which the model accepts."""
    counts = {name: inputs[name].shape[1] for name in inputs}
    if len(set(counts.values())) > 1:
        raise DataError(f"the sequences have different numbers of slices: {counts}")
    fixed, (count, *_) = length(graph), counts.values()
    if fixed not in (None, count):
        raise DataError(
            f"the model takes sequences of {fixed} slices, got {count}; save it with a time axis of None to run any"
        )
    if count < 1:
        raise DataError("the sequences have no slices")


def slices(inputs: Mapping[str, Array]) -> int:
    """Return the number of slices of sequences."""
    return int(next(iter(inputs.values())).shape[1])


def require_steps(graph: Graph, inputs: Mapping[str, Array], steps: int) -> None:
    """Raise DataError where a temporal graph would run for other than one step a slice."""
    if is_temporal(graph) and steps != slices(inputs):
        raise DataError(
            f"one slice is presented a step: the sequences have {slices(inputs)} slices, so leave steps out or say "
            f"{slices(inputs)}, not {steps}"
        )


def ending(graph: Graph) -> set[str]:
    """Return the outputs that are what the last step gives, rather than one value a step."""
    return {
        output
        for output, node in graph.output_nodes.items()
        if any(isinstance(graph[name].op, LastStep) for name in graph.ancestors({node}))
    }


def over_slices(graph: Graph, values: Mapping[str, Array], window: slice) -> dict[str, Array]:
    """Return ``(batch, *shape)`` values: of a temporal graph, their means over a window of steps."""
    if not is_temporal(graph):
        return dict(values)
    return {name: np.asarray(y[:, window].mean(axis=1, dtype=np.float32)) for name, y in values.items()}


def as_samples(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return values with a batch axis alone: of a temporal graph, every slice is a sample."""
    if not is_temporal(graph):
        return dict(values)
    return {name: y.reshape(-1, *y.shape[2:]) for name, y in values.items()}


def given(graph: Graph, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs in rate mode as the model gives them: what only the last step decides is of that step."""
    if not is_temporal(graph):
        return dict(outputs)
    last = ending(graph)
    return {name: y[:, -1] if name in last else y for name, y in outputs.items()}


def read(graph: Graph, outputs: Mapping[str, Array], reading: ReadOut, dt: float) -> dict[str, Array]:
    """Return the answer of outputs in rate mode, ``(batch, *shape)``: those of a temporal graph are read out."""
    return {name: reading(y, dt) for name, y in outputs.items()} if is_temporal(graph) else dict(outputs)


def quiet(graph: Graph) -> bool:
    """Return whether the last step decides all outputs, and no activation that may spike shows in that step alone.

    Such an activation does where nothing gathers what it gives: a mean, a filter or a recurrent layer.
    """
    jumps: dict[str, bool] = {}
    for node in graph:
        op = node.op
        own = op if isinstance(op, Activation) else getattr(op, "activation", None)
        gathers = isinstance(op, Causal) and not isinstance(op, DelayLine)
        fed = any(jumps[source] for source in graph.sources(node.name))
        jumps[node.name] = not gathers and (fed or (isinstance(own, Activation) and own.elementwise))
    nodes = graph.output_nodes
    return ending(graph) == set(nodes) and not any(jumps[node] for node in nodes.values())


def _inputs(graph: Graph) -> dict[str, ops.Input]:
    found = {name: graph[name].op for name in graph.inputs}
    return {name: op for name, op in found.items() if isinstance(op, ops.Input)}
