"""A NIR file as a graph: channels last, and with the settings that it was made for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnc.api import (
    FrontendError,
    Graph,
    Kinds,
    MadeFor,
    Op,
    Shape,
    SnncError,
    Synapse,
    UsageError,
    graph_from_text,
    op_from_text,
    ops,
)
from snnc_nir.fields import Fields, last_shape, number
from snnc_nir.file import OWN, NirFile, NirNode
from snnc_nir.links import Links, links_of
from snnc_nir.read_linear import LINEAR, Step, as_affine, as_dense, flatten, takes
from snnc_nir.read_neurons import NEURONS, REFUSED, offset, parsed, stateful

DT = 1e-4
"""Seconds a step, where neither the file nor the user says: what other readers take."""
ENDS = ("Input", "Output")
FIRING = ("IF", "LIF", "CubaLIF")
"""The types of neurons that spike."""


def graph_of(
    file: NirFile,
    path: Path,
    kinds: Kinds,
    *,
    temporal: bool = False,
    dt: float | None = None,
    resets: Mapping[str, str] | None = None,
) -> Graph:
    """Return the graph of a NIR file.

    Args:
        file: what is in it.
        path: what errors name.
        kinds: the classes that ops in the metadata may name.
        temporal: whether inputs are sequences, of which one slice is presented a step.
        dt: seconds a step, for a file that snnc did not write.
        resets: what a spike does, ``"subtract"`` or ``"zero"``, by node or type, where the file says otherwise.

    Raises:
        UsageError: there is no such node or reset.
        FrontendError: it holds something that cannot be read; all such nodes are named.

    """
    rows = [f"node {name!r} ({node.type}): {reason}" for name, node in file.nodes.items() if (reason := _refused(node))]
    if rows:
        raise FrontendError(f"{path}: cannot read {len(rows)} node(s): {'; '.join(rows)}")
    return _Reader(_with_resets(file, resets or {}), path, kinds, temporal, dt).read()


def _with_resets(file: NirFile, resets: Mapping[str, str]) -> NirFile:
    """Return a file in which neurons are reset as the user says."""
    nodes = dict(file.nodes)
    for key, how in resets.items():
        found = [n for n, node in nodes.items() if key in (n, node.type) and node.type in FIRING]
        if not found or how not in ("subtract", "zero"):
            known = ", ".join(sorted({*FIRING} & {node.type for node in nodes.values()}) or ["none"])
            raise UsageError(
                f"replace: {key}={how}: of a NIR file, what a spike does is replaced: NODE or TYPE=subtract or =zero; "
                f"types in the file: {known}"
            )
        for name in found:
            fields = {key: value for key, value in nodes[name].fields.items() if key != "v_reset"}
            about = {key: value for key, value in nodes[name].metadata.items() if key != "reset"}
            zeros = {"v_reset": np.zeros(())} if how == "zero" else {}
            nodes[name] = replace(nodes[name], fields={**fields, **zeros}, metadata=about)
    return replace(file, nodes=nodes)


def _refused(node: NirNode) -> str | None:
    if node.type in REFUSED:
        return REFUSED[node.type]
    if node.type in (*ENDS, *NEURONS, *LINEAR, "Flatten") or node.type.startswith(OWN):
        return None
    return f"the type is unknown; known: {', '.join(sorted([*ENDS, *NEURONS, *LINEAR, 'Flatten']))}"


class _Reader:
    """Nodes of a file, added in an order in which what a node reads is there already."""

    def __init__(self, file: NirFile, path: Path, kinds: Kinds, temporal: bool, dt: float | None) -> None:
        self.path, self.kinds, self.temporal = path, kinds, temporal
        self.metadata = file.metadata
        self.own = str(file.metadata.get("written_by", "")).startswith("snnc")
        said = self._number("dt")
        if said is not None and not 0 < said <= 1:
            raise FrontendError(f"{path}: its metadata says a dt of {said:g} s; that must be between 0 and 1")
        self.dt = (said or DT) if self.own or dt is None else dt
        self.inputs = parsed(file.metadata.get("inputs", "{}"), "inputs", path)
        self.outputs = parsed(file.metadata.get("outputs", "{}"), "outputs", path)
        self.links: Links = links_of(file, path, tuple(self.inputs))
        self.nodes, self.shifts = self._without_offsets(file.nodes)
        self.shapes: dict[str, Shape] = {}
        """By node the shape of its value in the file, channels first."""
        self.made: dict[str, str] = {}
        """By node its name in the graph."""
        self.graph = Graph(str(file.metadata.get("name") or path.stem))
        self.notes: list[str] = list(self.links.notes)

    def read(self) -> Graph:
        """Return the graph."""
        tail = self._tail()
        read = self._read_names(tail)
        self.names = self._names()
        for name in self.links.order:
            if self.nodes[name].type != "Output":
                self._node(name)
        reads = {name: self._output(name) for name in self.links.order if self.nodes[name].type == "Output"}
        self._finish(tail, read, reads)
        self.graph.made_for = self._made_for()
        return self.graph

    # ---------------------------------------------------------------- what the metadata says

    def _number(self, key: str) -> float | None:
        return number(
            self.metadata.get(key), None, lambda: FrontendError(f"{self.path}: its metadata {key!r} is no number")
        )

    def _made_for(self) -> MadeFor:
        whole: dict[str, int | None] = {}
        for key in ("steps", "seed"):
            value = self._number(key)
            if value is not None and not (value == int(value) and (key == "steps") <= value < 2**31):
                raise FrontendError(f"{self.path}: its metadata {key!r} is {value:g}, which it cannot be")
            whole[key] = None if value is None else int(value)
        read_out = self.metadata.get("read_out", "mean{start=0.0}")
        if not isinstance(read_out, str):
            raise FrontendError(f"{self.path}: its metadata 'read_out' is no text")
        if not self.own:
            self._tell_how_read()
        return MadeFor(self.dt, whole["steps"], read_out, whole["seed"], tuple(self.notes))

    def _tell_how_read(self) -> None:
        """Note what of a file of others may be meant otherwise."""
        nodes = [self.nodes[name] for name in self.links.order]
        firing = [node for node in nodes if node.type in FIRING]
        old = [n for n in firing if "v_reset" not in n.fields and "reset" not in n.metadata]
        if old:
            self.notes.append(
                f"{len(old)} node(s) of neurons have no v_reset: a spike takes the threshold off, as nir up to 1.0.4 "
                "specified it; write v_reset for a reset to a value"
            )
        zero = [n for n in firing if "v_reset" in n.fields and not np.any(n.fields["v_reset"])]
        if zero:
            self.notes.append(
                f"{len(zero)} node(s) of neurons are set to 0 by a spike, as the file says; where the tool that "
                f"wrote it takes the threshold off, as snnTorch and Sinabs do, say --replace {zero[0].type}=subtract"
            )
        if "dt" not in self.metadata and any("tau" in key for node in nodes for key in node.fields):
            self.notes.append(f"a step is {self.dt:g} s for the time constants; the file does not say, --dt does")

    def _tail(self) -> Graph | None:
        text = self.metadata.get("tail")
        if text is None:
            return None
        if not isinstance(text, str):
            raise FrontendError(f"{self.path}: its metadata 'tail' is no text")
        arrays = {name: value for name, value in self.metadata.items() if isinstance(value, np.ndarray)}
        return graph_from_text(text, arrays, self.kinds, f"{self.path}: its metadata 'tail'")

    def _read_names(self, tail: Graph | None) -> dict[str, str]:
        """Return what the graph called the nodes that are read out, by the node of the file that reads them out."""
        ends = [name for name in self.outputs if name in self.nodes and self.nodes[name].type == "Output"]
        if tail is None:
            return {}
        if len(ends) == len(tail.inputs):
            return dict(zip(ends, tail.inputs, strict=True))
        names = {end: str(self.outputs[end].get("layer", end)) for end in ends}
        read = {end: tail.output_nodes[name] for end, name in names.items() if name in tail.output_nodes}
        if set(read.values()) != set(tail.inputs):
            raise FrontendError(
                f"{self.path}: its metadata 'tail' and 'outputs' do not fit each other; was it changed?"
            )
        return read

    def _names(self) -> dict[str, str]:
        """Return the names of nodes in the graph; ``target+`` is that of the sum that a target reads."""
        if not self.own:
            return {}
        names: dict[str, str] = {}
        taken = {self._fields(name).text("layer") for name in self.links.order}
        for target in self.links.order:
            ends = self.links.sources[target]
            linear = [end for end in ends if self.nodes[end].type in LINEAR]
            if linear:
                base = re.sub(r"_weights(_\d+)?$", "", linear[0])
                base = linear[0] if base in taken else base
                taken.add(base)
                alone = len(ends) == 1 and self.links.readers[linear[0]] == (target,)
                names[linear[0] if alone else f"{target}+"] = base
        return names

    def _without_offsets(self, nodes: Mapping[str, NirNode]) -> tuple[dict[str, NirNode], dict[str, float]]:
        """Return the nodes without what snnc adds in front of LIF neurons, and where it has to be taken off there."""
        found, shifts = dict(nodes), {}
        for target in self.links.order if self.own else ():
            shift = offset(Fields(self.path, target, nodes[target]), self.dt)
            if not shift:
                continue
            alone = [end for end in self.links.sources[target] if self.links.readers[end] == (target,)]
            biased = [end for end in alone if getattr(nodes[end].fields.get("bias"), "dtype", None) == np.float64]
            if not biased:
                shifts[target] = -shift
                continue
            node = found[biased[0]]
            found[biased[0]] = replace(node, fields={**node.fields, "bias": np.asarray(node.fields["bias"]) - shift})
        return found, shifts

    # ---------------------------------------------------------------- nodes

    def _fields(self, name: str) -> Fields:
        return Fields(self.path, name, self.nodes[name])

    def _node(self, name: str) -> None:
        fields = self._fields(name)
        kind = fields.node.type
        if kind == "Input":
            self._input(name, fields)
            return
        shape = self._arriving(name)
        if kind in LINEAR or kind == "Flatten":
            self._linear(name, fields, shape)
            return
        said = self._shape_said(fields, shape)
        source = self._feed(name, said)
        if name in self.shifts:
            shift = np.full((), self.shifts[name], dtype=np.float32)
            source = self._add(f"{name}.shift", ops.Affine(scale=np.ones_like(shift), shift=shift), source)
        steps = stateful(fields, shape, self.dt, self.own, self.kinds)
        layer = fields.text("layer") or name
        if isinstance(steps[-1][1], Synapse):  # what a population's filter is called in the graph
            layer = re.sub(r"\.lowpass$", ".synapse", layer)
        self._steps(name, layer, steps, source, shape)

    def _input(self, name: str, fields: Fields) -> None:
        shape = fields.shape()
        about = self.inputs.get(name, {})
        made = ops.Input(shape=last_shape(shape))
        if "op" in about:
            op = op_from_text(str(about["op"]), {}, self.kinds, f"{self.path}: input {name!r}")
            if not isinstance(op, ops.Input) or np.prod(op.shape, dtype=float) != np.prod(shape, dtype=float):
                raise fields.error(f"its metadata says {str(about['op'])[:80]!r}, which does not fit the shape {shape}")
            made = op
        if self.temporal and made.dt is None:
            made = replace(made, dt=self.dt)
        self.made[name] = self._add(str(about.get("layer", name)), made)
        self.shapes[name] = shape

    def _linear(self, name: str, fields: Fields, shape: Shape) -> None:
        wish, out = self.names.get(name, name), None
        if fields.node.type == "Flatten":
            wanted = [want for reader in self.links.readers[name] if (want := takes(self._fields(reader))) is not None]
            steps, out = flatten(fields, shape, wanted)
        else:
            steps = LINEAR[fields.node.type](fields, shape)
        want = last_shape(shape)
        op = steps[-1][1]
        dense = as_dense(op, want) if isinstance(op, ops.Conv) and self._for_vectors(name) else None
        if isinstance(op, ops.Conv) and (factor := as_affine(op)) is not None:
            # in a vector of a whole map each element has its own
            alike = self.graph[self.made[self.links.sources[name][0]]].type.shape[-1:] == factor.scale.shape
            steps, want = [("", factor)], None if alike else factor.scale.shape
            out = shape
        elif dense is not None:
            steps, want = [("", dense)], (int(np.prod(shape)),)
            out = (len(dense.bias), *(1,) * (len(shape) - 1))
        self._steps(name, wish, steps, self._feed(name, want), out)

    def _for_vectors(self, name: str) -> bool:
        """Return whether snnc wrote a linear node for what has no spatial axes in its graph."""
        if not self.own:
            return False
        for reader in self.links.readers[name]:
            said = self.outputs.get(reader, self.nodes[reader].metadata).get("shape")
            if said is not None and np.size(said) != 1:
                return False
        return True

    def _output(self, name: str) -> str:
        fields = self._fields(name)
        shape, about = self._arriving(name), self.outputs.get(name, {})
        if "shape" in fields.node.fields and fields.shape() != shape:
            raise fields.error(f"its shape is {fields.shape()}, what arrives has {shape}")
        want = about.get("shape")
        if want is None:
            return self._feed(name, None)
        if not isinstance(want, list) or not all(type(n) is int and n > 0 for n in want):
            raise fields.error(f"its metadata says the shape {want!r:.80}")
        return self._feed(name, self._fitting(fields, tuple(want), shape))

    def _shape_said(self, fields: Fields, shape: Shape) -> Shape | None:
        """Return the shape that neurons have in the graph, where the metadata says it."""
        said = fields.node.metadata.get("shape")
        if said is None or not self.own:
            return None
        inner = Fields(self.path, fields.name, replace(fields.node, fields={"shape": said}))
        return self._fitting(fields, inner.shape(), shape)

    def _fitting(self, fields: Fields, said: Shape, shape: Shape) -> Shape:
        if np.prod(said, dtype=float) != np.prod(shape, dtype=float):
            raise fields.error(f"its metadata says the shape {said}, what arrives has {shape}")
        return said

    # ---------------------------------------------------------------- the graph

    def _arriving(self, name: str) -> Shape:
        """Return the shape of what a node reads, channels first."""
        shapes = {self.shapes[end] for end in self.links.sources[name]}
        if len(shapes) != 1:
            raise self._fields(name).error(f"what it reads has different shapes, {sorted(shapes)}, and cannot add up")
        return shapes.pop()

    def _feed(self, name: str, want: Shape | None) -> str:
        """Return what a node reads, in the graph's shape that is wanted: added up where there are several."""
        ends = [self.made[end] for end in self.links.sources[name]]
        if want is None:
            want = self.graph[ends[0]].type.shape
        if len(ends) == 1 and self._named_here(name) and self.graph[ends[0]].type.shape != want:
            base = ends[0]  # the name is that of what is read
            flat = self.graph.rename(base, self.graph.fresh_name(f"{base}.flat")).name
            return self._add(base, ops.Reshape(shape=want), flat)
        fed = [self._reshaped(end, want) for end in ends]
        wish = self.names.get(f"{name}+", f"{name}.sum")
        return fed[0] if len(fed) == 1 else self._add(wish, ops.Add(), *fed)

    def _named_here(self, name: str) -> bool:
        """Return whether the one node that a target reads is linear, was named for it, and is read by it alone."""
        (end,) = self.links.sources[name]
        return self.nodes[end].type in LINEAR and self.links.readers[end] == (name,) and end in self.names

    def _reshaped(self, name: str, shape: Shape) -> str:
        if self.graph[name].type.shape == shape:
            return name
        return self._add(f"{name}.reshape", ops.Reshape(shape=shape), name)

    def _add(self, wish: str, op: Op, *sources: str) -> str:
        try:
            return self.graph.add(self.graph.fresh_name(wish), op, sources, layers=[wish.split(".")[0]]).name
        except SnncError as error:
            raise type(error)(f"{self.path}: {error}") from error

    def _steps(self, name: str, wish: str, steps: list[Step], source: str, shape: Shape | None) -> None:
        """Add the ops of a node; ``shape`` is what it gives, where that is no matter of course."""
        for step, op in steps:
            source = self._add(f"{wish}.{step}" if step else wish, op, source)
        self.made[name] = source
        last = self.graph[source].type.shape
        self.shapes[name] = (last[-1], *last[:-1]) if shape is None else shape

    def _finish(self, tail: Graph | None, read: Mapping[str, str], reads: Mapping[str, str]) -> None:
        """Set the outputs, behind what is applied to the read-out."""
        if tail is None:
            self.graph.set_outputs({str(self.outputs.get(end, {}).get("layer", end)): n for end, n in reads.items()})
            return
        there: dict[str, str] = {}
        for end, old in read.items():
            if self.graph[reads[end]].type.shape != tail[old].type.shape:
                raise FrontendError(
                    f"{self.path}: its metadata 'tail' reads {tail[old].type}, {end!r} gives another shape"
                )
            there[old] = reads[end]
        for node in tail:
            if node.op.arity != 0:
                deferred: Any = ops.ReadOutActivation(activation=node.op)
                there[node.name] = self._add(node.name, deferred, *(there[s] for s in tail.sources(node.name)))
        self.graph.set_outputs({output: there[node] for output, node in tail.output_nodes.items()})


__all__ = ["DT", "graph_of"]
