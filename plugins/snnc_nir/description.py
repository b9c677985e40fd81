"""What a NIR file that snnc wrote says: its nodes in the order of a step, each checked, and how it is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snnc.api import (
    AnyArray,
    Array,
    FileError,
    Graph,
    Kinds,
    Node,
    Op,
    Origin,
    ReadOut,
    Shape,
    State,
    Stateful,
    TensorType,
    graph_from_text,
    initial_state,
    limits,
    neurons,
    op_from_text,
    ops,
)
from snnc_nir.fields import Fields, last_shape, number
from snnc_nir.file import OWN, NirFile, read
from snnc_nir.links import links_of
from snnc_nir.read_neurons import parsed, stateful

CONVOLUTIONS: Mapping[str, int] = {"Conv1d": 1, "Conv2d": 2}
"""How many spatial axes a type has."""
KNOWN = ("Input", "Output", "Affine", *CONVOLUTIONS, "IF", "LIF", "LI")
"""The types of NIR that snnc writes."""


@dataclass(frozen=True)
class Linear:
    """A linear node: weight and bias float32, and of a convolution the numbers, each one an axis."""

    weight: Array
    bias: Array
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1


@dataclass(frozen=True)
class Population:
    """A neuron model: ``drive(factor x + offset)`` goes into its rule, whose output times ``height`` comes out."""

    model: neurons.NeuronModel
    factor: Array
    offset: float
    height: Array


@dataclass(frozen=True)
class Part:
    """A node: ``does`` is None for inputs and outputs, which are told by whether they have sources."""

    name: str
    layer: str
    sources: tuple[str, ...]
    shape: Shape
    """Of what it gives, channels first."""
    own: Shape
    """The same as snnc has it, channels last."""
    does: Linear | Population | Op | None = None
    start: State | None = None
    """The state of one sample before the first step, channels last; None where it has none."""


@dataclass(frozen=True)
class Description:
    """A file: its parts in the order of a step, and the metadata. ``ends`` is a graph of the outputs and their tail."""

    parts: tuple[Part, ...]
    dt: float
    steps: int
    temporal: bool
    read_out: ReadOut
    ends: Graph
    written_by: str


def describe(path: Path, kinds: Kinds, read_out: Callable[[str], ReadOut]) -> Description:
    """Return what a file says.

    Args:
        path: a file of ``snnc export --format nir``.
        kinds: the classes that it may name.
        read_out: returns a read-out from its text.

    Raises:
        FileError: it is none, damaged, or holds what this snnc does not know; names the node.

    """
    return _Reader(read(path), path, kinds).description(read_out)


class _Reader:
    """A file that is read: every error names it, and the node."""

    def __init__(self, file: NirFile, path: Path, kinds: Kinds) -> None:
        self.file, self.path, self.kinds = file, path, kinds
        if "dt" not in file.metadata or "tail" not in file.metadata:
            raise FileError(
                f"{path}: is no NIR file that snnc wrote, its metadata says neither dt nor tail; the libraries' own "
                "readers take such files, and snnc.compile imports them"
            )
        self.dt, self.seed = self.number("dt"), int(self.number("seed", 0))
        self.inputs, self.outputs = (parsed(file.metadata.get(key), key, path) for key in ("inputs", "outputs"))
        if not 0 < self.dt < math.inf or self.seed < 0:
            raise FileError(f"{path}: damaged: dt is {self.dt} s and seed {self.seed}; export it again")
        self.shapes: dict[str, Shape] = {}
        self.owns: dict[str, Shape] = {}

    def description(self, read_out: Callable[[str], ReadOut]) -> Description:
        """Return what the file says."""
        limits.require("layers and nodes", len(self.file.nodes), self.path)
        for name, node in self.file.nodes.items():
            if node.type not in KNOWN and not node.type.startswith(OWN):
                raise self.fields(name).error("no file of snnc has this type")
        links = links_of(self.file, self.path, tuple(self.inputs))
        parts = tuple(self.part(name, tuple(sorted(links.sources[name]))) for name in links.order)
        steps = int(self.number("steps", 1))
        limits.require("steps", steps, self.path)
        if steps < 1:
            raise FileError(f"{self.path}: damaged: it has no steps; export it again")
        return Description(
            parts,
            self.dt,
            steps,
            bool(self.number("temporal", 0)),
            read_out(self.text("read_out")),
            self.ends(),
            self.text("written_by", "an unknown version of snnc"),
        )

    def ends(self) -> Graph:
        """Return the graph of the outputs: inputs are what is read out, and what is applied to it is deferred."""
        about = self.file.metadata
        arrays = {name: value for name, value in about.items() if isinstance(value, np.ndarray)}
        tail = graph_from_text(self.text("tail"), arrays, self.kinds, f"{self.path}: its tail")
        ends = Graph(tail.name)
        for node in tail:
            op = node.op if node.op.arity == 0 else ops.ReadOutActivation(activation=node.op)
            ends.add(node.name, op, tail.sources(node.name))
        ends.set_outputs(dict(tail.output_nodes))
        return ends

    def part(self, name: str, sources: tuple[str, ...]) -> Part:
        """Return a node, checked against what it reads, and keep the shape of what it gives."""
        fields = self.fields(name)
        into = self.shapes[sources[0]] if sources else fields.shape()
        if any(self.shapes[source] != into for source in sources):
            raise fields.error(f"adds {', '.join(str(self.shapes[source]) for source in sources)}")
        part = self.made(Part(name, fields.text("layer") or name, sources, into, last_shape(into)), fields)
        limits.require("elements of a tensor", math.prod(part.shape), f"{self.path}: node {name!r}")
        self.shapes[name], self.owns[name] = part.shape, part.own
        return part

    def made(self, part: Part, fields: Fields) -> Part:
        """Return a part, whose shape is that of its input so far, with what its node does."""
        kind = fields.node.type
        if kind == "Affine" or kind in CONVOLUTIONS:
            linear, shape = _linear(fields, part.shape)
            return replace(part, shape=shape, own=last_shape(shape), does=linear)
        if kind in ("Input", "Output"):
            layer, own = self.end(fields, self.inputs if kind == "Input" else self.outputs)
            return _shaped(replace(part, layer=layer), own, fields)
        said = replace(fields.node, fields={"shape": fields.node.metadata.get("shape", "")})
        part = _shaped(part, replace(fields, node=said).shape(), fields)
        if kind == "IF" and fields.text("reset") != "subtract":
            raise fields.error("its metadata does not say that it is reset by subtraction")
        steps = stateful(fields, part.shape, self.dt, True, self.kinds)
        if len(steps) != 1:
            raise fields.error("it has r or v_threshold other than 1, which no file of snnc has")
        part = self.run(part, steps[0][1], fields)
        if kind == "LIF" and isinstance(part.does, Population):  # its current comes with the 1/2 at rest
            return replace(part, does=replace(part.does, offset=0.0))
        return part

    def end(self, fields: Fields, ends: Mapping[str, Any]) -> tuple[str, Shape]:
        """Return the name and the shape of an input or output in snnc, of which the metadata of the graph tell."""
        said = ends.get(fields.name, {})
        layer, shape = said.get("layer"), said.get("shape")
        if not isinstance(layer, str):
            raise fields.error("the metadata of the graph do not describe it")
        if "op" in said:
            where = f"{self.path}: node {fields.name!r}"
            return layer, op_from_text(str(said["op"]), {}, self.kinds, where).infer().shape
        if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
            raise fields.error("it has no shape in the metadata of the graph")
        return layer, tuple(shape)

    def run(self, part: Part, op: Op, fields: Fields) -> Part:
        """Return a part that computes an op of snnc, with the state in which it starts."""
        types = (TensorType(part.own),)
        if op.arity not in (1, None) or op.infer(*types).shape != part.own:
            raise fields.error(f"holds {op.kind}, which does not give one value for each")
        start = None
        if isinstance(op, Stateful) and op.stateful:
            start = initial_state(Node(part.layer, op, types[0], Origin()), types, self.seed)
        if not isinstance(op, neurons.Neurons):
            return replace(part, does=op, start=start)
        scale, model = np.asarray(op.scale, dtype=np.float64), op.model
        height = scale / self.dt if model.spiking else scale
        does = Population(model, _float32(model.gain / scale), model.offset, _float32(height))
        return replace(part, does=does, start=start)

    def fields(self, name: str) -> Fields:
        """Return the fields of a node."""
        return Fields(self.path, name, self.file.nodes[name])

    def number(self, key: str, default: float | None = None) -> float:
        """Return one number of the graph's metadata."""
        found = number(self.file.metadata.get(key), default, lambda: self.lacks(f"number as {key!r}"))
        if found is None:
            raise self.lacks(f"number as {key!r}")
        return found

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text of the graph's metadata."""
        value = self.file.metadata.get(key, default)
        if not isinstance(value, str):
            raise self.lacks(f"text as {key!r}")
        return value

    def lacks(self, what: str) -> FileError:
        """Return the error that the graph's metadata lack something."""
        return FileError(f"{self.path}: damaged: its metadata has no {what}; export it again")


