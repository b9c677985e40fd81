"""What a NIR file that snnc wrote says: its nodes in the order of a step, each checked, and how it is run."""

from __future__ import annotations

import graphlib
import json
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
from snnc_nir.file import NirFile, NirNode, Value, read

OWN = "snnc."
"""In front of the types of nodes that NIR does not have."""
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
        self.dt = self.number(file.metadata, "dt")
        self.seed = int(self.number(file.metadata, "seed", 0))
        self.inputs, self.outputs = self.said("inputs"), self.said("outputs")
        if not 0 < self.dt < math.inf or self.seed < 0:
            raise FileError(f"{path}: damaged: dt is {self.dt} s and seed {self.seed}; export it again")
        self.shapes: dict[str, Shape] = {}
        self.owns: dict[str, Shape] = {}

    def description(self, read_out: Callable[[str], ReadOut]) -> Description:
        """Return what the file says."""
        about = self.file.metadata
        limits.require("layers and nodes", len(self.file.nodes), self.path)
        parts = tuple(self.part(name, sources) for name, sources in self.in_order())
        steps = int(self.number(about, "steps", 1))
        limits.require("steps", steps, self.path)
        if steps < 1 or not any(not part.sources for part in parts):
            raise FileError(f"{self.path}: damaged: it has no inputs or no steps; export it again")
        return Description(
            parts,
            self.dt,
            steps,
            bool(self.number(about, "temporal", 0)),
            read_out(self.text(about, "read_out")),
            self.ends({part.layer: part.own for part in parts if self.file.nodes[part.name].type == "Output"}),
            self.text(about, "written_by", "an unknown version of snnc"),
        )

    def in_order(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the nodes in the order of a step, with what each reads."""
        reads: dict[str, list[str]] = {name: [] for name in self.file.nodes}
        for source, target in self.file.edges:
            if source in reads[target]:
                raise FileError(f"{self.path}: damaged: the edge from {source!r} to {target!r} is there twice")
            reads[target].append(source)
        try:
            order = list(graphlib.TopologicalSorter(reads).static_order())
        except graphlib.CycleError as error:
            raise FileError(
                f"{self.path}: the nodes {', '.join(map(repr, error.args[1][1:]))} read each other in a circle, which "
                "no file of snnc does"
            ) from None
        return [(name, tuple(sorted(reads[name]))) for name in order]

    def ends(self, outputs: Mapping[str, Shape]) -> Graph:
        """Return the graph of the outputs: inputs are what is read out, and what is applied to it is deferred."""
        about = self.file.metadata
        arrays = {name: value for name, value in about.items() if isinstance(value, np.ndarray)}
        tail = graph_from_text(self.text(about, "tail"), arrays, self.kinds, f"{self.path}: its tail")
        ends = Graph(tail.name)
        for node in tail:
            op = node.op if node.op.arity == 0 else ops.ReadOutActivation(activation=node.op)
            ends.add(node.name, op, tail.sources(node.name))
        ends.set_outputs(dict(tail.output_nodes))
        return ends

    def part(self, name: str, sources: tuple[str, ...]) -> Part:
        """Return a node, checked against what it reads, and keep the shape of what it gives."""
        node = self.file.nodes[name]
        if node.type not in KNOWN and not node.type.startswith(OWN):
            raise self.wrong(name, "is of a type that no file of snnc has")
        if (node.type == "Input") != (not sources):
            raise self.wrong(name, "reads something" if sources else "reads nothing")
        into = self.shapes[sources[0]] if sources else self.shape(name, "shape", node.fields)
        if any(self.shapes[source] != into for source in sources):
            raise self.wrong(name, f"adds {', '.join(str(self.shapes[source]) for source in sources)}")
        part = self.made(Part(name, self.text(node.metadata, "layer", name), sources, into, _last(into)), node)
        limits.require("elements of a tensor", math.prod(part.shape), f"{self.path}: node {name!r}")
        self.shapes[name], self.owns[name] = part.shape, part.own
        return part

    def made(self, part: Part, node: NirNode) -> Part:
        """Return a part, whose shape is that of its input so far, with what its node does."""
        name, into = part.name, part.shape
        if node.type == "Affine" or node.type in CONVOLUTIONS:
            linear, shape = self.linear(name, node, into)
            return replace(part, shape=shape, own=_last(shape), does=linear)
        if node.type in ("Input", "Output"):
            layer, own = self.end(name, self.inputs if node.type == "Input" else self.outputs)
            return self.shaped(replace(part, layer=layer), own)
        part = self.shaped(part, self.shape(name, "shape", node.metadata))
        if node.type == "IF":
            return self.stateful(part, self.integrate_and_fire(name, node))
        if node.type == "LIF":
            return self.leaky(part, node)
        if node.type == "LI":
            self.require(name, r=1, v_leak=0)
            return self.stateful(part, neurons.Synapse(model=neurons.Lowpass(tau=self.one(name, "tau"))))
        return self.stateful(part, self.op(name, node.metadata.get("op"), node.metadata))

    def end(self, name: str, ends: Mapping[str, Any]) -> tuple[str, Shape]:
        """Return the name and the shape of an input or output in snnc, of which the metadata of the graph tell."""
        said = ends.get(name)
        layer = said.get("layer") if isinstance(said, dict) else None
        if not isinstance(said, dict) or not isinstance(layer, str):
            raise self.wrong(name, "is not described in the metadata of the graph")
        if "op" in said:
            return layer, self.op(name, said["op"], {}).infer().shape
        shape = said.get("shape")
        if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
            raise self.wrong(name, "has no shape in the metadata of the graph")
        return layer, tuple(shape)

    def said(self, key: str) -> Mapping[str, Any]:
        """Return what the metadata say of inputs or outputs."""
        try:
            found = json.loads(self.text(self.file.metadata, key))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise FileError(f"{self.path}: damaged: its metadata do not describe its {key}; export it again")
        return found

    def op(self, name: str, text: Any, arrays: Mapping[str, Value]) -> Op:
        """Return an op of snnc from its text."""
        if not isinstance(text, str):
            raise self.wrong(name, "does not say which op of snnc it is")
        given = {key: value for key, value in arrays.items() if isinstance(value, np.ndarray)}
        return op_from_text(text, given, self.kinds, f"{self.path}: node {name!r}")

    def shaped(self, part: Part, own: Shape) -> Part:
        """Return a part with its shape in snnc: that in the file but for axes of 1, or of a vector there any."""
        vector, longer = math.prod(own) == part.shape[0], [n for n in own if n > 1]
        if math.prod(own) != math.prod(part.shape) or not (vector or longer == [n for n in part.own if n > 1]):
            raise self.wrong(part.name, f"has the shape {own} in snnc, but {part.shape} here")
        return replace(part, own=own)

    def stateful(self, part: Part, op: Op) -> Part:
        """Return a part that computes an op of snnc, with the state in which it starts."""
        types = (TensorType(part.own),)
        if op.arity not in (1, None) or op.infer(*types).shape != part.own:
            raise self.wrong(part.name, f"holds {op.kind}, which does not give one value for each")
        start = None
        if isinstance(op, Stateful) and op.stateful:
            start = initial_state(Node(part.layer, op, types[0], Origin()), types, self.seed)
        if not isinstance(op, neurons.Neurons):
            return replace(part, does=op, start=start)
        scale, model = np.asarray(op.scale, dtype=np.float64), op.model
        height = scale / self.dt if model.spiking else scale
        does = Population(model, _float32(model.gain / scale), model.offset, _float32(height))
        return replace(part, does=does, start=start)

    def integrate_and_fire(self, name: str, node: NirNode) -> Op:
        """Return the op of an IF node: reset by subtraction, which the metadata has to say."""
        self.require(name, r=1, v_threshold=1)
        if self.text(node.metadata, "reset", "") != "subtract":
            raise self.wrong(name, "does not say that it is reset by subtraction")
        most = self.number(node.metadata, "most_spikes", 1)
        initial = self.number(node.metadata, "initial_voltage", 0)
        if most != int(most) or most < 1 or not math.isfinite(initial):
            raise self.wrong(name, f"has {most} as most_spikes and {initial} as initial_voltage")
        return neurons.Neurons(model=neurons.SoftResetIf(gamma=int(most), initial=initial), scale=self.dt)

    def leaky(self, part: Part, node: NirNode) -> Part:
        """Return the part of a LIF node, which gets its current in units of the threshold over ``r``."""
        self.require(part.name, v_leak=0, v_threshold=1)
        tau, refractory = self.one(part.name, "tau"), self.number(node.metadata, "refractory_period", 0)
        if tau <= 0 or not 0 <= refractory < math.inf:
            raise self.wrong(part.name, f"has {tau} s as tau and {refractory} s as refractory_period")
        model = neurons.Lif(tau_rc=tau, tau_ref=refractory)
        done = self.stateful(part, neurons.Neurons(model=model, scale=self.dt))
        return replace(done, does=Population(model, _float32(self.one(part.name, "r")), 0.0, _float32(1)))

    def linear(self, name: str, node: NirNode, into: Shape) -> tuple[Linear, Shape]:
        """Return a linear node and the shape of what it gives for an input of a shape."""
        axes = CONVOLUTIONS.get(node.type, 0)
        weight = self.array(name, "weight")
        if weight.ndim != 2 + axes or len(into) != 1 + axes or not weight.size:
            raise self.wrong(name, f"has weights {weight.shape} for inputs {into}")
        bias = self.array(name, "bias") if "bias" in node.fields else np.zeros(len(weight), dtype=np.float32)
        if bias.shape != weight.shape[:1]:
            raise self.wrong(name, f"has weights {weight.shape} and a bias {bias.shape}")
        groups = self.whole(name, "groups", 1, 1, 1)[0] if axes else 1
        if weight.shape[1] * groups != into[0] or len(weight) % groups:
            raise self.wrong(name, f"has weights {weight.shape} in {groups} group(s) for inputs {into}")
        if not axes:
            return Linear(weight, bias), (len(weight),)
        stride, dilation = self.whole(name, "stride", axes, 1, 1), self.whole(name, "dilation", axes, 1, 1)
        padding = self.whole(name, "padding", axes, 0, 0)
        room = [
            n + 2 * p - d * (k - 1) - 1
            for n, p, d, k in zip(into[1:], padding, dilation, weight.shape[2:], strict=True)
        ]
        if min(room) < 0:
            raise self.wrong(name, f"has a kernel {weight.shape[2:]} that does not fit into inputs {into}")
        shape = (len(weight), *(left // s + 1 for left, s in zip(room, stride, strict=True)))
        return Linear(weight, bias, stride, padding, dilation, groups), shape

    def require(self, name: str, **wanted: float) -> None:
        """Raise FileError where a field has other values than the ones that snnc writes; v_reset may be missing."""
        if "v_reset" in self.file.nodes[name].fields:
            wanted["v_reset"] = 0
        for field, value in wanted.items():
            if (self.array(name, field) != value).any():
                raise self.wrong(name, f"has {field} other than {value}, which no file of snnc has")

    def one(self, name: str, field: str) -> float:
        """Return the value that a field has for all neurons."""
        values = np.unique(self.array(name, field, np.float64))
        if values.size != 1:
            raise self.wrong(name, f"has several values as {field}, which no file of snnc has")
        return float(values[0])

    def whole(self, name: str, field: str, axes: int, least: int, default: int) -> tuple[int, ...]:
        """Return whole numbers of at least ``least``, one an axis; one number may stand for all."""
        fields = self.file.nodes[name].fields
        values = self.array(name, field, np.float64).ravel() if field in fields else np.full(1, default)
        if values.size not in (1, axes) or (values != np.round(values)).any():
            raise self.wrong(name, f"has {fields[field]} as {field}")
        if (values < least).any() or (values > 1 << 30).any():
            raise self.wrong(name, f"has {fields[field]} as {field}")
        return tuple(int(value) for value in np.broadcast_to(values, axes))

    def array(self, name: str, field: str, dtype: Any = np.float32) -> AnyArray:
        """Return a field of finite numbers."""
        values = self.file.nodes[name].fields.get(field)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
            raise self.wrong(name, f"has no numbers as {field}")
        with np.errstate(over="ignore"):
            values = np.asarray(values, dtype=dtype)
        if not values.size or not np.isfinite(values).all():
            raise self.wrong(name, f"has no finite numbers as {field}")
        return values

    def shape(self, name: str, field: str, values: Mapping[str, Value]) -> Shape:
        """Return a shape."""
        value = values.get(field)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.ndim != 1 or (value < 1).any():
            raise self.wrong(name, f"has no whole numbers as {field}")
        return tuple(int(n) for n in value)

    def number(self, values: Mapping[str, Value], key: str, default: float | None = None) -> float:
        """Return one number of some metadata."""
        value = values.get(key, default)
        if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiub":
            value = float(value.ravel()[0])
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise FileError(f"{self.path}: damaged: its metadata has no number as {key!r}; export it again")
        return value

    def text(self, values: Mapping[str, Value], key: str, default: str | None = None) -> str:
        """Return a text of some metadata."""
        value = values.get(key, default)
        if not isinstance(value, str):
            raise FileError(f"{self.path}: damaged: its metadata has no text as {key!r}; export it again")
        return value

    def wrong(self, name: str, what: str) -> FileError:
        """Return the error that a node is not as snnc writes it."""
        return FileError(f"{self.path}: node {name!r} ({self.file.nodes[name].type}) {what}")


def _last(shape: Shape) -> Shape:
    """Return a shape of channels first with its channels last."""
    return (*shape[1:], *shape[:1])


def _float32(values: AnyArray | float) -> Array:
    return np.asarray(values, dtype=np.float32)
