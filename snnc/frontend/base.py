"""Frontends read a model; importers turn one class of its layers into ops: their base classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np

from snnc.errors import FrontendError
from snnc.frontend.known import Known
from snnc.ir.graph import Graph
from snnc.ir.op import Op, frozen_array
from snnc.ir.store import Kinds
from snnc.ir.types import AnyArray, Array, Shape, TensorType
from snnc.ops.causal import LastStep


@dataclass(frozen=True)
class Role:
    """One weight of a layer: its name, and whether it is trained (moving statistics are not)."""

    name: str
    trainable: bool = True
    group: str = ""
    """The part of the layer that owns it, such as ``cell``: Keras 3 files store weights by part."""


@dataclass(frozen=True)
class Slot:
    """Stands for input number ``index`` inside the arguments of a call."""

    index: int


@dataclass(frozen=True)
class Layer:
    """One call of a source layer, as its importer sees it."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    weights: Mapping[str, Array]
    """The weights by role, read-only float32."""
    keras: tuple[int, ...]
    """The version of Keras that wrote the model, such as (3, 15, 1)."""
    call: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments that the model gives in this call; ``Slot(k)`` stands for input k, True for a mask."""
    args: tuple[Any, ...] = ()
    """Positional arguments of this call; ``Slot(k)`` stands for input k."""
    made: dict[str, Array] = field(default_factory=dict)
    """Arrays made from the weights, kept so that all calls of a layer share them."""
    temporal: bool = False
    """Whether axis 1 of its inputs is time: the graph sees one slice, so that types have neither batch nor time."""

    def weight(self, role: str, shape: Shape) -> Array:
        """Return a weight; raise FrontendError if it does not have the shape that the config asks for."""
        array = self.weights[role]
        if array.shape != tuple(shape):
            raise layer_error(self, f"its {role} has shape {array.shape}, its config needs {tuple(shape)}")
        return array

    def once(self, key: str, make: Callable[[], AnyArray]) -> Array:
        """Return the array that ``make`` returns, made once for all calls of the layer."""
        if key not in self.made:
            self.made[key] = frozen_array(make())
        return self.made[key]

    def zeros(self, *shape: int) -> Array:
        """Return zeros, for a bias that the layer does without."""
        return self.once(f"zeros{shape}", lambda: np.zeros(shape, dtype=np.float32))

    def ones(self, *shape: int) -> Array:
        """Return ones, for a gain that the layer does without."""
        return self.once(f"ones{shape}", lambda: np.ones(shape, dtype=np.float32))


@dataclass
class Sequences:
    """Which tensors of a temporal model are sequences, of which the graph sees one slice a step."""

    names: set[str] = field(default_factory=set)
    length: int | None = None
    """The number of slices, where the model fixes it."""


@dataclass(frozen=True)
class Builder:
    """Adds the nodes of one layer to the graph, all credited to that layer."""

    graph: Graph
    name: str
    """Of the node of the layer's output."""
    layer: str
    masks: dict[str, str] = field(default_factory=dict)
    """The mask of a tensor, where it has one: the node that is 1 at the time steps that count, else 0."""
    sequences: Sequences = field(default_factory=Sequences)

    def part(self, step: str) -> Builder:
        """Return a builder of a part of the layer: its nodes are named ``layer.step``."""
        return Builder(self.graph, f"{self.name}.{step}", self.layer, self.masks, self.sequences)

    def type(self, name: str) -> TensorType:
        """Return the type of a tensor that exists already."""
        return self.graph[name].type

    def add(self, op: Op, *inputs: str, step: str = "") -> str:
        """Add an op and return its name: the layer's own, or ``layer.step`` for a step on the way to it."""
        name = self.graph.fresh_name(f"{self.name}.{step}" if step else self.name)
        self.graph.add(name, op, inputs, layers=[self.layer])
        if not isinstance(op, LastStep) and not self.sequences.names.isdisjoint(inputs):
            self.sequences.names.add(name)
        return name


ImportFunction: TypeAlias = Callable[[Layer, Sequence[str], Builder], str | Sequence[str] | Known]
Roles: TypeAlias = Callable[[Mapping[str, Any]], Sequence[Role]]


