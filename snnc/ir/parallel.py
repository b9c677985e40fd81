"""Share the work on a batch between the cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from snnc.ir.blas import cores, one_thread
from snnc.ir.graph import Graph
from snnc.ir.types import Array

T = TypeVar("T")


def part_of_batch(graph: Graph, least: int, most: int | None = None) -> int:
    """Return how many samples to take at a time, by the elements of their largest tensor.

    Args:
        graph: what is computed.
        least: elements of a part; it is larger where the weights are more than that, since every part reads them.
        most: elements of a part however many weights there are.
    """
    weights = sum(array.size for node in graph for _, array in node.op.arrays())
    widest = max(node.type.size for node in graph)
    elements = max(weights, least)
    return max(1, (elements if most is None else min(elements, most)) // widest)


def over_batch(
    inputs: Mapping[str, Array], work: Callable[[Mapping[str, Array]], T], largest: int | None = None
) -> Sequence[T]:
    """Return what ``work`` gives for parts of a batch, in order; each core does one part at a time.

    Args:
        inputs: ``(batch, *shape)`` by name.
        work: called with the same names and a part of the batch each.
        largest: how many samples a part has at most.
    """
    samples = min((len(array) for array in inputs.values()), default=1)
    count = min(cores(), samples)
    if largest is not None:
        count = max(count, -(-samples // largest))
    edges = np.linspace(0, samples, count + 1).astype(int)
    parts = [{name: array[a:b] for name, array in inputs.items()} for a, b in pairwise(edges)]
    with one_thread():
        if len(parts) == 1:
            return [work(parts[0])]
        with ThreadPoolExecutor(min(cores(), len(parts))) as pool:
            return list(pool.map(work, parts))
