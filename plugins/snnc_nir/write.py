"""A graph as a NIR file: one linear node a source between any two that are not linear, all scales in the weights.

In the file a spike is 1 and every threshold 1, so that what a spike stands for is in the weights behind a population,
and what it takes to fire in those in front of it. All is multiplied in float64 and rounded once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from snnc.api import (
    AnyArray,
    Array,
    Graph,
    LoweringError,
    MergeLinear,
    Neurons,
    Node,
    Stateful,
    Synapse,
    SynapseModel,
    graph_text,
    linear_maps,
    neurons,
    numbered_tail,
    op_text,
    ops,
    stepwise,
)
from snnc_nir.convolution import LARGEST, Unsayable, identity, linear_node, uniform, whole
from snnc_nir.file import OWN, NirFile, NirNode, Value
from snnc_nir.sayable import require_sayable

Grid: TypeAlias = tuple[int, int, int]
ONE = np.array(1.0)
WEIGHTS = re.compile(r"_weights(_\d+)?$")
"""How names of linear nodes end; those that were read from a file do already."""


def write(graph: Graph, metadata: Mapping[str, Value], dt: float, *, plain: bool = False) -> NirFile:
    """Return a compiled graph as a NIR file.

    Args:
        graph: with read-out activations, which become the tail in the metadata.
        metadata: what the file is to say of the compilation.
        dt: seconds a step.
        plain: write what readers as released read: no convolutions in groups.

    Raises:
        LoweringError: names every layer that NIR cannot say, why, and what to do.

    """
    running = stepwise(graph)
    require_sayable(running)
    writer = _Writer(running, dt, plain)
    nodes, edges = writer.written()
    tail, arrays = graph_text(numbered_tail(graph))
    ends = {"inputs": json.dumps(writer.inputs), "outputs": json.dumps(writer.outputs)}
    return NirFile(nodes, edges, {**metadata, **ends, "dt": np.array(dt), "tail": tail, **arrays})


class _Writer:
    """Nodes and edges of a graph, written in its order: what a node reads is there already."""

    def __init__(self, graph: Graph, dt: float, plain: bool) -> None:
        self.graph, self.dt, self.plain = graph, dt, plain
        self.forms = MergeLinear().sums(graph)
        self.nodes: dict[str, NirNode] = {}
        self.edges: list[tuple[str, str]] = []
        self.inputs: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        """By name in the file: the graph's own and, as ``nir`` of 1.0.4 lets no such node say it, what else it is."""
        self.ends: dict[str, list[str]] = {}
        """By node: what adds up to its value, in units of ``unit``."""
        self.grids: dict[str, Grid] = {}
        """By node: the shape in which it is there, (height, width, channels)."""
        held = [node for node in graph if node.op.arity == 0 or _is_root(node) or graph.is_output(node.name)]
        self.axes = min(2, max((len(node.type.shape) - 1 for node in held), default=0))
        self.axes = max(self.axes, 0)

    def written(self) -> tuple[dict[str, NirNode], tuple[tuple[str, str], ...]]:
        """Return all nodes and edges."""
        for node in self.graph:
            if node.op.arity == 0:
                grid = self._natural(node)
                assert grid is not None
                name = self._give(node, grid, NirNode("Input", {"shape": self._shape(grid)}), [])
                self.inputs[name] = {"layer": node.name, "op": op_text(node.op)[0]}
            elif _is_root(node):
                (source,) = self.graph.sources(node.name)
                grid, ends = self._feed(source, node)
                self._give(node, grid, self._stateful(node, grid), ends)
        for output, name in self.graph.output_nodes.items():
            node = self.graph[name]
            grid, ends = self._feed(name, node, read=True)
            plain = self._add(output, NirNode("Output", {"shape": self._shape(grid)}), ends)
            self.outputs[plain] = {"layer": output, "shape": node.type.shape}
        return self._read()

    def _read(self) -> tuple[dict[str, NirNode], tuple[tuple[str, str], ...]]:
        """Return the nodes, and the edges between them, without those that nothing reads: tries that led nowhere."""
        read = {name for name, node in self.nodes.items() if node.type in ("Input", "Output")}
        for source, target in reversed(self.edges):  # a node is written behind what it reads
            if target in read:
                read.add(source)
        edges = tuple(edge for edge in self.edges if edge[1] in read)
        return {name: node for name, node in self.nodes.items() if name in read}, edges

    # ---------------------------------------------------------------- nodes

    def _give(self, node: Node, grid: Grid, nir: NirNode, ends: list[str]) -> str:
        self.grids[node.name] = grid
        self.ends[node.name] = [self._add(node.name, nir, ends)]
        return self.ends[node.name][0]

    def _add(self, wish: str, nir: NirNode, ends: list[str]) -> str:
        """Add a node that reads the sum of some, under a name that all readers take, and return that."""
        plain = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in wish)
        plain = name = plain if plain[:1].isalpha() else f"n{plain}"
        count = 2
        while name in self.nodes:
            name, count = f"{plain}_{count}", count + 1
        self.nodes[name] = nir
        self.edges += [(end, name) for end in ends]
        return name

    def _stateful(self, node: Node, grid: Grid) -> NirNode:
        op, about = node.op, self._about(node.name, node)
        shape = self._shape(grid)
        ones = np.ones(shape, dtype=np.float32)
        if isinstance(op, Synapse):
            return self._filter(op.model, ones, about)
        if isinstance(op, Neurons) and type(op.model) is neurons.SoftResetIf:
            said: dict[str, Value] = {
                "reset": "subtract",
                "initial_voltage": np.array(op.model.initial),
                "most_spikes": np.array(op.model.gamma),
            }
            return NirNode("IF", {"r": ones, "v_threshold": ones}, {**about, **said})
        if isinstance(op, Neurons) and type(op.model) is neurons.Lif:
            said = {"reset": "zero", "refractory_period": np.array(op.model.tau_ref), "voltage_floor": np.array(0.0)}
            tau = np.full(shape, op.model.tau_rc)
            fields = {"tau": tau, "r": tau / self.dt, "v_leak": np.zeros(shape), "v_threshold": np.ones(shape)}
            return NirNode("LIF", fields, {**about, **said})
        kind = op.kind
        if isinstance(op, Neurons):
            op, kind = replace(op, scale=self.dt if op.model.spiking else 1.0), op.model.kind
        text, arrays = op_text(op)
        return NirNode(f"{OWN}{kind}", {"shape": shape}, {**about, "op": text, **arrays})

    def _filter(self, model: SynapseModel, ones: Array, about: Mapping[str, Value]) -> NirNode:
        zeros = np.zeros(ones.shape)
        return NirNode("LI", {"tau": zeros + model.tau, "r": zeros + 1, "v_leak": zeros}, about)

    def _about(self, layer: str, node: Node) -> dict[str, Value]:
        return {"layer": layer, "shape": np.array(node.type.shape, dtype=np.int64)}

    def _shape(self, grid: Grid) -> AnyArray:
        """Return the shape that the file has for a grid: channels first, and as many axes behind as all have."""
        height, width, channels = grid
        return np.array((channels, height, width)[: self.axes + 1])

    def _unit(self, name: str) -> AnyArray:
        """Return the activation that 1 of a node stands for in the file: one number, or one a channel."""
        op = self.graph[name].op
        if not isinstance(op, Neurons):
            return ONE
        return np.array(op.scale / np.float64(self.dt if op.model.spiking else 1))

    def _natural(self, node: Node) -> Grid | None:
        """Return the shape of a node as (height, width, channels); None where it has more axes than the file."""
        grid = linear_maps.grid(node.type.shape or (1,))
        return None if grid is None or any(n > 1 for n in grid[self.axes : 2]) else grid

    # ---------------------------------------------------------------- what is linear

    def _feed(self, source: str, node: Node, *, read: bool = False) -> tuple[Grid, list[str]]:
        """Write what a node reads, and return its grid, with what adds up to its input.

        Args:
            source: the node that it reads; with ``read`` itself, whose value an output takes.
            node: a node that is not linear, or one that is read out.
            read: the value is wanted, not what a population takes for it.

        Raises:
            LoweringError: NIR cannot say it.

        """
        factor, offset = ONE, 0.0
        if isinstance(node.op, Neurons) and not read:
            factor = np.array(1 / self._unit(node.name))
            if type(node.op.model) is neurons.Lif:
                offset = self.dt * node.op.model.offset / node.op.model.gain
        natural, flat = self._natural(node), (1, 1, node.type.size)
        reason = "" if natural else "it has more than two axes besides the channels"
        for grid, whole_map in self._ways(source, natural, flat):
            try:
                form = self.forms[source] if whole_map else self._one_step(source)
                return grid, self._linear(form, source, grid, factor, offset)
            except Unsayable as error:
                reason = reason or str(error)
        raise LoweringError(
            f"layer {node.name!r}: NIR cannot say what it reads: {reason}; use layers that are convolutions, dense, "
            "pooling, padding or sums of these"
        )

    def _ways(self, source: str, natural: Grid | None, flat: Grid) -> Iterator[tuple[Grid, bool]]:
        """Yield how a value may be said, the best first: as one map a source, in two steps, as one dense map.

        Each is the shape in which it is seen, and whether all that is linear in front of it is one map.
        """
        if natural is not None:
            yield natural, True
            if not _is_root(self.graph[source]) and self.graph[source].op.arity != 0:
                yield natural, False
        if natural != flat:
            yield flat, True

    def _one_step(self, name: str) -> linear_maps.LinearSum:
        """Return a linear node as maps of what it reads itself; raise Unsayable where that cannot be said."""
        node, sources = self.graph[name], self.graph.sources(name)
        types = tuple(self.graph[s].type for s in sources)
        for source in sources:
            self._written(source)
        terms = tuple(
            linear_maps.Term(s, linear_maps.compose(linear_maps.IdentityMap(t.shape), node.op, types, slot, node.type))
            for slot, (s, t) in enumerate(zip(sources, types, strict=True))
        )
        constant = node.op.evaluate(*(np.zeros((1, *t.shape), dtype=np.float32) for t in types))[0]
        return linear_maps.LinearSum(terms, constant)

    def _written(self, name: str) -> None:
        """Write a linear node by itself, where another is to read it."""
        if name in self.ends:
            return
        grid = self._natural(self.graph[name])
        if grid is None:
            raise Unsayable(f"{name!r} has more axes than anything that it is made of")
        try:
            ends = self._linear(self.forms[name], name, grid)
        except Unsayable:
            ends = self._linear(self._one_step(name), name, grid)
        self.grids[name], self.ends[name] = grid, ends

    def _linear(
        self, form: linear_maps.LinearSum, name: str, grid: Grid, factor: AnyArray = ONE, offset: float = 0.0
    ) -> list[str]:
        """Write the nodes of a sum of maps, times a factor and plus an offset; return what adds up to it.

        Args:
            form: the sum.
            name: of what it gives.
            grid: the shape in which that is seen.
            factor: one number, or one a channel of the graph's.
            offset: what is added at last.

        Raises:
            Unsayable: NIR cannot say it; nothing is written.

        """
        channels = np.resize(factor, grid[2])
        bias = (uniform(form.constant, grid[2]) * channels).astype(np.float32) + np.float64(offset)
        kernels = [self._kernel(term, grid, channels) for term in form.terms]
        if bias.any() and all(found is None for found in kernels):
            kernels[0] = identity(np.ones(grid[2]), grid)
        dtype = np.float64 if offset else np.float32
        ends: list[str] = []
        left = bias
        for term, found in zip(form.terms, kernels, strict=True):
            sources = self._filtered(term)
            if found is None and set(sources).isdisjoint(ends):
                ends += sources
                continue
            found = found or identity(np.ones(grid[2]), grid)  # an edge may be there but once
            node = linear_node(found[0], left.astype(dtype), found[1], self.axes, grouped=not self.plain)
            left = np.zeros_like(bias)
            ends.append(self._add(name if WEIGHTS.search(name) else f"{name}_weights", node, sources))
        return ends

    def _kernel(
        self, term: linear_maps.Term, grid: Grid, factor: AnyArray
    ) -> tuple[AnyArray, linear_maps.Correlation] | None:
        """Return the correlation of a term, with what units and the factor bring; None where it changes nothing."""
        there, unit = self.grids[term.root], self._unit(term.root)
        before = np.resize(unit, there[2])
        form = term.map
        if isinstance(form, linear_maps.IdentityMap) and there == grid:
            product = before * factor
            return None if (product == 1).all() else identity(product, grid)
        if isinstance(form, linear_maps.Correlation) and (form.grid, form.output) == (there, grid):
            kernel = form.kernel * before[:, None] * factor
            return kernel, form
        if grid[:2] != (1, 1):
            raise Unsayable("it is no convolution")
        size = there[0] * there[1] * there[2]
        if not isinstance(form, linear_maps.Correlation) and size * grid[2] > LARGEST:
            raise Unsayable(f"it is no convolution, and has {size * grid[2]} weights as a dense layer")
        if isinstance(form, linear_maps.Correlation) and form.grid[:2] == form.kernel.shape[:2] == (1, 1):
            entries = form.kernel[0, 0].T  # of vectors: no matrix has to be put together
        else:
            entries = linear_maps.matrix(form, size).toarray()
        return whole(entries * np.resize(unit, size) * factor[:, None], there)

    def _filtered(self, term: linear_maps.Term) -> list[str]:
        """Return what adds up to what a term maps: its root, or the filter behind that."""
        if term.synapse is None:
            return self.ends[term.root]
        name = f"{term.root}.{term.synapse.kind}"
        key = f"{name} {term.synapse}"
        if key not in self.ends:
            grid = self.grids[term.root]
            ones = np.ones(self._shape(grid), dtype=np.float32)
            self.ends[key] = [
                self._add(
                    name,
                    self._filter(term.synapse, ones, self._about(name, self.graph[term.root])),
                    self.ends[term.root],
                )
            ]
        return self.ends[key]


def _is_root(node: Node) -> bool:
    """Return whether a node is one of its own in the file: it is not linear, or remembers."""
    return isinstance(node.op, (Stateful, ops.LastStep))
