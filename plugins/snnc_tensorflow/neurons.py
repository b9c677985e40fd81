"""Populations and filters: the rules of ``snnc``'s neuron and synapse models, in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnc.api import Lowering, RandomStream, lowering, neurons, ops
from snnc_tensorflow import random
from snnc_tensorflow.layers import pooled
from snnc_tensorflow.namespace import TENSORFLOW
from snnc_tensorflow.site import Function, Lowered, Site, StatefulFunction, Tensor, Tensors


@lowering("tensorflow", neurons.Neurons)
def population(op: neurons.Neurons, site: Site) -> Lowered:
    """Lower a population: its rule from step to step, or its rate curve where nothing changes over time."""
    model = op.model
    if not op.stateful:
        return _rates(op, site)
    scale = np.asarray(op.scale, dtype=np.float64)
    gain = _factor(model.gain / scale, site)
    height = _factor(scale / site.dt if model.spiking else scale, site)

    def drive(x: Tensor) -> Tensor:
        current = gain(x)
        if model.offset:
            current = current + np.float32(model.offset)
        return model.drive(TENSORFLOW, current, site.dt)

    def step(state: Tensors, drive: Tensor) -> tuple[Tensor, Tensors]:
        y, new = model.rule(TENSORFLOW, drive, random.with_streams(state), site.dt)
        return height(y), random.with_words(new)

    streams = [value for value in site.start.values() if isinstance(value, RandomStream)]
    start, shared = random.start(site.start)
    return StatefulFunction(start, step, drive, shared, fuse=not streams, host=any(s.each for s in streams))


def _factor(values: Any, site: Site) -> Callable[[Tensor], Tensor]:
    """Return the function that multiplies by numbers known now; by 1 it does nothing."""
    factor = np.asarray(values, dtype=np.float32)
    if factor.ndim == 0:
        return (lambda x: x) if factor == 1 else (lambda x: x * factor)
    weight = site.weight(factor)
    return lambda x: x * weight


def _rates(op: neurons.Neurons, site: Site) -> Function:
    """Return ``scale * rate(x / scale)``, as ``Neurons.evaluate`` computes it."""
    scale = np.asarray(op.scale, dtype=np.float32)
    divisor = scale if scale.ndim == 0 else site.weight(scale)
    return Function(lambda x: divisor * op.model.rate(TENSORFLOW, x / divisor), fuse=True)


@lowering("tensorflow", neurons.Synapse)
def synapse(op: neurons.Synapse, site: Site) -> StatefulFunction:
    """Lower a filter over time."""
    return StatefulFunction(site.start, lambda state, x: op.model.rule(TENSORFLOW, x, state, site.dt))


@lowering("tensorflow", ops.SpikingMaxPool)
def spiking_max_pool(op: ops.SpikingMaxPool, site: Site) -> StatefulFunction:
    """Lower max pooling that follows the sums of its inputs."""
    space = site.inputs[0].shape[:-1]

    def step(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        before, largest_before = state["sums"], state["largest"]
        if op.decay != 1:
            before, largest_before = before * np.float32(op.decay), largest_before * np.float32(op.decay)
        sums = before + x
        largest = pooled(sums, op, space, maximum=True)
        return largest - largest_before, {"sums": sums, "largest": largest}

    return StatefulFunction(site.start, step)


LOWERINGS: list[Lowering] = [population, synapse, spiking_max_pool]
