"""Build the network of a graph: lower each op, decide which vectors need an object, connect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import nengo
import numpy as np

from snnc.api import Array, Graph, LoweringContext, LoweringError, Node, TensorType, ops
from snnc_nengo.connections import ConnectionPath, Vector, plan_connections
from snnc_nengo.site import Lowered, Placed, Site, Term
from snnc_nengo.transforms import Scale


@dataclass(frozen=True)
class Reading:
    """Where the value of a graph node can be read: ``scale * signal(obj) + constant``."""

    obj: Any
    scale: Any
    constant: Array


@dataclass(frozen=True)
class Built:
    """A network, and where the parts of the graph are in it."""

    graph: Graph
    network: Any
    inputs: Mapping[str, Any]
    """The input Node by the input's name."""
    probes: Mapping[str, Any]
    """The Probe by the output's name."""
    objects: Mapping[str, Any]
    """By node of the graph and by source layer: the Node or Neurons that gives its value, or that it flows into."""
    readings: Mapping[str, Reading]
    """By node of the graph, as far as it has an object of its own."""


def build(
    graph: Graph,
    target: LoweringContext,
    builder: Callable[..., NetworkBuilder] | None = None,
    kind: type[nengo.Network] = nengo.Network,
) -> Built:
    """Return the network of a graph; raise LoweringError where Nengo refuses an object, naming the node.

    A backend that extends Nengo's can give a ``builder`` of its own; ``kind`` is the class of the network.
    """
    target.lowerings.require(graph)
    network = kind(label=graph.name, seed=target.seed)
    # nobody decodes from these ensembles, so that the default encoders and evaluation points would only cost time
    network.config[nengo.Ensemble].encoders = nengo.dists.Choice([[1.0]])
    network.config[nengo.Ensemble].eval_points = nengo.dists.Choice([[0.0]])
    network.config[nengo.Ensemble].n_eval_points = 1
    network.config[nengo.Connection].synapse = None
    with network:
        return (builder or NetworkBuilder)(graph, target, network).build()


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Say in one line what Nengo does not take."""
    try:
        yield
    except nengo.exceptions.NengoException as error:
        raise LoweringError(f"{what}: Nengo refuses it: {' '.join(str(error).split())}") from error


def _constant(node: Node, constants: tuple[Array, ...]) -> Array:
    """Return what an affine op makes of the constant parts of its inputs: where there are none, a layer's bias."""
    op = node.op
    if isinstance(op, (ops.Conv, ops.Dense)) and not any(np.any(c) for c in constants):
        return np.broadcast_to(op.bias, node.type.shape)
    return _compact(op.evaluate(*(c[None] for c in constants))[0])


def _compact(constant: Array) -> Array:
    """Return a view of one value a channel where all positions have the same: it takes hardly any memory."""
    rows = constant.reshape(-1, *constant.shape[-1:])
    return np.broadcast_to(rows[0].copy(), constant.shape) if (rows == rows[0]).all() else constant


