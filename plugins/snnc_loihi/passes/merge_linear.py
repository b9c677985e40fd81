"""Make one map of everything linear between two populations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.api import (
    AnyArray,
    Array,
    Context,
    Graph,
    LoweringError,
    Node,
    Op,
    Pass,
    Shape,
    Stage,
    Stateful,
    Synapse,
    SynapseModel,
    fuse_linear,
    ops,
)
from snnc_loihi.forms import Correlation, Form, Same, added, as_same, grid, matrix, then
from snnc_loihi.ops import Shift, SparseMap
from snnc_loihi.placement_queries import populations

AXONS = 4096
"""The most sources of a matrix that a core takes. Those of a convolution are positions, whatever their channels, so
that a wider matrix becomes a convolution with one position."""
MOST_ATOMS = 64
SPARSE = 1 / 8
"""The share of weights that are not zero up to which a kernel, such as one of separate channels, becomes a matrix."""
DENSE = 0.25
"""The share of weights that are not zero from which on a matrix is stored whole."""


@dataclass(frozen=True)
class Term:
    """A map of what another node gives, which is filtered first, if it is."""

    root: str
    form: Form
    synapse: SynapseModel | None = None


@dataclass(frozen=True)
class Sum:
    """What a node gives: a sum of terms, and a constant in its own shape."""

    terms: tuple[Term, ...]
    constant: Array


@dataclass(frozen=True)
class MergeLinear(Pass):
    """Turn the linear ops before each population of the chip into one op a source, added up.

    Pooling, padding, dilation, groups, depthwise and separable kernels, batch normalisation and scales go into one
    kernel; 1-D convolutions become 2-D; a concatenation is one map a branch; upsampling, permutations and what else is
    linear become a matrix, kept sparse where it pays. Two branches that a neuron reads are two connections, and share
    one filter, the slower of theirs: a core has one.

    Before::

        %pool = avg-pool(%conv1) {size=(2,2) strides=(2,2) padding=valid} : spikes[12,12,8]
        %conv2.linear = conv(%pool) {kernel=f32[3,3,8,16] ...} : spikes[10,10,16]
        %conv2 = neurons(%conv2.linear) {...} : spikes[10,10,16]

    After::

        %conv2.linear = conv(%conv1) {kernel=f32[6,6,8,16] ... strides=(2,2)} : spikes[10,10,16]
        %conv2 = neurons(%conv2.linear) {...} : spikes[10,10,16]
    """

    name: ClassVar[str] = "loihi-merge-linear"
    stage: ClassVar[Stage] = Stage.TARGET
    after: ClassVar[tuple[str, ...]] = ("loihi-write-scales",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        sums = _sums(graph)
        chip = populations(graph)
        feeds = {node.name: graph.sources(node.name)[0] for node in chip}
        for name, feed in feeds.items():
            _write(graph, name, sums[feed], graph[feed])
        graph.prune()
        fuse_linear(graph)


def _sums(graph: Graph) -> dict[str, Sum]:
    """Return what every node of the graph is of the nodes that are not linear."""
    sums: dict[str, Sum] = {}
    for node in graph:
        op, sources = node.op, graph.sources(node.name)
        shape = node.type.shape
        if isinstance(op, Synapse):
            sums[node.name] = _filtered(node, op.model, sums[sources[0]])
            continue
        if op.arity == 0 or isinstance(op, Stateful) or not op.is_linear:
            sums[node.name] = Sum((Term(node.name, Same(shape)),), np.zeros(shape, dtype=np.float32))
            continue
        types = tuple(graph[s].type for s in sources)
        terms = [
            replace(term, form=then(term.form, op, types, slot, node.type))
            for slot, source in enumerate(sources)
            for term in sums[source].terms
        ]
        constant = op.evaluate(*(sums[s].constant[None] for s in sources))[0]
        sums[node.name] = Sum(_collected(terms), np.asarray(constant, dtype=np.float32))
    return sums


def _filtered(node: Node, synapse: SynapseModel, before: Sum) -> Sum:
    """Return a sum behind a filter, which may as well be in front of each of its maps."""
    if any(term.synapse is not None for term in before.terms):
        raise LoweringError(f"{node.name!r} is a second filter between two layers, and a core has one; take one out")
    return Sum(tuple(replace(term, synapse=synapse) for term in before.terms), before.constant)


def _collected(terms: list[Term]) -> tuple[Term, ...]:
    """Return the terms with those of one source added up where their sum is of the same form."""
    kept: list[Term] = []
    for term in terms:
        for i, other in enumerate(kept):
            same = (other.root, other.synapse) == (term.root, term.synapse)
            joint = added(other.form, term.form) if same else None
            if joint is not None:
                kept[i] = replace(term, form=joint)
                break
        else:
            kept.append(term)
    return tuple(kept)


def _one_filter(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return the terms with the slowest of their filters on all of them."""
    synapses = [term.synapse for term in terms if term.synapse is not None]
    slowest = max(synapses, key=lambda synapse: synapse.tau, default=None)
    return tuple(replace(term, synapse=slowest) for term in terms)


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


