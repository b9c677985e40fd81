"""Write piecewise linear activations as sums of plain ReLUs, which spiking neurons can stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import frozen_array
from snnc.ir.types import Array
from snnc.ops.activations import Activation
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.swap_activations import DEFAULT, AnyNeurons, ChosenModels

Term = tuple[float, float, float | Array]
"""(slope, offset, weight): one summand weight * relu(slope * x + offset)."""


@dataclass(frozen=True)
class DecomposeActivations(Pass):
    """Split relu6, leaky ReLU, PReLU and hard sigmoid into populations of ReLU neurons.

    clip(x, 0, m) = relu(x) - relu(x - m); leaky(x) = relu(x) - a relu(-x); hard_sigmoid(x) = relu(s x + 1/2) -
    relu(s x - 1/2). Exact, so a network with ReLU6 (all MobileNets) spikes as a whole. What the chosen ``neurons``,
    those of swap-activations, can stand for as it is stays.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %y = relu(%x) {max_value=6} : rate[4]

    After::

        %y.1 = relu(%x) : rate[4]
        %y.2.in = affine(%x) {scale=1 shift=-6} : rate[4]
        %y.2 = relu(%y.2.in) : rate[4]
        %y.2.out = affine(%y.2) {scale=-1 shift=0} : rate[4]
        %y = add(%y.1, %y.2.out) : rate[4]
    """

    name: ClassVar[str] = "decompose-activations"
    stage: ClassVar[Stage] = Stage.SPIKE
    arguments: ClassVar[tuple[str, ...]] = ("neurons",)
    after: ClassVar[tuple[str, ...]] = ("defer-final-activation",)
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    neurons: AnyNeurons = DEFAULT

    def apply(self, graph: Graph, context: Context) -> None:
        models = ChosenModels(self.neurons, context)
        for node in graph.nodes(Activation):
            summands = terms(node)
            model = models.of(node, node.op)[1] if summands else None
            if summands and not (model is not None and model.can_replace(node.op)):
                _decompose(graph, node, summands)


def terms(node: Node) -> Sequence[Term]:
    """Return the ReLU terms whose sum is the activation, or nothing if it is plain already or not such a sum."""
    op = node.op
    if isinstance(op, ops.PRelu):
        return (1.0, 0.0, 1.0), (-1.0, 0.0, -op.alpha)
    if isinstance(op, ops.HardSigmoid):
        return (op.slope, 0.5, 1.0), (op.slope, -0.5, -1.0)
    if not isinstance(op, ops.Relu) or op.plain or op.threshold:
        return ()
    summands: list[Term] = [(1.0, 0.0, 1.0)]
    if op.max_value is not None:
        summands.append((1.0, -op.max_value, -1.0))
    if op.negative_slope:
        summands.append((-1.0, 0.0, -op.negative_slope))
    return summands


def is_sum_of_relus(node: Node) -> bool:
    """Return whether a node is a plain ReLU or the sum of some."""
    return bool(terms(node)) or (isinstance(node.op, ops.Relu) and node.op.plain)


def _decompose(graph: Graph, node: Node, summands: Sequence[Term]) -> None:
    (source,) = graph.sources(node.name)
    parts = []
    for i, (slope, offset, weight) in enumerate(summands, 1):
        name, read = f"{node.name}.{i}", source
        if (slope, offset) != (1.0, 0.0):
            read = _affine(graph, node, f"{name}.in", source, np.float32(slope), offset)
        graph.add(graph.fresh_name(name), ops.Relu(), [read], layers=node.origin.layers)
        if not isinstance(weight, float) or weight != 1.0:
            name = _affine(graph, node, f"{name}.out", name, np.asarray(weight, dtype=np.float32), 0.0)
        parts.append(name)
    graph.rebuild(node.name, ops.Add(), parts)


def _affine(graph: Graph, node: Node, name: str, source: str, scale: Array | np.float32, shift: float) -> str:
    op = ops.Affine(scale=frozen_array(scale), shift=frozen_array(shift))
    graph.add(graph.fresh_name(name), op, [source], layers=node.origin.layers)
    return name