@dataclass
class NetworkBuilder:
    """Makes the objects of a network; a simulator may override the first five methods."""

    free_filters: ClassVar[bool] = False
    """Whether filters cost nothing, so that no value gets a node for having many readers behind its filter."""

    graph: Graph
    target: LoweringContext
    network: Any
    values: dict[str, Vector] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    """The value of each node of the graph: its own, or the one that it is another shape of."""
    constants: dict[str, Array] = field(default_factory=dict)
    """By node, in its shape: what is to be added to the signal to get the value."""
    biases: dict[str, Array] = field(default_factory=dict)
    """By affine op that takes its constant itself: the constant, which a node feeds into it."""
    scaled: dict[str, Placed] = field(default_factory=dict)
    """By value: the object that gives it up to a factor."""

    def input(self, node: Node) -> Any:
        """Return the object that gives a model input: zeros until it is set, for a sequence as a process."""
        zeros, dt = np.zeros(node.type.size), getattr(node.op, "dt", None)
        shown = zeros if dt is None else nengo.processes.PresentInput(zeros[None], self.target.dt)
        return nengo.Node(shown, label=node.name)

    def site(self, node: Node, inputs: tuple[TensorType, ...], constants: tuple[Array, ...]) -> Site:
        """Return the site that the lowering of a node is given."""
        return Site(node, inputs, constants, self.target.seed)

    def connect(self, source: Any, target: Any, link: ConnectionPath, label: str) -> None:
        """Connect two objects as a link says."""
        whole = link.size == target.size_in
        transform = {} if link.transform is None else {"transform": link.transform.nengo()}
        nengo.Connection(
            source,
            target if whole else target[link.at : link.at + link.size],
            synapse=link.synapse,
            label=label,
            **transform,
        )

    def takes_constant(self, node: Node, constant: Array) -> bool:
        """Return whether the constant part of an affine op is added where its value is, not to the next neurons."""
        return self.graph.is_output(node.name) and bool(np.any(constant))

    def add_bias(self, name: str, bias: Array, target: Any) -> None:
        """Add a constant to what flows into a passthrough node."""
        node = nengo.Node(bias, label=f"{name}.bias")
        nengo.Connection(node, target, synapse=None, label=f"{node.label} -> {name}")

    def build(self) -> Built:
        """Return the network."""
        for node in self.graph:
            with _refusals(f"node {node.name!r} ({node.op.kind})"):
                self._lower(node)
        for name in (*self.graph.output_nodes.values(), *self.biases):
            self._held(name).needed = True
        for name in plan_connections(self.values, free_filters=self.free_filters):
            self.values[name].obj = nengo.Node(size_in=self.values[name].size, label=name)
        self._connect()
        probes = {o: nengo.Probe(self._held(node).obj, label=o) for o, node in self.graph.output_nodes.items()}
        inputs = {name: self._held(name).obj for name in self.graph.inputs}
        readings = {node.name: r for node in self.graph if (r := self._reading(node.name)) is not None}
        return Built(self.graph, self.network, inputs, probes, self._objects(readings), readings)

    def _lower(self, node: Node) -> None:
        if node.op.arity == 0:
            self._place(node, Placed(self.input(node)))
            return
        sources = self.graph.sources(node.name)
        types = tuple(self.graph[s].type for s in sources)
        site = self.site(node, types, tuple(self.constants[s] for s in sources))
        lowered: Lowered = self.target.lowerings.lower(node.op, site)
        if isinstance(lowered, Placed):
            self._place(node, lowered)
        elif isinstance(lowered, tuple) and lowered and all(isinstance(term, Term) for term in lowered):
            self._sum(node, site, lowered)
        else:
            raise LoweringError(
                f"node {node.name!r}: the lowering of {node.op.kind!r} for Nengo gave {type(lowered).__name__}, "
                "neither a tuple of site.term(...) nor site.placed(...)"
            )

    def _place(self, node: Node, placed: Placed) -> None:
        """Add the value of a node that has an object, and the one that is a multiple of it, where there is a factor."""
        name, size = node.name, node.type.size
        feeds, start = [], 0
        for source in self.graph.sources(name):
            link = ConnectionPath(self.graph[source].type.size, at=start)
            feeds.append((self.holders[source], link))
            start += link.size
        self._add(Vector(name, size, feeds, placed.obj))
        self.holders[name] = name
        self.constants[name] = np.broadcast_to(np.float32(0), node.type.shape)
        if np.any(np.asarray(placed.scale) != 1):
            multiple = self._fresh(f"{name}.scaled")
            factor = np.broadcast_to(placed.scale, (size,))
            self._add(Vector(multiple, size, [(name, ConnectionPath(size, Scale(factor)))]))
            self.scaled[multiple] = Placed(placed.obj, factor.reshape(node.type.shape))
            self.holders[name] = multiple

    def _sum(self, node: Node, site: Site, terms: tuple[Term, ...]) -> None:
        """Add the value of an affine op, or let it share the one that it is another shape of."""
        name, sources = node.name, self.graph.sources(node.name)
        constant = _constant(node, site.constants)
        biased = self.takes_constant(node, constant)
        if terms == (Term(),) and not biased and not self._shifts(node, site):
            self.holders[name] = self.holders[sources[0]]
            self.constants[name] = constant
            return
        feeds = [self._feed(name, site, term, self.holders[sources[term.slot]]) for term in terms]
        self._add(Vector(name, node.type.size, feeds))
        self.holders[name] = name
        self.constants[name] = np.broadcast_to(np.float32(0), node.type.shape) if biased else constant
        if biased:
            self.biases[name] = constant.ravel()

    def _shifts(self, node: Node, site: Site) -> bool:
        zeros = [np.zeros((1, *t.shape), dtype=np.float32) for t in site.inputs]
        return bool(np.any(node.op.evaluate(*zeros)))

    def _feed(self, name: str, site: Site, term: Term, source: str) -> tuple[str, ConnectionPath]:
        """Return the last link of a term, after adding the values between its maps."""
        size = site.inputs[term.slot].size
        for transform in term.path[:-1]:
            size = transform.size_out
            between = self._fresh(f"{name}.input")
            self._add(Vector(between, size, [(source, ConnectionPath(size, transform))]))
            source = between
        last = term.path[-1] if term.path else None
        return source, ConnectionPath(last.size_out if last else size, last, term.synapse, term.at)

    def _connect(self) -> None:
        for value in (v for v in self.values.values() if v.obj is not None):
            for name, link in value.sinks:
                label = f"{value.name} -> {name}"
                with _refusals(f"connection {label!r}"):
                    self.connect(value.obj, self.values[name].obj, link, label)
        for name, bias in self.biases.items():
            self.add_bias(name, bias, self.values[name].obj)

    def _reading(self, node: str) -> Reading | None:
        value = self._held(node)
        placed = self.scaled.get(value.name, Placed(value.obj))
        return None if placed.obj is None else Reading(placed.obj, placed.scale, self.constants[node])

    def _objects(self, readings: Mapping[str, Reading]) -> dict[str, Any]:
        objects: dict[str, Any] = {}
        for node in self.graph:
            reading = readings.get(node.name)
            objects[node.name] = reading.obj if reading else self.values[self._held(node.name).sinks[0][0]].obj
        for layer, nodes in self.graph.by_layer().items():
            # what gives the layer's result: its neurons, rather than a filter behind them
            own = [name for name in nodes if name in readings]
            objects.setdefault(layer, objects[(own or nodes)[-1]])
        return objects

    def _held(self, node: str) -> Vector:
        return self.values[self.holders[node]]

    def _fresh(self, wish: str) -> str:
        name, k = wish, 1
        while name in self.graph or name in self.values:
            name, k = f"{wish}_{k}", k + 1
        return name

    def _add(self, value: Vector) -> None:
        self.values[value.name] = value
