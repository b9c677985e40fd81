"""Share the work on a batch between the cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from typing import TypeVar

import numpy as np

from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.ops.kernels.blas import cores, one_thread

P = TypeVar("P")
T = TypeVar("T")
PARTS, SHARE = 8, 64
"""The most parts that a batch which needs not be divided is divided into, so that cores may share the work; and the
samples that a part should have, because every part costs something by itself."""


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


def equal_slices(total: int, count: int) -> list[slice]:
    """Return so many slices of a batch, in order and as equal as can be."""
    return [slice(a, b) for a, b in pairwise(np.linspace(0, total, count + 1).astype(int).tolist())]


def joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the results of parts of a batch, put together again by name; a single part is not copied."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def over_batch(
    inputs: Mapping[str, Array], work: Callable[[Mapping[str, Array]], T], largest: int | None = None
) -> Sequence[T]:
    """Return the results of ``work`` for parts of a batch, in order; each core does one part at a time.

    The parts do not depend on the number of cores, on which the last bits of the results would depend then.

    Args:
        inputs: ``(batch, *shape)`` by name.
        work: called with the same names and a part of the batch each.
        largest: how many samples a part has at most.
    """
    return over_parts(parts_of(inputs, largest), work)


def parts_of(inputs: Mapping[str, Array], largest: int | None = None) -> list[dict[str, Array]]:
    """Return a batch in parts, in order; see ``over_batch``."""
    samples = min((len(array) for array in inputs.values()), default=1)
    count = min(samples, max(2, min(samples // SHARE, PARTS)))
    if largest is not None:
        count = max(count, -(-samples // largest))
    return [{name: array[where] for name, array in inputs.items()} for where in equal_slices(samples, count)]


def over_parts(parts: Sequence[P], work: Callable[[P], T]) -> list[T]:
    """Return the results of ``work`` for parts of a batch, in order; each core does one part at a time."""
    with one_thread():
        if len(parts) == 1:
            return [work(parts[0])]
        with ThreadPoolExecutor(min(cores(), len(parts))) as pool:
            contexts = [copy_context() for _ in parts]
            return list(pool.map(lambda context, part: context.run(work, part), contexts, parts))
