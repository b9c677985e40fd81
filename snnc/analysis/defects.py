"""What neurons lose of what really drives them: a floor under the voltage, a reset that forgets.

Neurons that count lose nothing that rounding and clipping do not say. Others do, and how much depends on when their
input comes. So the network is run, and beside each such population stand neurons on the same input that lack one of
its defects, and with it those that were named before (``NeuronModel.defects``): how far one is from the next is what
the defect costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from snnc.analysis.errors import squares
from snnc.engine.simulate import Run, initial_state
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.ops.stateful import for_batch


def by_defect(
    graph: Graph, inputs: Mapping[str, Array], steps: int, *, window: slice, dt: float
) -> dict[str, dict[str, float]]:
    """Return by population and defect the squared differences of means over the window, added up.

    Args:
        graph: as it runs; not temporal.
        inputs: ``(batch, *shape)`` by name, few enough for all to be in memory.
        steps: how many steps they are shown.
        window: the steps of the means.
        dt: seconds a step.
    """
    rows = {
        node.name: [node.op, *(replace(node.op, model=model) for model in node.op.model.defects.values())]
        for node in graph.nodes(Neurons)
        if node.op.model.defects
    }
    if not rows:
        return {}
    batch = len(next(iter(inputs.values())))
    states, sums = {}, {}
    for name, ops in rows.items():
        types = tuple(graph[source].type for source in graph.sources(name))
        states[name] = [for_batch(initial_state(replace(graph[name], op=op), types, 0), batch) for op in ops]
        sums[name] = [np.zeros((batch, *graph[name].type.shape), dtype=np.float32) for _ in ops]

    reading: dict[str, list[str]] = {}
    for name in rows:
        reading.setdefault(graph.sources(name)[0], []).append(name)

    def add(source: str, step: int, x: Array) -> None:
        for name in reading[source]:
            for op, state, total in zip(rows[name], states[name], sums[name], strict=True):
                y = op.step(state, dt, x)
                if window.start <= step < window.stop:
                    total += y

    Run(graph, steps, window, dt, 0, tuple(reading), {}, None, add, sums=False).part(inputs)
    length = window.stop - window.start
    return {
        name: {
            defect: squares((mine - other) / length)
            for defect, mine, other in zip(ops[0].model.defects, sums[name][:-1], sums[name][1:], strict=True)
        }
        for name, ops in rows.items()
    }
