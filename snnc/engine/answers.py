"""From what a program gives in every step to the outputs of the model: read out, then the tail of the graph."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.engine.rate import evaluate
from snnc.engine.read_out import ReadOut
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.ops.read_out_activation import read_out_tail, read_values


def finish(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of a graph, ``(batch, *shape)`` by name, from those of ``stepwise(graph)``."""
    read = read_values(graph)
    if read == graph.output_nodes:
        return dict(values)
    return evaluate(read_out_tail(graph), {node: values[name] for name, node in read.items()})


def finish_each(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return what ``finish`` gives for every step of values ``(batch, steps, *shape)``, in that shape."""
    leading = next(iter(values.values())).shape[:2]
    outputs = finish(graph, {name: y.reshape(-1, *y.shape[2:]) for name, y in values.items()})
    return {name: y.reshape(*leading, *y.shape[1:]) for name, y in outputs.items()}


def decode(graph: Graph, outputs: Mapping[str, Array], read_out: ReadOut, dt: float) -> dict[str, Array]:
    """Return the answers, ``(batch, *shape)`` by output name, from what a program gave in every step.

    Args:
        graph: with its tail.
        outputs: those of ``stepwise(graph)``, ``(batch, steps, *shape)`` by name.
        read_out: how all steps become one answer.
        dt: seconds a step.
    """
    return finish(graph, {name: read_out(y, dt) for name, y in outputs.items()})