def _linear(fields: Fields, into: Shape) -> tuple[Linear, Shape]:
    """Return a linear node and the shape of what it gives for an input of a shape."""
    axes = CONVOLUTIONS.get(fields.node.type, 0)
    weight = _float32(fields.array("weight", 2 + axes))
    if len(into) != 1 + axes:
        raise fields.error(f"has weights {weight.shape} for inputs {into}")
    bias = _float32(fields.array("bias", 1)) if "bias" in fields.node.fields else np.zeros(len(weight), np.float32)
    if bias.shape != weight.shape[:1]:
        raise fields.error(f"has weights {weight.shape} and a bias {bias.shape}")
    groups = fields.sizes("groups", 1)[0] if axes else 1
    if weight.shape[1] * groups != into[0] or len(weight) % groups:
        raise fields.error(f"has weights {weight.shape} in {groups} group(s) for inputs {into}")
    if not axes:
        return Linear(weight, bias), (len(weight),)
    stride, dilation, padding = (
        fields.sizes(name, axes, least) for name, least in (("stride", 1), ("dilation", 1), ("padding", 0))
    )
    room = [
        n + 2 * p - d * (k - 1) - 1 for n, p, d, k in zip(into[1:], padding, dilation, weight.shape[2:], strict=True)
    ]
    if min(room) < 0:
        raise fields.error(f"has a kernel {weight.shape[2:]} that does not fit into inputs {into}")
    shape = (len(weight), *(left // s + 1 for left, s in zip(room, stride, strict=True)))
    return Linear(weight, bias, stride, padding, dilation, groups), shape


def _shaped(part: Part, own: Shape, fields: Fields) -> Part:
    """Return a part with its shape in snnc: that in the file but for axes of 1, or of a vector there any."""
    vector, longer = math.prod(own) == part.shape[0], [n for n in own if n > 1]
    if math.prod(own) != math.prod(part.shape) or not (vector or longer == [n for n in part.own if n > 1]):
        raise fields.error(f"has the shape {own} in snnc, but {part.shape} here")
    return replace(part, own=own)


def _float32(values: AnyArray | float) -> Array:
    return np.asarray(values, dtype=np.float32)