@dataclass(frozen=True)
class Importer:
    """How to turn one layer class into ops: ``function(layer, input names, builder)`` returns the output's name.

    A layer with several outputs returns all their names.
    """

    frontend: str
    class_name: str
    function: ImportFunction
    roles: Roles
    """The weights in the order in which the source stores them, from the layer's config."""
    summary: str = ""
    masking: bool = False
    """Whether the layer hands the mask of its first input on to its output."""
    limits: str = ""
    """What of its configuration cannot be imported, for the page of layers."""
    temporal: ImportFunction | None = None
    """How to import it where axis 1 of its inputs is time and one slice comes a step; None where that cannot be."""

    @property
    def name(self) -> str:
        """Return ``frontend:class``: two frontends may each have a class of one name."""
        return f"{self.frontend}:{self.class_name}"


def no_weights(config: Mapping[str, Any]) -> Sequence[Role]:
    """Return the roles of a layer without weights."""
    return ()


def importer(
    frontend: str,
    class_name: str,
    roles: Roles | Sequence[str] = no_weights,
    *,
    masking: bool = False,
    limits: str = "",
    slicewise: bool = False,
    temporal: ImportFunction | None = None,
) -> Callable[[ImportFunction], Importer]:
    """Make an importer of a function; nothing is registered, a hook must return it.

    Args:
        frontend: ``"keras"``.
        class_name: the class as the model's config spells it, or the registered name (``"package>Class"``).
        roles: the weights in stored order: names, or a function of the layer's config.
        masking: whether the layer hands the mask of its first input on to its output.
        limits: what of its configuration cannot be imported, in a few words for the page of layers.
        slicewise: whether the layer does the same to every slice along axis 1, so that the function does for a slice
            of a temporal model too (``layer.temporal`` is set then).
        temporal: the function for temporal models, of a layer that does more than that.

    """
    listed = () if callable(roles) else tuple(Role(name) for name in roles)
    find = roles if callable(roles) else lambda _: listed

    def decorate(function: ImportFunction) -> Importer:
        summary = (function.__doc__ or "").strip().split("\n")[0]
        stepwise = function if slicewise else temporal
        return Importer(frontend, class_name, function, find, summary, masking, limits, stepwise)

    return decorate


@dataclass(frozen=True)
class ImportOptions:
    """The user's options for reading a model."""

    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None
    """Shapes without the batch for inputs that leave sizes open: one for all, or by input name."""
    config: str | Path | None = None
    """The config (JSON) that belongs to a file of weights alone."""
    temporal: bool = False
    """Whether axis 1 of the inputs is time, and one slice is presented each step."""
    replace: Mapping[str, str] = field(default_factory=dict)
    """What stands for a layer, a class or a function of the model, by name, in text form."""
    dt: float | None = None
    """Seconds a step, where the user says."""


class Frontend(ABC):
    """A reader of one kind of source."""

    name: ClassVar[str]
    family: ClassVar[str] = "keras"
    """The frontend that importers name: a file and a live model of the same library share theirs."""

    def __init__(self, kinds: Kinds) -> None:
        """Read models of the ops, neurons and synapses in ``kinds``, which a saved graph may name."""
        self.kinds = kinds

    @abstractmethod
    def accepts(self, source: object) -> bool:
        """Return whether this looks like a source of this kind; must be cheap and import nothing heavy."""

    @abstractmethod
    def load(self, source: object, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        """Return the graph; ``importers`` are those registered for ``"keras"``, by class name.

        A source that is a spiking network already says so in ``graph.made_for``.
        """


def layer_error(layer: Layer, reason: str) -> FrontendError:
    """Return the error for a layer that cannot be imported as it is configured."""
    return FrontendError(f"layer {layer.name!r} ({layer.class_name}): {reason}")


def stream_error(layer: Layer, reason: str) -> FrontendError:
    """Return the error for a layer that cannot work on a stream of slices."""
    return layer_error(layer, f"{reason}, which cannot be done slice by slice; compile without --temporal")