def _write(graph: Graph, population: str, wanted: Sum, feed: Node) -> None:
    """Let a population read a sum that is made of as few ops as the chip needs."""
    shape, constant = graph[population].type.shape, wanted.constant
    if not wanted.terms:
        raise LoweringError(f"layer {population!r} reads nothing but a constant; leave it out of the model")
    terms = _one_filter(wanted.terms)
    chains = [chip_ops(term.form, graph[term.root].type.shape, shape) for term in terms]
    for chain in chains:
        constant = _with_bias(chain, constant)
    joined: list[Op] = [ops.Add()] if len(chains) > 1 else []
    if constant.any():
        joined.append(Shift(shift=constant))
    left = sum(len(chain) for chain in chains) + len(joined)
    # the op right before a population keeps the name by which people know it, where nothing else reads that
    free = graph.sole_reader(feed.name) == population and feed.op.is_linear and not isinstance(feed.op, Stateful)

    def add(op: Op, sources: list[str]) -> str:
        nonlocal left
        left -= 1
        if not left and free:
            return graph.rebuild(feed.name, op, sources).name
        return graph.add(graph.fresh_name(f"{feed.name}.part"), op, sources, layers=feed.origin.layers).name

    heads = []
    for term, chain in zip(terms, chains, strict=True):
        head = _head(graph, term)
        for op in chain:
            head = add(op, [head])
        heads.append(head)
    for op in joined:
        heads = [add(op, heads)]
    if graph.sources(population) != (heads[0],):
        graph.rebuild(population, graph[population].op, heads)


def chip_ops(form: Form, given: Shape, wanted: Shape) -> list[Op]:
    """Return the ops that apply a form to an input of one shape and give another: one that is built, and reshapes."""
    size = int(np.prod(given))
    if isinstance(form, Same):
        return _reshaped(given, wanted)
    if isinstance(form, Correlation):
        if form.output[:2] == (1, 1):
            return _dense(matrix(form, size).toarray(), given, wanted)
        # a spike meets all weights of its position, zeros too, so that a kernel of few weights is no kernel
        found = None if np.mean(form.kernel != 0) <= SPARSE else as_same(form)
        if found is not None:
            kernel, padding = found
            bias = _zeros(kernel.shape[-1])
            conv = ops.Conv(kernel=kernel, bias=bias, strides=form.strides, padding=padding, dilation=(1, 1))
            return [*_reshaped(given, form.grid), conv, *_reshaped(form.output, wanted)]
    entries = matrix(form, size)
    entries.eliminate_zeros()
    if entries.nnz >= DENSE * entries.shape[0] * entries.shape[1]:
        return _dense(entries.toarray(), given, wanted)
    return [SparseMap.of(entries, wanted)]


def _dense(weight: AnyArray, given: Shape, wanted: Shape) -> list[Op]:
    outputs, inputs = weight.shape
    if inputs > AXONS:
        seen = grid(given) or (1, 1, inputs)
        if max(seen[2], 1) > MOST_ATOMS or seen[0] * seen[1] > AXONS or seen[2] == 1:
            channels = max(c for c in range(1, MOST_ATOMS + 1) if inputs % c == 0)
            seen = (inputs // channels, 1, channels)
        kernel = weight.T.reshape(*seen, outputs)
        conv = ops.Conv(kernel=kernel, bias=_zeros(outputs), strides=(1, 1), padding="valid", dilation=(1, 1))
        return [*_reshaped(given, seen), conv, *_reshaped((1, 1, outputs), wanted)]
    dense = ops.Dense(weight=weight.T, bias=_zeros(outputs))
    return [*_reshaped(given, (inputs,)), dense, *_reshaped((outputs,), wanted)]


def _zeros(size: int) -> Array:
    return np.zeros(size, dtype=np.float32)


def _reshaped(given: Shape, wanted: Shape) -> list[Op]:
    return [] if given == wanted else [ops.Reshape(shape=wanted)]


def _with_bias(chain: list[Op], constant: Array) -> Array:
    """Give the op of a chain a constant as its bias, and return what it cannot take."""
    for i, op in enumerate(chain if constant.any() else ()):
        if isinstance(op, (ops.Dense, ops.Conv)):
            rows = constant.reshape(-1, len(op.bias))
            if (rows == rows[0]).all():
                chain[i] = replace(op, bias=rows[0])
                return np.zeros_like(constant)
    return constant
