"""Let neurons of both signs carry a value between two weights, where one map in place of both takes many cores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from snnc.api import Activation, AnyArray, Context, Graph, Neurons, Node, Op, Pass, Stage, UsageError, ops
from snnc.api import linear_maps as maps
from snnc_loihi.passes.merge_linear import MergeLinear

WEIGHTS = (ops.Dense, ops.Conv)
MOVES = (ops.Reshape, ops.Permute, ops.ZeroPad)
NEURONS = 1024
"""Of a core."""
WEIGHTS_OF_A_CORE = 2**20 // 9
"""Its synapse memory has 128 KiB, and a weight takes 8 bits and its share of what says where it goes."""

Sums = Mapping[str, maps.LinearSum]


@dataclass(frozen=True)
class CarrySigns(Pass):
    """Let x = relu(x) - relu(-x) be spikes between two weights, where one map in place of both takes many more cores.

    A core has no neurons that send negative spikes, so loihi-merge-linear makes one map of a bottleneck: of weights
    (inputs, few) and (few, outputs) those of (inputs, outputs), for each layer before it that the sum has. Two neurons
    for each number of the bottleneck keep both. They cost a step of delay, and accuracy in deep networks.

    Args:
        where: ``cheaper`` where the populations would take ``times`` as many cores without; ``always`` wherever weights
            read what other weights give; ``never``.
        times: how many times as many.

    Before::

        %x = input() {shape=(2048)} : rate[2048]
        %a = relu(%x) : rate[2048]
        %few = dense(%a) {weight=f32[2048,16] ...} : rate[16]
        %b.linear = dense(%few) {weight=f32[16,1024] ...} : rate[1024]
        %b = relu(%b.linear) : rate[1024]
        %c = dense(%b) {weight=f32[1024,4] ...} : rate[4]

    After::

        %a = relu(%x) : rate[2048]
        %few = dense(%a) {weight=f32[2048,16] ...} : rate[16]
        %few.both = dense(%few) {weight=f32[16,32] ...} : rate[32]
        %few.signs = relu(%few.both) : rate[32]
        %few.signed = dense(%few.signs) {weight=f32[32,16] ...} : rate[16]
        %b.linear = dense(%few.signed) {weight=f32[16,1024] ...} : rate[1024]
        %b = relu(%b.linear) : rate[1024]
        %c = dense(%b) {weight=f32[1024,4] ...} : rate[4]
    """

    name: ClassVar[str] = "loihi-carry-signs"
    stage: ClassVar[Stage] = Stage.FUSE
    after: ClassVar[tuple[str, ...]] = ("loihi-cap", "fuse-linear")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True
    where: Literal["cheaper", "always", "never"] = "cheaper"
    times: float = 2.0

    def __post_init__(self) -> None:
        if not self.times >= 1:
            raise UsageError(f"loihi-carry-signs: times must be 1 or more, not {self.times:g}")

    def apply(self, graph: Graph, context: Context) -> None:
        for node in [] if self.where == "never" else _carried(graph):
            heads = _heads(graph, node, fitted=context.samples is not None)
            if heads and (self.where == "always" or self._pays(graph, node, heads)):
                _carry(graph, node)

    def _pays(self, graph: Graph, node: Node, heads: Sequence[str]) -> bool:
        sums = MergeLinear().sums(graph)
        merged = sum(_cores(graph, sums, head) for head in heads)
        least = sum(_for_neurons(graph[head].type.size) for head in heads) + _for_neurons(2 * node.type.size)
        if merged < self.times * least:
            return False
        trial = graph.copy()
        signs = _carry(trial, trial[node.name])
        sums = MergeLinear().sums(trial)
        return merged >= self.times * sum(_cores(trial, sums, head) for head in (trial.sources(signs)[0], *heads))


def _carry(graph: Graph, node: Node) -> str:
    """Put a population behind a node for those that weigh its values, and return its name; others read it as before."""
    layers = node.origin.layers
    both, signs, signed = (graph.fresh_name(f"{node.name}.{what}") for what in ("both", "signs", "signed"))
    readers = _weighing(graph, node.name)
    one = np.eye(node.type.shape[-1], dtype=np.float32)
    graph.add(both, _mixing(np.hstack([one, -one]), node), [node.name], layers=layers)
    graph.add(signs, ops.Relu(), [both], layers=layers)
    graph.add(signed, _mixing(np.vstack([one, -one]), node), [signs], layers=layers)
    for reader, slot in readers:
        sources = [signed if i == slot else source for i, source in enumerate(graph.sources(reader))]
        graph.rebuild(reader, graph[reader].op, sources)
    return signs


def _mixing(weight: AnyArray, node: Node) -> Op:
    """Return the op that multiplies the channels of each position by a matrix (inputs, outputs)."""
    bias = np.zeros(weight.shape[1], dtype=np.float32)
    ones = (1,) * (len(node.type.shape) - 1)
    if not ones:
        return ops.Dense(weight=weight, bias=bias)
    kernel = weight.reshape(*ones, *weight.shape)
    return ops.Conv(kernel=kernel, bias=bias, strides=ones, padding="valid", dilation=ones)


def _carried(graph: Graph) -> list[Node]:
    """Return what weights give, or a sum of that, and other weights read."""
    weighed: set[str] = set()
    for node in graph:
        if node.op.is_linear and (isinstance(node.op, WEIGHTS) or weighed & set(graph.sources(node.name))):
            weighed.add(node.name)
    return [n for n in graph if n.name in weighed and not isinstance(n.op, MOVES) and _weighing(graph, n.name)]


def _weighing(graph: Graph, name: str) -> list[tuple[str, int]]:
    """Return (reader, slot) of the readers that weigh a node's values, or move them for weights alone."""
    return [(reader, slot) for reader, slot in graph.readers(name) if _weighs(graph, reader)]


