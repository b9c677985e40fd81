"""How many synapses one spike of each neuron meets: the number of weights that it is multiplied into.

Counted as NeuroBench does: weights of zero, biases, pooling and normalisation do not count, and borders of a
convolution have fewer. Counting stops at the first weights; what they feed is no spike any more. In front of a product
of two signals a spike meets each element of the other side that it is multiplied with, as it would meet weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import numpy as np

from snnc import ops
from snnc.analysis.carried import MAXIMA, carrying_spikes
from snnc.analysis.op_matrix import responses
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Shape, TensorType
from snnc.neurons import Synapse
from snnc.ops.causal import DelayLine, LastStep
from snnc.ops.each_slice import slices
from snnc.ops.kernels import convolve
from snnc.ops.spiking_max_pool import SpikingMaxPool


def fan_out(graph: Graph) -> dict[str, AnyArray]:
    """Return the synapses behind each element of each node, in its shape, by the node's name."""
    behind: dict[str, AnyArray] = {}
    spikes = carrying_spikes(graph)
    for node in reversed(list(graph)):
        total = np.zeros(node.type.shape, dtype=np.float64)
        for reader, slot in graph.readers(node.name):
            if isinstance(graph[reader].op, MAXIMA) and reader not in spikes:
                continue  # of values only the largest is passed on, and is a value of its own
            if graph[reader].op.is_bilinear and slot and node.name not in spikes:
                continue  # a product of values is one product; a spike of either side adds some of the other
            types = [graph[s].type for s in graph.sources(reader)]
            total += synapses(graph[reader].op, behind[reader], slot, types)
        behind[node.name] = total
    return behind


@singledispatch
def synapses(op: Op, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    """Return the synapses behind each element of one input of an op, given those behind each of its outputs."""
    if not (op.is_linear or op.is_bilinear):
        return np.zeros(inputs[slot].shape)  # a nonlinearity ends the path
    known = op.fan_out(demand, slot, *inputs)
    if known is not None:
        return known
    worth = np.ones_like(demand) if op.multiply_adds(*inputs) else demand
    reached = [((response != 0) * worth.ravel()).sum(axis=1) for _, response in responses(op, inputs, slot)]
    return np.concatenate(reached).reshape(inputs[slot].shape)


@synapses.register
def _(op: ops.Dense, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return np.broadcast_to(np.count_nonzero(op.weight, axis=1), inputs[slot].shape)


@synapses.register
def _(op: ops.Conv, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    # the kernel's weights by tap and input channel: (*size, groups, inputs / groups)
    kernel = op.kernel.reshape(*op.size, -1, op.groups, op.kernel.shape[-1] // op.groups)
    alive = np.moveaxis(np.count_nonzero(kernel, axis=-1), -1, -2).reshape(*op.size, -1)
    return _through_windows(op, op.dilation, inputs[slot].shape, lambda tap: alive[tap])


@synapses.register
def _(op: ops.EachSlice, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return np.stack([synapses(op.op, part, slot, slices(inputs)) for part in demand])


def _pooled(op: ops.Pool, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return _through_windows(op, (1,) * len(op.size), inputs[slot].shape, lambda tap: demand)


def _through_windows(
    op: ops.Conv | ops.Pool, dilation: Shape, shape: Shape, behind: Callable[[Shape], AnyArray]
) -> AnyArray:
    """Return the synapses behind an input that windows read: those behind each tap, of all the windows."""
    *space, channels = shape
    pads = op.pads(tuple(space))
    out = convolve.output_size(tuple(space), op.size, op.strides, dilation, pads)
    padded = np.zeros((*(n + a + b for n, (a, b) in zip(space, pads, strict=True)), channels))
    # room for windows that reach beyond the padding's end never arises: output_size counts whole windows only
    for tap, where in convolve.offsets(op.size, op.strides, dilation, out):
        padded[where] += behind(tap)
    return padded[tuple(slice(a, a + n) for n, (a, _) in zip(space, pads, strict=True))]


synapses.register(ops.AvgPool, _pooled)
synapses.register(ops.MaxPool, _pooled)
synapses.register(SpikingMaxPool, _pooled)


@synapses.register(ops.GlobalAvgPool)
@synapses.register(ops.GlobalMaxPool)
@synapses.register(ops.Identity)
@synapses.register(ops.BatchNorm)
@synapses.register(ops.Affine)
@synapses.register(Synapse)
@synapses.register(LastStep)
def _(op: Op, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return np.broadcast_to(demand, inputs[slot].shape)


@synapses.register
def _(op: ops.ZeroPad, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return demand[tuple(slice(a, a + n) for n, (a, _) in zip(inputs[slot].shape, op.padding, strict=False))]


@synapses.register
def _(op: ops.Reshape, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return demand.reshape(inputs[slot].shape)


@synapses.register
def _(op: ops.Permute, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return demand.transpose(np.argsort(op.order))


@synapses.register
def _(op: DelayLine, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    return demand.sum(axis=0)  # each tap is read in a step of its own


@synapses.register
def _(op: ops.Add, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    shape = inputs[slot].shape
    aligned = (1,) * (demand.ndim - len(shape)) + shape
    summed = demand.sum(axis=tuple(i for i, n in enumerate(aligned) if n != demand.shape[i]), keepdims=True)
    return np.broadcast_to(summed, aligned).reshape(shape)


@synapses.register
def _(op: ops.Concatenate, demand: AnyArray, slot: int, inputs: list[TensorType]) -> AnyArray:
    axis = op.axis % demand.ndim
    start = sum(t.shape[axis] for t in inputs[:slot])
    return demand.take(range(start, start + inputs[slot].shape[axis]), axis=axis)
