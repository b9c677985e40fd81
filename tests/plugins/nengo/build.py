"""Small graphs and their programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from snnc_nengo.backend import NengoBackend
from snnc_nengo.program import NengoProgram

from snnc.api import Graph, LoweringContext, Neurons, Op, neurons, ops
from snnc.ir.types import Array
from snnc.registry import Registry

LOWERINGS = Registry.discover().lowerings_for("nengo")
RELU = Neurons(model=neurons.ReluRate())


def program(graph: Graph, seed: int = 0) -> NengoProgram:
    return NengoBackend().lower(graph, LoweringContext(LOWERINGS, seed=seed))


def graph(outputs: Sequence[str], **nodes: tuple[Any, ...]) -> Graph:
    """Return a graph of name=(op, *sources); an input is a shape alone."""
    g = Graph("test")
    for name, (what, *sources) in nodes.items():
        op = what if isinstance(what, Op) else ops.Input(shape=what)
        g.add(name, op, sources, layers=[name] if sources else [])
    g.set_outputs({name: name for name in outputs})
    return g


def dense(rng: np.random.Generator, inputs: int, units: int, bias: bool = True) -> ops.Dense:
    return ops.Dense(
        weight=rng.normal(size=(inputs, units)) / np.sqrt(inputs),
        bias=rng.normal(size=units) if bias else np.zeros(units),
    )


def conv(rng: np.random.Generator, size: tuple[int, ...], inputs: int, outputs: int, **fields: Any) -> ops.Conv:
    ones = (1,) * len(size)
    kernel = rng.normal(size=(*size, inputs // fields.get("groups", 1), outputs)) / np.sqrt(inputs * np.prod(size))
    return ops.Conv(**{"kernel": kernel, "bias": rng.normal(size=outputs), "strides": ones, "dilation": ones, **fields})


def relative_errors(got: Mapping[str, Array], want: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(np.abs(got[name] - y).max() / np.abs(y).max()) for name, y in want.items()}
