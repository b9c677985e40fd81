"""Decoders: what adds up the neurons of a population, and its least-squares fit to what they were measured to say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import Array
from snnc.neurons import Neurons, Synapse

RIDGE = 1e-3
"""How much the weights of before count, relative to the mean square of what a population says."""
ROWS = 4096
"""The positions, of all samples together, that a fit takes to see."""
FEWEST = 32
"""The fewest samples for a fit: positions of one are alike."""


def decoder_of(graph: Graph, population: Node[Neurons]) -> Node[ops.Conv] | None:
    """Return the map behind a population, past its filter, that adds up a few neurons for each channel of its own."""
    reader = graph.sole_reader(population.name)
    if reader is not None and isinstance(graph[reader].op, Synapse):
        reader = graph.sole_reader(reader)
    if reader is None:
        return None
    node: Node[Any] = graph[reader]
    op = node.op
    if not isinstance(op, ops.Conv) or op.activation is not None or math.prod(op.size) != 1:
        return None
    return node if op.groups == op.kernel.shape[-1] else None


def samples_for(decoder: Node[ops.Conv]) -> int:
    """Return how many samples it takes to fit a decoder."""
    positions = decoder.type.size // decoder.op.kernel.shape[-1]
    return max(FEWEST, -(-ROWS // positions))


def refitted(op: ops.Conv, given: Array, wanted: Array) -> ops.Conv:
    """Return a decoder whose channels are as near as can be to what is wanted, in the mean over samples and positions.

    Least squares with a ridge towards the weights of before, which a silent neuron keeps: the decoders of the Neural
    Engineering Framework (Eliasmith & Anderson 2003), one channel at a time.

    Args:
        op: the decoder, of ``channels`` groups.
        given: what its population said, ``(batch, *positions, channels * neurons)``.
        wanted: ``(batch, *positions, channels)``, of as many samples or more.
    """
    neurons, channels = op.kernel.shape[-2:]
    said = given.reshape(-1, channels, neurons)
    target = wanted[: len(given)].reshape(-1, channels)
    every = max(1, len(said) // (4 * ROWS))
    said, target = said[::every].astype(np.float64), target[::every].astype(np.float64)
    weight, bias = op.kernel.reshape(neurons, channels).T.astype(np.float64), op.bias.astype(np.float64)
    mean = said.mean(axis=0)
    missing = target - np.einsum("nck,ck->nc", said, weight)
    centred = np.moveaxis(said - mean, 0, 1)
    normal = np.swapaxes(centred, 1, 2) @ centred / len(said)
    power = np.trace(normal, axis1=1, axis2=2) / neurons + 1e-12
    normal += RIDGE * power[:, None, None] * np.eye(neurons)
    off = np.swapaxes(missing - missing.mean(axis=0), 0, 1)[..., None]
    change = np.linalg.solve(normal, np.swapaxes(centred, 1, 2) @ off / len(said))[..., 0]
    bias = missing.mean(axis=0) - (change * mean).sum(axis=1)
    kernel = (weight + change).T.reshape(op.kernel.shape)
    return replace(op, kernel=kernel.astype(np.float32), bias=bias.astype(np.float32))
