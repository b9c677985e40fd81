"""Make one map of everything linear between two populations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.analysis.linear_maps import (
    Correlation,
    IdentityMap,
    LinearMap,
    LinearSum,
    Term,
    add,
    as_same,
    compose,
    matrix,
    reshaped,
)
from snnc.errors import LoweringError
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons import Synapse, SynapseModel
from snnc.ops.stateful import Stateful
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.fuse_linear import fuse_linear


@dataclass(frozen=True)
class MergeLinear(Pass):
    """Turn the linear ops between two nodes that are not linear into one op a source, added up.

    Pooling, padding, dilation, groups, depthwise and separable kernels, batch normalisation and scales go into one
    kernel; 1-D convolutions become 2-D; a concatenation is one map a branch; upsampling, permutations and what else is
    linear become a matrix, kept sparse where it pays. Filters go in front of the maps. What is left are the ops dense,
    conv and sparse-map, reshapes around them, add where there are several sources, shift for a bias that differs by
    position, and synapses right behind what they filter. A subclass says with ``ops_of`` what one chip has.

    Args:
        convolutions: keep a map that is a convolution as one; otherwise everything is a matrix.
        sparse: the share of weights that are not zero up to which a kernel, such as one of separate channels, becomes
            a sparse matrix: a spike meets all weights of its position, zeros too.
        dense: the share of weights that are not zero from which on a matrix is stored whole.

    Before::

        %x = input() {shape=(24,24,8)} : rate[24,24,8]
        %conv1 = neurons(%x) {model=lif} : spikes[24,24,8]
        %pool = avg-pool(%conv1) {size=(2,2) strides=(2,2)} : spikes[12,12,8]
        %conv2.linear = conv(%pool) {kernel=f32[3,3,8,16] ...} : spikes[10,10,16]
        %conv2 = neurons(%conv2.linear) {model=lif} : spikes[10,10,16]

    After::

        %conv1 = neurons(%x) {model=lif} : spikes[24,24,8]
        %conv2.linear = conv(%conv1) {kernel=f32[6,6,8,16] strides=(2,2) ...} : spikes[10,10,16]
        %conv2 = neurons(%conv2.linear) {model=lif} : spikes[10,10,16]
    """

    name: ClassVar[str] = "merge-linear"
    stage: ClassVar[Stage] = Stage.TARGET
    after: ClassVar[tuple[str, ...]] = ("write-scales",)
    exact: ClassVar[bool] = True

    convolutions: bool = True
    sparse: float = 1 / 8
    dense: float = 0.25

    def apply(self, graph: Graph, context: Context) -> None:
        sums = self.sums(graph)
        roots = {term.root for node in graph for term in sums[node.name].terms}
        read = {source for root in roots for source in graph.sources(root)} | set(graph.output_nodes.values())
        for node in [node for node in graph if node.name in read - roots]:
            head = self.write(graph, node, sums[node.name], in_place=True)
            if head != node.name:
                graph.rebuild(node.name, ops.Identity(), [head])
                graph.remove(node.name)
        graph.prune()
        fuse_linear(graph)

    def sums(self, graph: Graph) -> dict[str, LinearSum]:
        """Return every node of the graph as a sum of linear maps of the nodes that are not linear, or that remember."""
        sums: dict[str, LinearSum] = {}
        for node in graph:
            op, sources = node.op, graph.sources(node.name)
            if isinstance(op, Synapse):
                sums[node.name] = self.filtered(node, op.model, sums[sources[0]])
            elif op.arity == 0 or isinstance(op, (Stateful, ops.LastStep)) or not op.is_linear:
                sums[node.name] = _root(node)
            else:
                types = tuple(graph[s].type for s in sources)
                try:
                    terms = [
                        replace(term, map=compose(term.map, op, types, slot, node.type))
                        for slot, source in enumerate(sources)
                        for term in sums[source].terms
                    ]
                except LoweringError as error:
                    raise LoweringError(f"layer {node.name!r}: {error}") from error
                constant = op.evaluate(*(sums[s].constant[None] for s in sources))[0]
                sums[node.name] = LinearSum(_collected(terms), np.asarray(constant, dtype=np.float32))
        return sums

    def filtered(self, node: Node, synapse: SynapseModel, before: LinearSum) -> LinearSum:
        """Return a sum behind a filter, which may as well be in front of each of its maps.

        One behind another, and one that a constant passes, which it lets in little by little, stays where it is.
        """
        if before.constant.any() or any(term.synapse is not None for term in before.terms):
            return _root(node)
        return LinearSum(tuple(replace(term, synapse=synapse) for term in before.terms), before.constant)

    def write(self, graph: Graph, node: Node, wanted: LinearSum, *, in_place: bool) -> str:
        """Build a sum of as few ops as possible, and return the name of the node that gives it.

        Args:
            graph: the graph, which is changed.
            node: what gives the sum so far.
            wanted: the sum; its terms are not empty.
            in_place: let the last op have the name of the node, and its readers.
        """
        shape, constant = node.type.shape, wanted.constant
        whole = replace(self, sparse=0.0)
        chains = [
            (whole if term.stored else self).ops_of(term.map, graph[term.root].type.shape, shape)
            for term in wanted.terms
        ]
        for chain in chains:
            constant = _with_bias(chain, constant)
        joined: list[Op] = [ops.Add()] if len(chains) > 1 else []
        if constant.any():
            joined.append(ops.Shift(shift=constant))
        left = sum(len(chain) for chain in chains) + len(joined)

        def append(op: Op, sources: list[str]) -> str:
            nonlocal left
            left -= 1
            if not left and in_place:
                return graph.rebuild(node.name, op, sources).name
            return graph.add(graph.fresh_name(f"{node.name}.part"), op, sources, layers=node.origin.layers).name

        heads = []
        for term, chain in zip(wanted.terms, chains, strict=True):
            head = _head(graph, term)
            for op in chain:
                head = append(op, [head])
            heads.append(head)
        for op in joined:
            heads = [append(op, heads)]
        return heads[0]

    def ops_of(self, form: LinearMap, given: Shape, wanted: Shape) -> list[Op]:
        """Return the ops that apply a map to an input of one shape and give another: one map, and reshapes."""
        size = math.prod(given)
        if isinstance(form, IdentityMap):
            return reshaped(given, wanted)
        if isinstance(form, Correlation):
            if form.output[:2] == (1, 1):
                return self.dense_ops(matrix(form, size).toarray(), given, wanted)
            few = not self.convolutions or np.mean(form.kernel != 0) <= self.sparse
            found = None if few else as_same(form)
            if found is not None:
                kernel, padding = found
                bias = np.zeros(kernel.shape[-1], dtype=np.float32)
                conv = ops.Conv(kernel=kernel, bias=bias, strides=form.strides, padding=padding, dilation=(1, 1))
                return [*reshaped(given, form.grid), conv, *reshaped(form.output, wanted)]
        entries = matrix(form, size)
        entries.eliminate_zeros()
        if entries.nnz >= self.dense * entries.shape[0] * entries.shape[1]:
            return self.dense_ops(entries.toarray(), given, wanted)
        return [ops.SparseMap.of(entries, wanted)]

    def dense_ops(self, weight: AnyArray, given: Shape, wanted: Shape) -> list[Op]:
        """Return the ops that multiply by a matrix (outputs, inputs) that is stored whole."""
        outputs, inputs = weight.shape
        dense = ops.Dense(weight=weight.T, bias=np.zeros(outputs, dtype=np.float32))
        return [*reshaped(given, (inputs,)), dense, *reshaped((outputs,), wanted)]

    def postcondition(self, graph: Graph) -> Iterator[str]:
        for node in graph:
            if node.op.is_linear and not isinstance(node.op, (*MERGED, Stateful)):
                yield f"node {node.name!r} ({node.op.kind}) is not merged"


MERGED: tuple[type[Op], ...] = (
    ops.Add,
    ops.Conv,
    ops.Dense,
    ops.Identity,
    ops.Input,
    ops.LastStep,
    ops.Reshape,
    ops.Shift,
    ops.SparseMap,
)
"""The linear ops that merge-linear leaves."""


def _root(node: Node) -> LinearSum:
    shape = node.type.shape
    return LinearSum((Term(node.name, IdentityMap(shape)),), np.zeros(shape, dtype=np.float32))


def _collected(terms: list[Term]) -> tuple[Term, ...]:
    """Return the terms with those of one source added up where their sum is of the same form."""
    kept: list[Term] = []
    for term in terms:
        for i, other in enumerate(kept):
            same = (other.root, other.synapse) == (term.root, term.synapse)
            joint = add(other.map, term.map) if same else None
            if joint is not None:
                kept[i] = replace(term, map=joint)
                break
        else:
            kept.append(term)
    return tuple(kept)


def _head(graph: Graph, term: Term) -> str:
    """Return the node that gives what a term maps: its root, or the filter behind that."""
    if term.synapse is None:
        return term.root
    op = Synapse(model=term.synapse)
    for reader, _ in graph.readers(term.root):
        if graph[reader].op == op:
            return reader
    name = graph.fresh_name(f"{term.root}.synapse")
    return graph.add(name, op, [term.root], layers=graph[term.root].origin.layers).name


def _with_bias(chain: list[Op], constant: Array) -> Array:
    """Give the op of a chain a constant as its bias, and return what it cannot take."""
    for i, op in enumerate(chain if constant.any() else ()):
        if isinstance(op, (ops.Dense, ops.Conv)):
            rows = constant.reshape(-1, len(op.bias))
            if (rows == rows[0]).all():
                chain[i] = replace(op, bias=rows[0])
                return np.zeros_like(constant)
    return constant
