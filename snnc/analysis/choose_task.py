"""Choose what an output is for: by its activation in the model, by its labels, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc import ops
from snnc.analysis.task import KINDS, Choice, Kind, Task, are_numbers, is_share, is_whole, is_yes_or_no, same
from snnc.engine.presentation import Sequences, presentation
from snnc.errors import DataError, UsageError, unknown
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.types import AnyArray, Array, Shape
from snnc.neurons import Neurons
from snnc.ops import activations

_PROBABILITIES = (
    activations.Softmax,
    activations.LogSoftmax,
    activations.Sparsemax,
)
_PLAIN = (activations.Relu, activations.Linear)
_MOVES = (
    ops.Identity, ops.Reshape, ops.Permute, ops.Resize, ops.Repeat, ops.Slice, ops.Take, ops.Concatenate, ops.ZeroPad,
    ops.AvgPool, ops.GlobalAvgPool, ops.Mean, ops.LastStep, ops.Running,
)  # fmt: skip
"""Ops behind which probabilities are probabilities still."""
_VALUES: tuple[Kind, ...] = ("regression", "reconstruction")


@dataclass(frozen=True)
class Nature:
    """What the last op of an output that is more than moving numbers makes of them."""

    kind: str
    """``softmax`` and its like, ``sigmoid``, ``linear`` (a ReLU too), or another op, whose values are values."""
    axis: int = -1
    """Of a softmax, counted from the end."""

    @property
    def words(self) -> str:
        return "its values" if self.kind == "linear" else f"its {self.kind}"


LINEAR = Nature("linear")
OF_CLASSES = (activations.Softmax.kind, activations.LogSoftmax.kind, activations.Sparsemax.kind)
OF_YES = (activations.Sigmoid.kind, activations.HardSigmoid.kind)


def task_of(
    graph: Graph,
    output: str,
    labels: AnyArray | None = None,
    inputs: Mapping[str, Array] | None = None,
    asked: str | None = None,
) -> Task:
    """Return what an output is for.

    Args:
        graph: as imported.
        output: its name.
        labels: as the user has them, or None.
        inputs: the samples by name, ``(batch, *shape)``, of which an autoencoder gives one again.
        asked: a kind that the user says.

    Raises:
        DataError: the labels fit nothing that the output may be.
        UsageError: the output cannot be what is asked for.
    """
    node = graph.output_nodes[output]
    about = _Output(graph, output, graph[node].type.shape, nature_of(graph, node), dict(inputs or {}))
    if asked is not None and asked not in KINDS:
        raise UsageError(f"task: {unknown('kind', asked, KINDS)}")
    if labels is None:
        return about.asked(asked, None) if asked else about.without_labels()
    y = np.asarray(labels)
    if y.ndim == 0 or 0 in y.shape or not are_numbers(y):
        raise about.unfit(y, "labels are finite numbers, as many as samples")
    return about.asked(asked, y) if asked else about.by_labels(y)


@dataclass(frozen=True)
class _Output:
    graph: Graph
    name: str
    shape: Shape
    nature: Nature
    inputs: Mapping[str, Array]

    def without_labels(self) -> Task:
        kind = self.nature.kind
        if kind in OF_CLASSES and self.classes > 1:
            return self.task("largest")
        if self.input_again is not None:
            words = f"by its shape, that of input {self.input_again!r}"
            return self.task(None, "reconstruction", each_step=self.streamed, by=words)
        if kind in OF_YES:
            return self.task("threshold")
        if kind == "linear" and len(self.shape) == 1 and self.classes > 1:
            return self.task(None, "undecided", by="as neither an activation nor labels say")
        return self.task(None)

    def by_labels(self, y: AnyArray) -> Task:
        each_step, rest = self.steps_and_rest(y)
        kind, words = self.nature.kind, f"by {self.nature.words} and labels {y.shape}"

        def told(choice: Choice | None, kind: Kind | None = None) -> Task:
            return self.task(choice, kind, each_step=each_step, by=words)

        of_classes = self.classes > 1 and same(rest, self.positions) and rest != self.shape
        if of_classes:
            if is_whole(y):
                return told("largest")
            raise self.unfit(y, "whole numbers are classes; give them, or as many values as the output has")
        if not same(rest, self.shape):
            wanted = (len(y), *self.shape)
            classes = f"{(len(y), *self.positions)} of classes or " if self.classes > 1 else ""
            raise self.unfit(y, f"give {classes}{wanted}")
        full = y.reshape(*y.shape[: 1 + each_step], *self.shape)
        if kind in OF_CLASSES and self.classes > 1:
            return told("largest")
        if any(full.shape == x.shape and np.array_equal(full.astype(np.float32), x) for x in self.inputs.values()):
            return told(None, "reconstruction")
        if is_yes_or_no(y) and (kind in OF_YES or y.dtype.kind in "iub" or y.min() != y.max()):
            one_hot = kind not in OF_YES and self.classes > 1 and is_share(full, -1)
            return told("largest" if one_hot else "threshold")
        return told(None)

    def asked(self, asked: str, y: AnyArray | None) -> Task:
        kind: Kind = next(kind for kind in KINDS if kind == asked)
        each_step = self.streamed and asked == "reconstruction" if y is None else self.steps_and_rest(y)[0]
        rank = len(self.shape) + each_step
        fits = {
            "classes": rank == 1 and self.classes > 1,
            "binary": int(np.prod(self.shape)) == 1,
            "multi-label": rank == 1,
            "pixels": rank > 1,
            "sequences": rank > 1 or self.streamed,
            "reconstruction": self.input_again is not None or y is not None,
        }
        if not fits.get(kind, True):
            needs = {
                "classes": "one number for each class",
                "binary": "one number",
                "multi-label": "one axis of labels",
                "reconstruction": "the shape of an input",
            }.get(kind, "an axis of positions")
            raise UsageError(
                f"task: output {self.name!r} of shape {self.shape} cannot be {kind}, which needs {needs}; "
                f"say another of {', '.join(KINDS)}"
            )
        return self.task(self.choice(kind, y), kind, each_step=each_step, by="as asked for")

    def choice(self, kind: Kind, y: AnyArray | None) -> Choice | None:
        """Return how a task that was asked for decides."""
        if kind in _VALUES:
            return None
        if kind == "classes":
            return "largest"
        if kind in ("binary", "multi-label"):
            return "threshold"
        if y is not None:
            try:
                found = self.by_labels(y).choice
            except DataError:
                found = None
            if found is not None or kind == "sequences":
                return found
        if kind == "sequences" and self.nature.kind not in (*OF_CLASSES, *OF_YES):
            return None
        return "threshold" if self.classes == 1 or self.nature.kind in OF_YES else "largest"

    def task(
        self, choice: Choice | None, kind: Kind | None = None, *, each_step: bool = False, by: str | None = None
    ) -> Task:
        if kind is None:
            kind = self.usual(choice, each_step)
        return Task(
            output=self.name,
            kind=kind,
            shape=self.shape,
            choice=choice,
            threshold=0.5 if self.nature.kind in OF_YES else 0.0,
            axis=self.nature.axis,
            each_step=each_step,
            by=f"by {self.nature.words}" if by is None else by,
        )

    def usual(self, choice: Choice | None, each_step: bool) -> Kind:
        rank = len(self.shape) + each_step
        if choice is None:
            return "sequences" if each_step else "regression"
        if choice == "threshold" and int(np.prod(self.shape)) == 1 and not each_step:
            return "binary"
        of_vectors: Kind = "classes" if choice == "largest" else "multi-label"
        of_image = any(len(self.graph[name].type.shape) == 3 for name in self.graph.inputs) and not each_step
        return of_vectors if rank < 2 else "sequences" if rank == 2 and not of_image else "pixels"

    def steps_and_rest(self, y: AnyArray) -> tuple[bool, Shape]:
        """Return whether labels are of each slice of a stream, and their shape without samples and slices."""
        rest = y.shape[1:]
        shapes = [self.shape, self.positions]
        if any(same(rest, shape) for shape in shapes) or not self.streamed or not rest:
            return False, rest
        slices = {x.shape[1] for x in self.inputs.values()}
        each_step = rest[0] in slices and any(same(rest[1:], shape) for shape in shapes)
        return each_step, rest[1:] if each_step else rest

    @property
    def streamed(self) -> bool:
        """Return whether the output has an answer after each slice of a sequence."""
        shown = presentation(self.graph)
        return isinstance(shown, Sequences) and self.name not in shown.of_last_step

    @property
    def classes(self) -> int:
        return self.shape[self.nature.axis] if self.shape else 1

    @property
    def positions(self) -> Shape:
        return Task(self.name, "classes", self.shape, "largest", axis=self.nature.axis).positions if self.shape else ()

    @property
    def input_again(self) -> str | None:
        """Return the only input, where the output has its shape, and in a stream an answer for each slice."""
        names = self.graph.inputs
        if len(names) != 1 or not self.shape or (presentation(self.graph).temporal and not self.streamed):
            return None
        return names[0] if self.graph[names[0]].type.shape == self.shape else None

    def unfit(self, y: AnyArray, why: str) -> DataError:
        return DataError(
            f"labels of shape {y.shape} and type {y.dtype} do not fit output {self.name!r} of shape {self.shape}: {why}"
        )


def nature_of(graph: Graph, node: str) -> Nature:
    """Return what gives the numbers of a node: its activation, or that behind what only moves or averages numbers."""
    found: dict[str, Nature] = {}
    behind = graph.ancestors({node})
    for each in graph:
        if each.name in behind:
            found[each.name] = _own_nature(graph, each, [found[source] for source in graph.sources(each.name)])
    return found[node]


def _own_nature(graph: Graph, node: Node, before: Sequence[Nature]) -> Nature:
    """Return the nature of a node, from those of its inputs."""
    op, shape = node.op, node.type.shape
    rank = len(shape)
    while isinstance(op, ops.EachSlice):
        op, rank = op.op, rank - 1
    own = op if isinstance(op, activations.Activation) else getattr(op, "activation", None)
    if isinstance(op, Neurons):
        own = op.model.activation
    while isinstance(own, activations.SpikingActivation):
        own = own.activation
    if isinstance(own, activations.Activation):
        if isinstance(own, _PROBABILITIES):
            return Nature(own.kind, own.axis if own.axis < 0 else own.axis - rank)
        return LINEAR if isinstance(own, _PLAIN) else Nature(own.kind)
    inputs = [graph[source].type for source in graph.sources(node.name)]
    if not inputs or isinstance(op, Neurons):
        return LINEAR
    if node.op.multiply_adds(*inputs) or not op.is_linear:
        return LINEAR if op.is_linear else Nature(op.kind)
    kinds = set(before)
    if kinds == {LINEAR}:
        return LINEAR
    found = kinds.pop()
    if found.kind in OF_CLASSES:  # the mean of several may be probabilities still, which their values tell
        keeps = not kinds and found.axis == -1 and all(t.shape[-1:] == shape[-1:] for t in inputs)
        return found if keeps and isinstance(op, _MOVES) else LINEAR
    return Nature(op.kind) if kinds or not isinstance(op, _MOVES) else found


__all__ = ["LINEAR", "Nature", "nature_of", "task_of"]
