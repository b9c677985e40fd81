"""Write activations that no chosen neuron can stand for as sums of ReLUs, fitted to what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.analysis.expected import expected_activations
from snnc.analysis.forecast import ENOUGH
from snnc.analysis.piecewise_linear import SumOfRelus, sum_of_relus
from snnc.engine.rate import evaluate_nodes
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op, frozen_array
from snnc.ir.types import AnyArray, Array, Shape
from snnc.ops.activations import Activation, SpikingActivation
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.decompose_activations import is_sum_of_relus
from snnc.passes.fuse_linear import fuse_linear
from snnc.passes.swap_activations import DEFAULT, AnyNeurons, ChosenModels

ROWS, VALUES = 1 << 14, 1 << 22
"""The most inputs of a channel, and of a layer, to which a sum is fitted."""


@dataclass(frozen=True)
class FitActivations(Pass):
    """Write swish, GELU, tanh and the like as constant + sum_k weight_k relu((x - knot_k) / reach_k).

    For neurons that are ReLUs alone, such as a chip's. Each channel has knots and weights of its own, fitted to its
    inputs on the samples (see ``analysis/piecewise_linear.py``), and all channels of a layer as many: the fewest for
    which the error, relative to the deviation of the activation, is at most ``error``, and ``most`` pieces at most.
    The ReLUs of a layer are one population of so many times its neurons, and drives are 1 at the end of the range.
    ``squares`` writes products of two signals as ((a + b)^2 - (a - b)^2) / 4, too, and squares as such sums: many
    neurons, and noise where a factor is small. What the chosen ``neurons`` can stand for stays, as does what no
    weights are in front of.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = swish(%conv.linear) : rate[6,6,4]

    After::

        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv.drives = conv(%conv.linear) {kernel=f32[1,1,4,12] ...} : rate[6,6,12]
        %conv.relus = relu(%conv.drives) : rate[6,6,12]
        %conv = conv(%conv.relus) {kernel=f32[1,1,3,4] groups=4 ...} : rate[6,6,4]
    """

    name: ClassVar[str] = "fit-activations"
    stage: ClassVar[Stage] = Stage.SPIKE
    arguments: ClassVar[tuple[str, ...]] = ("neurons",)
    after: ClassVar[tuple[str, ...]] = ("decompose-activations", "defer-final-activation")
    needs_calibration: ClassVar[bool] = True
    approximates: ClassVar[bool] = True
    neurons: AnyNeurons = DEFAULT
    error: float = 0.05
    most: int = 8
    squares: bool = False

    def __post_init__(self) -> None:
        if not self.error >= 0 or self.most < 1:
            raise UsageError(
                f"fit-activations: error {self.error:g} must be 0 or more, and most {self.most:g} at least 1 piece"
            )

    def apply(self, graph: Graph, context: Context) -> None:
        assert context.samples is not None
        if self.squares:
            _products_as_squares(graph, context)
        weighted = _behind_weights(graph)
        models = ChosenModels(self.neurons, context)
        nodes = {n.name: n for n in graph.nodes(Activation) if n.name in weighted and _is_fitted(n, models)}
        known = context.known if context.made else {}
        for name, reads, _ in list(expected_activations(graph, set(nodes), context.samples, known)):
            op = nodes[name].op
            try:
                fitted = sum_of_relus(op.evaluate, _rows(reads), self.error, self.most)
            except ValueError as error:
                context.note(f"{name} ({op.kind}): {error}, so that no sum of ReLUs comes near it")
                continue
            _write(graph, nodes[name], fitted)
            if fitted.error > self.error:
                context.note(
                    f"{name} ({op.kind}): a sum of {fitted.relus} ReLUs misses it by {fitted.error:.1%} of its "
                    f"deviation; fit-activations{{most={2 * self.most}}} may come nearer"
                )
        fuse_linear(graph)


def _behind_weights(graph: Graph) -> set[str]:
    """Return the nodes that have weights in front of them: what is not behind any is computed once, as it is."""
    found: set[str] = set()
    for node in graph:
        sources = graph.sources(node.name)
        weighs = any(graph[s].op.multiply_adds(*(graph[r].type for r in graph.sources(s))) for s in sources)
        if weighs or any(s in found for s in sources):
            found.add(node.name)
    return found


def _products_as_squares(graph: Graph, context: Context) -> None:
    """Write a * b as ((a / s + s b)^2 - (a / s - s b)^2) / 4, s being such that both are as large on the samples."""
    assert context.samples is not None
    weighted = _behind_weights(graph)
    nodes = [n for n in graph.nodes(ops.Multiply) if len(set(graph.sources(n.name)) & weighted) == 2]
    nodes = [n for n in nodes if len(graph.sources(n.name)) == 2]
    values = evaluate_nodes(graph, context.samples, {s for n in nodes for s in graph.sources(n.name)})
    for node in nodes:
        a, b = graph.sources(node.name)
        large, small = (max(float(np.sqrt(np.mean(np.square(values[s])))), 1e-12) for s in (a, b))
        _as_squares(graph, node, (a, b), np.sqrt(large / small))


def _as_squares(graph: Graph, node: Node, factors: tuple[str, str], s: float) -> None:
    def add(what: str, op: Op, *read: str) -> str:
        return graph.add(graph.fresh_name(f"{node.name}.{what}"), op, read, layers=node.origin.layers).name

    a, b = factors
    scaled, plus, minus = add("a", _times(1 / s), a), add("b", _times(s), b), add("minus", _times(-s), b)
    quarters = []
    for what, other, quarter in (("sum", plus, 0.25), ("difference", minus, -0.25)):
        square = add("square", ops.Function(name="square"), add(what, ops.Add(), scaled, other))
        quarters.append(add("quarter", _times(quarter), square))
    graph.rebuild(node.name, ops.Add(), quarters)


def _times(factor: float) -> ops.Affine:
    return ops.Affine(scale=frozen_array(factor), shift=frozen_array(0.0))


def _is_fitted(node: Node[Activation], models: ChosenModels) -> bool:
    op = node.op.activation if isinstance(node.op, SpikingActivation) else node.op
    if not op.elementwise or isinstance(op, ops.Linear) or is_sum_of_relus(node) or any(op.arrays()):
        return False
    key, model = models.of(node, op)
    # neurons chosen for the activation by its name are not meant for ReLUs
    return model is not None and key != op.kind and not model.can_replace(op)


def _rows(reads: Array) -> AnyArray:
    """Return ``(samples, channels)`` of what a layer reads; channels that have few values are taken together."""
    channels = reads.shape[-1]
    rows = reads.reshape(-1, channels)
    if len(rows) >= ENOUGH:
        return _some(rows, min(ROWS, max(ENOUGH, VALUES // channels)))
    together = _some(rows.reshape(-1, 1), ROWS)
    return np.broadcast_to(together, (len(together), channels))


def _some(rows: AnyArray, most: int) -> AnyArray:
    return rows[:: -(-len(rows) // most)]


def _write(graph: Graph, node: Node, fitted: SumOfRelus) -> None:
    """Replace an activation by a map that spreads its input, ReLUs, and a map of each channel's own that adds up."""
    (source,) = graph.sources(node.name)
    shape = graph[source].type.shape
    channels, relus = fitted.knots.shape

    def add(what: str, op: Op, read: str) -> str:
        return graph.add(graph.fresh_name(f"{node.name}.{what}"), op, [read], layers=node.origin.layers).name

    inner = shape if 2 <= len(shape) <= 4 else (max(node.type.size // channels, 1), channels)
    if inner != shape:
        source = add("row", ops.Reshape(shape=inner), source)
    spread = np.zeros((channels, channels, relus))
    spread[np.arange(channels), np.arange(channels)] = 1 / fitted.reach
    drives = _pointwise(spread.reshape(channels, -1), (-fitted.knots / fitted.reach).ravel(), len(inner) - 1)
    population = add("relus", ops.Relu(), add("drives", drives, source))
    decoder = _pointwise(fitted.weights.T, fitted.constant, len(inner) - 1, groups=channels)
    graph.rebuild(node.name, decoder, [population])
    if inner != shape:
        graph.insert_after(node.name, graph.fresh_name(f"{node.name}.flat"), ops.Reshape(shape=shape))


def _pointwise(weight: AnyArray, bias: AnyArray, rank: int, groups: int = 1) -> ops.Conv:
    """Return a convolution of one position; weight (inputs / groups, outputs)."""
    ones: Shape = (1,) * rank
    kernel = np.asarray(weight, dtype=np.float32).reshape(*ones, *weight.shape)
    return ops.Conv(kernel=kernel, bias=bias.astype(np.float32), strides=ones, dilation=ones, groups=groups)
