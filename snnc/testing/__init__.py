"""Helpers for tests of passes, ops and backends, for plugin authors too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from snnc.analysis.errors import relative_error
from snnc.engine.rate import evaluate
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import MODELS
from snnc.passes.base import Context, Pass
from snnc.passes.pipeline import run
from snnc.testing.backends import check_backend
from snnc.testing.examples import check_example, read_graph
from snnc.testing.graphs import binary_inputs, chain, in_binary, two_layers
from snnc.testing.neurons import check_neuron


def apply(step: Pass, graph: Graph, **context: Any) -> Graph:
    """Return the graph after one pass, checked as the pipeline does; ``context`` sets fields of the Context."""
    known = {f.name for f in fields(Context)}
    unknown = set(context) - known
    if unknown:
        raise TypeError(f"Context has no {sorted(unknown)}")
    base = Context(neurons={model.kind: model for model in MODELS})
    return run(graph, [step], replace(base, **context))[0]


def kinds(graph: Graph) -> list[str]:
    """Return the kinds of the nodes in topological order."""
    return [node.op.kind for node in graph]


def random_inputs(graph: Graph, batch: int = 3, seed: int = 0) -> dict[str, Array]:
    """Return signed random inputs by name, ``(batch, *shape)``."""
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=(batch, *graph[n].type.shape)).astype(np.float32) for n in graph.inputs}


def assert_same_outputs(
    before: Graph, after: Graph, inputs: Mapping[str, Array] | None = None, tolerance: float = 1e-5
) -> None:
    """Assert that two checked graphs give the same outputs in rate mode, relative to the largest."""
    check(before)
    check(after)
    inputs = random_inputs(before) if inputs is None else inputs
    want, got = evaluate(before, inputs), evaluate(after, inputs)
    assert list(want) == list(got), f"outputs {list(want)} became {list(got)}"
    error = relative_error(got, want)
    assert error <= tolerance, f"the outputs differ by {error:.3g}, more than {tolerance:g}"


__all__ = [
    "apply",
    "assert_same_outputs",
    "binary_inputs",
    "chain",
    "check_backend",
    "check_example",
    "check_neuron",
    "in_binary",
    "kinds",
    "random_inputs",
    "read_graph",
    "two_layers",
]
