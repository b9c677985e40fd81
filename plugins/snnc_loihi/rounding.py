"""Let the weights of soft-reset neurons be rounded in units of their reset, as the chip stores it.

The weight that takes a spike off a current is rounded to 8 bits like any other, and how large it comes out is what a
spike costs: half a percent more or less, in every spike of a layer. So nengo-loihi rounds it first here, and all other
weights of the block, and the biases among them, are taken as much larger or smaller as it is.

A current has 17 bits beyond the steps in which weights come. nengo-loihi would leave it the range that it should reach
in powers of two; here the largest weight is taken for as large as leaves it just that, and weights as many steps as can
be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from nengo_loihi.builder import discretize

from snnc_loihi.neuron_types import CURRENT_BIASES, RESET

REACHED = 512
"""Thresholds that a current holds where the largest weight is one threshold."""

_discretize_block = discretize.discretize_block


@contextmanager
def in_units_of_resets() -> Iterator[None]:
    """Let nengo-loihi round the weights of soft-reset neurons so, inside a block."""
    discretize.discretize_block = _rounded
    try:
        yield
    finally:
        discretize.discretize_block = _discretize_block


def _rounded(block: Any) -> Any:
    resets = [s for s in block.synapses if (s.label or "").startswith(RESET)]
    if not resets:
        return _discretize_block(block)
    reached = float(block.compartment.bias.max()) * CURRENT_BIASES
    largest = max(reached / REACHED, *(synapse.max_abs_weight() for synapse in block.synapses))
    info = discretize.discretize_compartment(block.compartment, largest)
    wanted = resets[0].max_abs_weight() * info["v_scale"]
    for synapse in resets:
        discretize.discretize_synapse(synapse, largest, info["w_scale"], info["w_exp"])
    found = np.float32(resets[0].max_abs_weight() / wanted)
    for synapse in block.synapses:
        if synapse not in resets:
            synapse.weights = [w * found for w in synapse.weights]
            most = max(largest, synapse.max_abs_weight())  # by half a percent; it is cut
            discretize.discretize_synapse(synapse, most, info["w_scale"], info["w_exp"])
    return info["v_scale"]
