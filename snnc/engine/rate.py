"""Run a graph in rate mode with numpy: the reference for calibration, for verify and for the tests of passes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from snnc.engine.batching import joined, over_batch, part_of_batch
from snnc.engine.presentation import presentation
from snnc.errors import DataError, unknown
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import AnyArray, Array, Shape
from snnc.ops.kernels.blas import is_reproducible
from snnc.ops.pure import PureOp

_ELEMENTS = 1 << 23
"""Of the largest tensor, over all slices, that a part of the batch holds at a time."""


def validated_inputs(graph: Graph, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
    """Return the inputs by name as float32 ``(batch, *shape)`` arrays; raise DataError where they do not fit.

    Those of a temporal graph are ``(batch, time, *shape)``. The doors through which data comes in ask this, once:
    ``samples``, ``graph.evaluate`` and ``simulate``. What is behind them takes what it gave.
    """
    names = graph.inputs
    if not isinstance(x, Mapping):
        if len(names) != 1:
            raise DataError(f"the model has {len(names)} inputs ({', '.join(names)}); give one array by each name")
        x = {names[0]: x}
    elif len(names) == 1 and "x" in x and names[0] not in x:
        x = {names[0] if name == "x" else name: array for name, array in x.items()}
    require_inputs(graph, x)
    shown = presentation(graph)
    arrays = {name: _as_input(name, x[name], shown.axes, graph[name].type.shape) for name in names}
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(f"inputs have different numbers of samples: {sizes}")
    shown.check(arrays)
    return arrays


def require_inputs(graph: Graph, given: Collection[str]) -> None:
    """Raise DataError where the names of arrays are not those of the graph's inputs; ``x`` may stand for the only one.

    Of a file this can be asked before any of its arrays is read.
    """
    names = graph.inputs
    only = names[0] if len(names) == 1 else None
    given = [only if name == "x" and only is not None and only not in given else name for name in given]
    for name in given:
        if name not in names:
            raise DataError(f"{unknown('input', name, names)}; labels are named y, or y_OUTPUT")
    missing = [name for name in names if name not in given]
    if missing:
        raise DataError(f"no data for input(s) {', '.join(missing)}; the model's inputs are {', '.join(names)}")


def _as_input(name: str, x: AnyArray, leading: tuple[str, ...], shape: Shape) -> Array:
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"input {name!r} holds {array.dtype}, not numbers")
    if array.ndim != len(leading) + len(shape) or array.shape[len(leading) :] != shape:
        wanted = ", ".join(map(str, (*leading, *shape)))
        raise DataError(f"input {name!r} needs shape ({wanted}), got {array.shape}")
    if len(array) == 0:
        raise DataError(f"input {name!r} has no samples")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"input {name!r} holds NaN or infinite values")
    return array


def evaluate(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return ``(batch, *shape)`` float32 by output name, ``(batch, time, *shape)`` of a temporal graph.

    The inputs are what ``validated_inputs`` gave; ``graph.evaluate(x)`` takes anything.
    """
    values = evaluate_nodes(graph, inputs, set(graph.output_nodes.values()))
    return {output: values[node] for output, node in graph.output_nodes.items()}


def evaluate_nodes(graph: Graph, inputs: Mapping[str, Array], keep: Collection[str]) -> dict[str, Array]:
    """Return the values of the nodes in ``keep``, by name; a core takes its share of the batch.

    A temporal graph is evaluated for every slice: its values are ``(batch, time, *shape)``.

    Args:
        graph: what is evaluated.
        inputs: by name, validated.
        keep: the nodes whose values are wanted.
    """
    steps = [(node, graph.sources(node.name)) for node in graph]
    shown = presentation(graph)
    largest = part_of_batch(graph, _ELEMENTS // shown.values(inputs))
    return joined(over_batch(inputs, lambda part: _run(graph, steps, part, keep, shown.evaluate), largest))


def _run(
    graph: Graph,
    steps: Sequence[tuple[Node, Sequence[str]]],
    inputs: Mapping[str, Array],
    keep: Collection[str],
    apply: Callable[..., Array],
) -> dict[str, Array]:
    """Evaluate the nodes in their order; a value is dropped once its last reader ran."""
    values = dict(inputs)
    waiting = {node.name: len(graph.readers(node.name)) for node, _ in steps}
    kept: dict[str, Array] = {}
    wide = is_reproducible()
    with np.errstate(all="ignore"):
        for node, sources in steps:
            if sources:
                read = [values[s] for s in sources]
                if wide and isinstance(node.op, PureOp):
                    read = [x.astype(np.float64) for x in read]
                y = apply(node.op, *read)
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
