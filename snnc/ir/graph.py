"""The graph: named nodes over a networkx MultiDiGraph, changed only by a few mutators that keep it right.

A node has one output, so its name is its tensor's name. A mutator that rebuilds a tensor keeps that name:
readers, outputs and the user's options, which all speak of names, stay valid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, overload

import networkx as nx

from snnc import limits
from snnc.errors import BudgetError, GraphError, ShapeError
from snnc.ir.made_for import MadeFor
from snnc.ir.node import Node, Origin
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, TensorType

A = TypeVar("A", bound=Op)
B = TypeVar("B", bound=Op)


class Graph:
    """A feed-forward graph of ops with named inputs and outputs."""

    def __init__(self, name: str = "model") -> None:
        """Start empty."""
        self.name, self.revision = name, 0
        self.made_for: MadeFor | None = None
        self._graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._outputs: dict[str, str] = {}
        self._author: str | None = None
        self._taken: dict[str, int] = {}  # by wished name, the number from which on a free one is looked for
        self._order: tuple[int, tuple[str, ...]] = (0, ())  # the revision of which the order is known, and the order

    # ---------------------------------------------------------------- reading

    def __len__(self) -> int:
        return len(self._graph)

    def __contains__(self, name: object) -> bool:
        return name in self._graph

    def __getitem__(self, name: str) -> Node:
        try:
            return self._graph.nodes[name]["node"]
        except KeyError:
            raise GraphError(f"the graph {self.name!r} has no node {name!r}") from None

    def __iter__(self) -> Iterator[Node]:
        """Iterate over the nodes as they are now, in topological order: what is changed meanwhile does not show.

        The order is the same for the same graph however it was built.
        """
        revision, order = self._order
        if revision != self.revision:
            rank = {name: i for i, name in enumerate(self._graph)}
            order = tuple(nx.lexicographical_topological_sort(self._graph, key=rank.__getitem__))
            self._order = (self.revision, order)
        return iter([self._graph.nodes[name]["node"] for name in order])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        mine, theirs = list(self), list(other)
        return (
            mine == theirs
            and self._outputs == other._outputs
            and all(self.sources(n.name) == other.sources(n.name) for n in mine)
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        from snnc.ir.text import text

        return text(self)

    def __repr__(self) -> str:
        return f"<Graph {self.name!r} of {len(self)} nodes>"

    def _repr_html_(self) -> str:
        from snnc.ir.in_notebook import html

        return html(self)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs, in the order of the source model."""
        return tuple(name for name in self._graph if self[name].op.arity == 0)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs, in the order of the source model."""
        return tuple(self._outputs)

    @property
    def output_nodes(self) -> Mapping[str, str]:
        """Return the node that gives each output."""
        return MappingProxyType(self._outputs)

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the nodes that a node reads, in the order of its input slots."""
        edges = self._graph.pred[name].items()  # networkx's views of edges take ten times as long
        return tuple(u for _, u in sorted((slot, u) for u, slots in edges for slot in slots))

    def slots(self, name: str) -> tuple[int, ...]:
        """Return the occupied input slots of a node, sorted."""
        return tuple(sorted(key for _, _, key in self._graph.in_edges(name, keys=True)))

    def readers(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return (node, input slot) of everything that reads a node."""
        return tuple((v, slot) for v, slots in self._graph.succ[name].items() for slot in slots)

    def is_output(self, name: str) -> bool:
        """Return whether a node gives an output of the graph."""
        return name in self._outputs.values()

    def sole_reader(self, name: str) -> str | None:
        """Return the one node that alone reads this one, or None if there are more, or it is an output."""
        readers = self.readers(name)
        return readers[0][0] if len(readers) == 1 and not self.is_output(name) else None

    @overload
    def nodes(self, kind: type[A], /) -> tuple[Node[A], ...]: ...
    @overload
    def nodes(self, kind: type[A], other: type[B], /) -> tuple[Node[A | B], ...]: ...
    @overload
    def nodes(self, *kinds: type[Op]) -> tuple[Node, ...]: ...
    def nodes(self, *kinds: type[Any]) -> tuple[Node[Any], ...]:
        """Return the nodes with ops of these classes, in topological order, as they are before any is changed."""
        return tuple(node for node in self if isinstance(node.op, kinds))

    @overload
    def chains(self, first: type[A], second: type[B], /) -> tuple[tuple[Node[A], Node[B]], ...]: ...
    @overload
    def chains(self, *kinds: type[Op]) -> tuple[tuple[Node, ...], ...]: ...
    def chains(self, *kinds: type[Any]) -> Any:
        """Return the runs of ops of these classes in which each node but the last is read by the next alone.

        Runs do not overlap. They are as they were before any of them is changed.
        """
        runs: list[tuple[Node[Any], ...]] = []
        used: set[str] = set()
        for node in self:
            run = [node]
            for _ in kinds[1:]:
                reader = self.sole_reader(run[-1].name)
                if reader is None or len(self.sources(reader)) != 1:
                    break
                run.append(self[reader])
            fits = len(run) == len(kinds) and all(isinstance(n.op, k) for n, k in zip(run, kinds, strict=True))
            if fits and used.isdisjoint(n.name for n in run):
                used.update(n.name for n in run)
                runs.append(tuple(run))
        return tuple(runs)

    def cycle(self) -> tuple[str, ...]:
        """Return the nodes of a cycle, or nothing where the graph is feed-forward, as it must be."""
        if nx.is_directed_acyclic_graph(self._graph):  # a third of the time that looking for a cycle takes
            return ()
        try:
            return tuple(u for u, _, _ in nx.find_cycle(self._graph))
        except nx.NetworkXNoCycle:
            return ()

    def inferred(self, name: str) -> TensorType:
        """Return the type that a node's op infers from the types of its inputs, as they are now."""
        node = self[name]
        return self._infer_from(name, node.op, self.sources(name), node.origin)

    def find(self, layer: str) -> tuple[Node, ...]:
        """Return the nodes that realise a layer of the source model, in topological order."""
        return tuple(node for node in self if layer in node.origin.layers or node.name == layer)

    def by_layer(self) -> dict[str, list[str]]:
        """Return the nodes that realise each layer, as ``find`` gives them, in one go."""
        found: dict[str, list[str]] = {layer: [] for layer in self.layers}
        for node in self:
            for layer in found.keys() & {*node.origin.layers, node.name}:
                found[layer].append(node.name)
        return found

    @property
    def layers(self) -> tuple[str, ...]:
        """Return the names of the source layers that the graph realises, in topological order."""
        return tuple(dict.fromkeys(layer for node in self for layer in node.origin.layers))

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Return the nodes that any of these depends on, themselves included."""
        found = set(names)
        return found.union(*(nx.ancestors(self._graph, name) for name in found))

    def evaluate(self, x: AnyArray | Mapping[str, AnyArray]) -> dict[str, Array]:
        """Run the graph in rate mode on a batch.

        Args:
            x: ``(batch, *shape)``, or one such array an input name.

        Returns:
            ``(batch, *shape)`` float32 by output name.

        Raises:
            DataError: the arrays do not fit the inputs.

        """
        from snnc.engine.rate import evaluate, validated_inputs

        return evaluate(self, validated_inputs(self, x))

    # ---------------------------------------------------------------- changing

    def copy(self) -> Graph:
        """Return an independent graph of the same nodes."""
        other = Graph(self.name)
        other._graph = self._graph.copy()
        other._outputs = dict(self._outputs)
        other.revision, other._order, other.made_for = self.revision, self._order, self.made_for
        return other

    @contextmanager
    def authored_by(self, author: str) -> Iterator[None]:
        """Record an author in the origin of everything that is changed inside."""
        before, self._author = self._author, author
        try:
            yield
        finally:
            self._author = before

    def fresh_name(self, wish: str) -> str:
        """Return the wished name, or with the next free number behind it."""
        name, k = wish, self._taken.get(wish, 1)
        while name in self._graph:
            name, k = f"{wish}_{k}", k + 1
        self._taken[wish] = max(k - 1, 1)
        return name

    def add(self, name: str, op: Op, inputs: Sequence[str] = (), *, layers: Sequence[str] = ()) -> Node:
        """Add a node that reads ``inputs`` in the order of its slots."""
        if name in self._graph:
            raise GraphError(f"the graph {self.name!r} has a node {name!r} already")
        for source in inputs:
            self[source]
        limits.require("layers and nodes", len(self._graph) + 1, f"the graph {self.name!r}")
        origin = Origin(tuple(layers)).by(self._author)
        node = Node(name, op, self._infer_from(name, op, inputs, origin), origin)
        self._graph.add_node(name, node=node)
        for slot, source in enumerate(inputs):
            self._graph.add_edge(source, name, key=slot)
        self.revision += 1
        return node

    def set_origin(self, name: str, origin: Origin) -> None:
        """Set where a node comes from, as a loader knows it."""
        self._set(replace(self[name], origin=origin))

    def set_outputs(self, outputs: Mapping[str, str]) -> None:
        """Set the outputs: the node that gives each, by the output's name."""
        for node in outputs.values():
            self[node]
        self._outputs = dict(outputs)
        self.revision += 1

    def replace(self, name: str, op: Op) -> Node:
        """Give a node another op; it keeps its name, inputs and readers."""
        old = self[name]
        node = Node(name, op, self._infer_from(name, op, self.sources(name), old.origin), old.origin)
        if node != old:
            node = replace(node, origin=old.origin.by(self._author))
            self._set(node)
            self.revision += 1
        if node.type != old.type:
            self._retype(name)
        return node

    def rebuild(self, name: str, op: Op, inputs: Sequence[str]) -> Node:
        """Give a node another op and other inputs; it keeps its name and readers."""
        for source in inputs:
            self[source]
        for slot, source in enumerate(self.sources(name)):
            self._graph.remove_edge(source, name, key=slot)
        for slot, source in enumerate(inputs):
            self._graph.add_edge(source, name, key=slot)
        self._set(replace(self[name], origin=self[name].origin.by(self._author)))
        self.revision += 1
        return self.replace(name, op)

    def split(self, name: str, first: str, first_op: Op, op: Op) -> Node:
        """Compute a node in two steps: a new node ``first`` takes over its inputs, and ``name`` reads that alone."""
        old = self[name]
        sources = self.sources(name)
        node = self.add(first, first_op, sources)
        self._set(replace(node, origin=old.origin.by(self._author)))
        self.rebuild(name, op, [first])
        return self[first]

    def insert_after(self, name: str, new: str, op: Op) -> Node:
        """Put a node behind another; all readers and outputs of that one now read the new one."""
        readers = self.readers(name)
        node = self.add(new, op, [name])
        self._set(replace(node, origin=Origin(self[name].origin.layers).by(self._author)))
        self._move_readers(name, new, readers)
        return self[new]

    def rename(self, name: str, new: str) -> Node:
        """Give a node another name; its inputs, readers and outputs stay."""
        old = self[name]
        self.add(new, old.op, self.sources(name))
        self._set(replace(self[new], origin=old.origin.by(self._author)))
        self._move_readers(name, new, self.readers(name))
        self._graph.remove_node(name)
        return self[new]

    def insert_before(self, name: str, slot: int, new: str, op: Op) -> Node:
        """Put a node on one input of another."""
        source = self.sources(name)[slot]
        self.add(new, op, [source])
        self._graph.remove_edge(source, name, key=slot)
        self._graph.add_edge(new, name, key=slot)
        self._retype(new)
        return self[new]

    def fuse(self, run: Sequence[Node], op: Op) -> Node:
        """Replace a run of nodes, each read by the next alone, by one op under the name of the last."""
        first, last = run[0].name, run[-1].name
        for node, reader in itertools.pairwise(run):
            if self.sole_reader(node.name) != reader.name:
                raise GraphError(f"cannot fuse {node.name!r} into {reader.name!r}: something else reads it too")
        sources = self.sources(first)
        origin = self[first].origin.joined(n.origin for n in run[1:])
        self._set(replace(self[last], origin=origin))
        if len(run) == 1:
            return self.replace(last, op)
        node = self.rebuild(last, op, sources)
        self._graph.remove_nodes_from([n.name for n in run[:-1]])
        return node

    def remove(self, name: str) -> None:
        """Take out a node with one input; its readers and outputs read that input instead."""
        sources = self.sources(name)
        if len(sources) != 1:
            raise GraphError(f"cannot remove {name!r}: it has {len(sources)} inputs, not one")
        source, layers = sources[0], self[name].origin.layers
        self._move_readers(name, source, self.readers(name))
        self._graph.remove_node(name)
        old = self[source]
        self._set(replace(old, origin=replace(old.origin, layers=tuple(dict.fromkeys((*old.origin.layers, *layers))))))
        self.revision += 1
        self._retype(source)

    def prune(self) -> tuple[str, ...]:
        """Delete nodes, but not inputs, that no output depends on; return their names."""
        needed = self.ancestors(self._outputs.values()) | set(self.inputs)
        dead = tuple(name for name in self._graph if name not in needed)
        self._graph.remove_nodes_from(dead)
        self.revision += bool(dead)
        return dead

    # ---------------------------------------------------------------- inside

    def _set(self, node: Node) -> None:
        self._graph.nodes[node.name]["node"] = node

    def _move_readers(self, old: str, new: str, readers: Sequence[tuple[str, int]]) -> None:
        for reader, slot in readers:
            self._graph.remove_edge(old, reader, key=slot)
            self._graph.add_edge(new, reader, key=slot)
        self._outputs = {out: new if node == old else node for out, node in self._outputs.items()}
        self._retype(new)

    def _retype(self, changed: str) -> None:
        """Infer the types downstream of a node again, as far as they change."""
        todo = [reader for reader, _ in self.readers(changed)]
        while todo:
            node = self[todo.pop(0)]
            new = self.inferred(node.name)
            if new != node.type:
                self._set(replace(node, type=new))
                todo += [reader for reader, _ in self.readers(node.name)]

    def _infer_from(self, name: str, op: Op, sources: Sequence[str], origin: Origin) -> TensorType:
        types = [self[source].type for source in sources]
        if (op.arity is None and not types) or (op.arity is not None and len(types) != op.arity):
            wanted = "at least one input" if op.arity is None else f"{op.arity} input(s)"
            raise GraphError(f"node {name!r} [{origin}]: {op.kind} takes {wanted}, got {len(types)}")
        try:
            inferred = op.infer(*types)
        except (ShapeError, BudgetError) as error:
            raise type(error)(f"node {name!r} [{origin}]: {error}") from None
        if inferred.size < 1:
            raise ShapeError(f"node {name!r} [{origin}]: {op.kind} gives {inferred}, a tensor without elements")
        limits.require("elements of a tensor", inferred.size, f"node {name!r} [{origin}]")
        return inferred
