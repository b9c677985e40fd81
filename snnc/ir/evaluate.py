"""Run a graph in rate mode with numpy: the reference for calibration, for verify and for the tests of passes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from snnc.errors import DataError, unknown
from snnc.ir.graph import Graph, Node
from snnc.ir.parallel import over_batch
from snnc.ir.types import AnyArray, Array


def feed(graph: Graph, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
    """Return the inputs by name as float32 ``(batch, *shape)`` arrays; raise DataError where they do not fit."""
    names = graph.inputs
    if not isinstance(x, Mapping):
        if len(names) != 1:
            raise DataError(f"the model has {len(names)} inputs ({', '.join(names)}); give one array by each name")
        x = {names[0]: x}
    elif len(names) == 1 and set(x) == {"x"}:
        x = {names[0]: x["x"]}
    for name in x:
        if name not in names:
            raise DataError(unknown("input", name, names))
    missing = [name for name in names if name not in x]
    if missing:
        raise DataError(f"no data for input(s) {', '.join(missing)}; the model's inputs are {', '.join(names)}")
    arrays = {name: _as_input(graph, name, x[name]) for name in names}
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(f"inputs have different numbers of samples: {sizes}")
    return arrays


def _as_input(graph: Graph, name: str, x: AnyArray) -> Array:
    shape = graph[name].type.shape
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"input {name!r} holds {array.dtype}, not numbers")
    if array.shape[1:] != shape or array.ndim == 0:
        raise DataError(f"input {name!r} needs shape (batch, {', '.join(map(str, shape))}), got {array.shape}")
    if len(array) == 0:
        raise DataError(f"input {name!r} has no samples")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"input {name!r} holds NaN or infinite values")
    return array


def evaluate(graph: Graph, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
    """Return ``(batch, *shape)`` float32 by output name; see ``Graph.evaluate``."""
    values = evaluate_nodes(graph, x, set(graph.output_nodes.values()))
    return {output: values[node] for output, node in graph.output_nodes.items()}


def evaluate_nodes(graph: Graph, x: AnyArray | Mapping[str, AnyArray], keep: Collection[str]) -> dict[str, Array]:
    """Return the values of the nodes in ``keep``, by name; a core takes its share of the batch."""
    steps = [(node, graph.sources(node.name)) for node in graph]
    done = over_batch(feed(graph, x), lambda part: _run(graph, steps, part, keep))
    return done[0] if len(done) == 1 else {name: np.concatenate([v[name] for v in done]) for name in done[0]}


def _run(
    graph: Graph, steps: Sequence[tuple[Node, Sequence[str]]], inputs: Mapping[str, Array], keep: Collection[str]
) -> dict[str, Array]:
    """Evaluate the nodes in their order; a value is dropped once its last reader ran."""
    values = dict(inputs)
    waiting = {node.name: len(graph.readers(node.name)) for node, _ in steps}
    kept: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for node, sources in steps:
            if sources:
                y = node.op.evaluate(*(values[s] for s in sources))
                values[node.name] = np.asarray(y, dtype=np.float32)
            for source in sources:
                waiting[source] -= 1
                if not waiting[source]:
                    values.pop(source, None)
            if node.name in keep:
                kept[node.name] = values[node.name]
            if not waiting[node.name]:
                values.pop(node.name, None)
    return kept
