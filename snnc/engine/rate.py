"""Run a graph in rate mode with numpy: the reference for calibration, for verify and for the tests of passes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from snnc.engine.batching import joined, over_batch, part_of_batch
from snnc.engine.temporal import is_temporal, require_slices, slices
from snnc.errors import DataError, unknown
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array
from snnc.ops.stateful import Causal

_ELEMENTS = 1 << 23
"""Of the largest tensor, over all slices, that a part of the batch holds at a time."""


def validated_inputs(graph: Graph, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
    """Return the inputs by name as float32 ``(batch, *shape)`` arrays; raise DataError where they do not fit.

    Those of a temporal graph are ``(batch, time, *shape)``.
    """
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
    if is_temporal(graph):
        require_slices(graph, arrays)
    return arrays


def _as_input(graph: Graph, name: str, x: AnyArray) -> Array:
    shape = graph[name].type.shape
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"input {name!r} holds {array.dtype}, not numbers")
    leading = ("batch", "time") if is_temporal(graph) else ("batch",)
    if array.ndim != len(leading) + len(shape) or array.shape[len(leading) :] != shape:
        wanted = ", ".join(map(str, (*leading, *shape)))
        raise DataError(f"input {name!r} needs shape ({wanted}), got {array.shape}")
    if len(array) == 0:
        raise DataError(f"input {name!r} has no samples")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"input {name!r} holds NaN or infinite values")
    return array


def evaluate(graph: Graph, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
    """Return ``(batch, *shape)`` float32 by output name, ``(batch, time, *shape)`` of a temporal graph."""
    values = evaluate_nodes(graph, x, set(graph.output_nodes.values()))
    return {output: values[node] for output, node in graph.output_nodes.items()}


def evaluate_nodes(graph: Graph, x: AnyArray | Mapping[str, AnyArray], keep: Collection[str]) -> dict[str, Array]:
    """Return the values of the nodes in ``keep``, by name; a core takes its share of the batch.

    A temporal graph is evaluated for every slice: its values are ``(batch, time, *shape)``.
    """
    steps = [(node, graph.sources(node.name)) for node in graph]
    inputs = validated_inputs(graph, x)
    temporal = is_temporal(graph)
    apply = _of_each_slice if temporal else _of_batch
    largest = part_of_batch(graph, _ELEMENTS // (slices(inputs) if temporal else 1))
    return joined(over_batch(inputs, lambda part: _run(graph, steps, part, keep, apply), largest))


def _of_batch(op: Op, inputs: Sequence[Array]) -> Array:
    return op.evaluate(*inputs)


def _of_each_slice(op: Op, inputs: Sequence[Array]) -> Array:
    """Return ``(batch, time, *shape)``; what remembers runs over time, and all else sees slices as more samples."""
    if isinstance(op, Causal):
        return op.over_time(*inputs)
    batch, time = inputs[0].shape[:2]
    y = op.evaluate(*(x.reshape(batch * time, *x.shape[2:]) for x in inputs))
    return y.reshape(batch, time, *y.shape[1:])


def _run(
    graph: Graph,
    steps: Sequence[tuple[Node, Sequence[str]]],
    inputs: Mapping[str, Array],
    keep: Collection[str],
    apply: Callable[[Op, Sequence[Array]], Array],
) -> dict[str, Array]:
    """Evaluate the nodes in their order; a value is dropped once its last reader ran."""
    values = dict(inputs)
    waiting = {node.name: len(graph.readers(node.name)) for node, _ in steps}
    kept: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for node, sources in steps:
            if sources:
                y = apply(node.op, [values[s] for s in sources])
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