def _weighs(graph: Graph, name: str) -> bool:
    op, readers = graph[name].op, graph.readers(name)
    if isinstance(op, MOVES):
        return bool(readers) and all(_weighs(graph, reader) for reader, _ in readers)
    return isinstance(op, WEIGHTS)


def _heads(graph: Graph, node: Node, *, fitted: bool) -> list[str]:
    """Return what neurons of the chip read of the values of a node that are weighed."""
    found: dict[str, None] = {}
    todo = [reader for reader, _ in _weighing(graph, node.name)]
    while todo:
        name = todo.pop()
        for reader, _ in graph.readers(name):
            if _spikes(graph, graph[reader], fitted):
                found[name] = None
            elif graph[reader].op.is_linear:
                todo.append(reader)
    return list(found)


def _spikes(graph: Graph, node: Node, fitted: bool) -> bool:
    """Return whether a node is going to be neurons; ``fitted`` if functions that are no ReLU are, too."""
    if isinstance(node.op, Activation):
        known = fitted or isinstance(node.op, (ops.Relu, ops.PRelu, ops.HardSigmoid))
        return known and node.op.elementwise and not graph.is_output(node.name)
    return isinstance(node.op, Neurons)


def _cores(graph: Graph, sums: Sums, head: str) -> int:
    """Return how many cores the neurons that read a sum take at least: for themselves, and for their weights."""
    weights = sum(_stored(term.map) for term in sums[head].terms)
    return max(_for_neurons(graph[head].type.size), math.ceil(weights / WEIGHTS_OF_A_CORE))


def _for_neurons(count: int) -> int:
    return math.ceil(count / NEURONS)


def _stored(form: maps.LinearMap) -> int:
    """Return how many weights a map has; those of a convolution are the same at all positions."""
    if isinstance(form, maps.IdentityMap):
        return math.prod(form.shape)
    if isinstance(form, maps.MatrixMap):
        return int(form.matrix.nnz)
    used = int(np.count_nonzero(form.kernel))
    if used > MergeLinear.sparse * form.kernel.size:
        return int(form.kernel.size)
    return used * math.prod(form.output[:2])
