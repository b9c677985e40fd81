"""Build with nengo-loihi in less time: it works on each axon's weights by themselves, of which there are 10^5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from nengo_loihi.builder import discretize

_discretize_synapse = discretize.discretize_synapse


@contextmanager
def quick() -> Iterator[None]:
    """Let nengo-loihi round the weights of a synapse together inside a block; the numbers are the same."""
    discretize.discretize_synapse = _together
    try:
        yield
    finally:
        discretize.discretize_synapse = _discretize_synapse


def _together(synapse: Any, *args: Any) -> None:
    """Give nengo-loihi a synapse as that of one axon, and put the weights back where they belong."""
    weights, indices = synapse.weights, synapse.indices
    synapse.weights, synapse.indices = ([np.concatenate([x.ravel() for x in xs])[None]] for xs in (weights, indices))
    _discretize_synapse(synapse, *args)
    ends = np.cumsum([w.size for w in weights])[:-1]
    parts = np.split(synapse.weights[0][0], ends)
    synapse.weights = [part.reshape(w.shape) for part, w in zip(parts, weights, strict=True)]
    synapse.indices = indices
