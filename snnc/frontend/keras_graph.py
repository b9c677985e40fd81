"""From the normalised config and the weights of a Keras model to a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from snnc import limits
from snnc.errors import FrontendError, ShapeError, SnncError, UnsupportedLayerError
from snnc.frontend.base import (
    Builder,
    Importer,
    ImportFunction,
    ImportOptions,
    Layer,
    Role,
    Sequences,
    Slot,
    stream_error,
)
from snnc.frontend.keras_config import (
    TRANSPARENT,
    Call,
    LayerSpec,
    ModelSpec,
    Ref,
    calls_of,
    named_refs,
    reason,
    refs,
)
from snnc.frontend.keras_inputs import model_inputs as inputs_of
from snnc.frontend.keras_layers.operators_known import computed_beforehand
from snnc.frontend.keras_tensors import Tensors, model_inputs, with_slots
from snnc.frontend.keras_time import Inside, distribute
from snnc.frontend.keras_weights import WeightSource, WeightTable
from snnc.frontend.known import Known
from snnc.frontend.lost_tensors import ways_to_read
from snnc.frontend.replace import Replacements
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Array

_REMEDY = "write an importer plugin for it (docs/writing-importers) or take the layer out of the model"
_OF_STRINGS = ("StringLookup", "TextVectorization", "Hashing", "HashedCrossing")
_STRINGS = (
    "it reads strings, or hashes numbers as strings; do that before the model and feed it the numbers that come out"
)


def build_graph(
    model: ModelSpec,
    source: WeightSource,
    importers: Mapping[str, Importer],
    version: tuple[int, ...],
    options: ImportOptions,
    kinds: Mapping[str, type[Op]],
) -> Graph:
    """Return the graph of a model.

    Args:
        model: the normalised config.
        source: where the weights are.
        importers: by class name.
        version: of the Keras that wrote the model.
        options: shapes for inputs that leave sizes open, and what stands for layers and functions of the user's own.
        kinds: the ops that may stand for one, by kind.

    Raises:
        UsageError: the options do not fit the model.
        UnsupportedLayerError: layers without an importer, all of them.
        FrontendError: a layer whose configuration or weights cannot be imported.
        BudgetError: it has more layers than the budget, each call counted.

    """
    with readable(f"model {model.name!r}"):  # what is between the layers: calls, inputs, outputs
        limits.require("layers and nodes", calls_of(model), f"model {model.name!r}")
        if not list(refs(model.inputs)) or not list(refs(model.outputs)):
            raise FrontendError(f"model {model.name!r} has no inputs or no outputs")
        if options.replace:
            model = Replacements(options.replace, importers, kinds, version).applied(model)
        table = ImporterTable(importers)
        unsupported = list(_unsupported(model.layers, table))
        if unsupported:
            raise UnsupportedLayerError(unsupported)
        inputs = inputs_of(model, options.input_shape, temporal=options.temporal)
        weights = source.read(model, table.roles)

        def built(way: ModelSpec) -> Graph:
            build = _Build(Graph(model.name), table, weights, version)
            for name, given in inputs.items():
                build.graph.add(name, given.op, layers=[given.layer])
            if options.temporal:
                build.sequences = Sequences(
                    set(inputs), next((i.op.length for i in inputs.values() if i.op.length), None)
                )
            outputs = build.model(way, "", list(inputs))
            build.graph.set_outputs(_output_names(model, outputs))
            build.graph.prune()
            return build.graph

        return _only_one(model, built)


def _only_one(model: ModelSpec, built: Callable[[ModelSpec], Graph]) -> Graph:
    """Return the graph of a model; of one that does not say which tensors a call reads, the only one that fits."""
    ways = list(ways_to_read(model))
    if len(ways) == 1:
        return built(ways[0])
    found = []
    for way in ways:
        with suppress(FrontendError, ShapeError):
            found.append(built(way))
    if len(found) != 1:
        raise FrontendError(
            f"model {model.name!r}: Keras 2 does not write down which tensors tf.einsum reads, and "
            f"{len(found)} ways fit what is known; compile the model from memory, or write a Dot layer or tf.matmul"
        )
    return found[0]


class ImporterTable:
    """The importers by class, with the rule that a custom class never gets the importer of Keras's own."""

    def __init__(self, importers: Mapping[str, Importer]) -> None:
        """Look up in ``importers``, which are by class name."""
        from snnc.frontend.keras_layers import importers as built_in

        self._importers = importers
        self._built_in = {importer.class_name: importer for importer in built_in()}

    def find(self, spec: LayerSpec) -> Importer | None:
        """Return the importer of a layer, or None."""
        if spec.registered in self._importers:
            return self._importers[spec.registered]
        found = self._importers.get(spec.class_name)
        return None if spec.custom and found is self._built_in.get(spec.class_name) else found

    def roles(self, spec: LayerSpec) -> Sequence[Role]:
        """Return the weights of a layer."""
        found = self.find(spec)
        with readable(f"layer {spec.name!r} ({spec.class_name})"):
            return () if found is None else found.roles(spec.config)


def _unsupported(layers: Sequence[LayerSpec], table: ImporterTable, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for spec in layers:
        name = f"{prefix}{spec.name}"
        if spec.model is not None:
            yield from _unsupported(spec.model.layers, table, f"{name}/")
        elif spec.inner is not None:
            yield from _unsupported([spec.inner], table, f"{name}/")
        elif spec.class_name == "InputLayer":
            continue
        elif spec.class_name in _OF_STRINGS:
            yield name, spec.class_name, _STRINGS
        elif spec.class_name == "Lambda":
            yield name, "Lambda", _lambda(name)
        elif _quantised(spec):
            yield name, spec.class_name, "its weights are quantised; save the model before it is quantised"
        elif table.find(spec) is None:
            class_name = spec.registered or spec.class_name
            if spec.operator:
                yield name, class_name, f"no importer for this operator; {_REMEDY}"
            else:
                yield name, class_name, f"no importer for this class; {_class(class_name)}"


def _lambda(name: str) -> str:
    """Return why a Lambda layer is refused, and what helps."""
    return (
        f"its Python code is never executed; say what it does with --replace '{name}=relu' (replace=...), or replace "
        "it by a Keras layer, or by a class of its own with an importer plugin (docs/writing-importers)"
    )


def _class(class_name: str) -> str:
    """Return what helps where a class has no importer."""
    return f"where it does what another does, say so with --replace '{class_name}=Dense' (replace=...); else {_REMEDY}"


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn whatever a strange config makes our code raise into a FrontendError that names the layer or the model."""
    try:
        yield
    except SnncError:
        raise
    except Exception as error:  # an importer need not know what Keras never writes
        raise FrontendError(f"{what}: its config cannot be read ({reason(error)}); is the file damaged?") from error


def _quantised(spec: LayerSpec) -> bool:
    dtype = spec.config.get("dtype")
    return isinstance(dtype, Mapping) and "Quantized" in str(dtype.get("class_name"))


def _output_names(model: ModelSpec, nodes: Sequence[str]) -> dict[str, str]:
    """Return the node of each output, named by its key, or after the output layers."""
    outputs: dict[str, str] = {}
    for (key, _), node in zip(named_refs(model.outputs), nodes, strict=True):
        name, k = key, 1
        while name in outputs:
            name, k = f"{key}_{k}", k + 1
        if not name or not name.isprintable():
            raise FrontendError(f"model {model.name!r}: its output {name!r} has no printable name; name it otherwise")
        outputs[name] = node
    return outputs


@dataclass
class _Build:
    """A graph being built."""

    graph: Graph
    importers: ImporterTable
    weights: WeightTable
    version: tuple[int, ...]
    masks: dict[str, str] = field(default_factory=dict)
    made: dict[LayerSpec, dict[str, Array]] = field(default_factory=dict)
    sequences: Sequences = field(default_factory=Sequences)

    def model(self, model: ModelSpec, prefix: str, inputs: Sequence[str]) -> list[str]:
        """Add the layers of a model under names that begin with ``prefix``; return the nodes of its outputs."""
        tensors = Tensors(model)
        for ref, node in zip(refs(model.inputs), inputs, strict=True):
            tensors.set(ref.layer, 0, [node])
        for spec, k in tensors.in_order(model):
            tensors.set(spec.name, k, self.layer(spec, spec.calls[k], prefix, tensors))
        return [tensors.node(ref) for ref in refs(model.outputs)]

    def layer(self, spec: LayerSpec, call: Call, prefix: str, tensors: Tensors) -> Sequence[str | Known]:
        """Add one call of a layer; return the nodes of its outputs."""
        name = f"{prefix}{spec.name}"
        if spec.model is not None:
            return self.model(spec.model, f"{name}/", model_inputs(spec, call, tensors))
        inputs: list[str] = []
        given = {key: value for key, value in call.kwargs.items() if key != "mask" or isinstance(value, list)}
        args = tuple(with_slots(value, tensors, inputs) for value in call.args)
        kwargs = {key: with_slots(value, tensors, inputs) for key, value in given.items()}
        known = [ref for ref in refs((call.args, call.kwargs)) if isinstance(tensors.get(ref), Known)]
        if known and not spec.operator:
            raise FrontendError(
                f"layer {name!r} ({spec.class_name}): {known[0].layer!r}, which it reads, does not depend on the "
                "model's inputs; write it as an operator on tensors"
            )
        mask = call.kwargs.get("mask")
        if not isinstance(mask, Ref) or not inputs:
            return self.leaf(spec, name, inputs, args, kwargs)
        own = self.masks.get(inputs[0])
        self.masks[inputs[0]] = tensors.node(mask)
        outputs = self.leaf(spec, name, inputs, args, {**kwargs, "mask": True})
        self.masks.pop(inputs[0])
        if own is not None:
            self.masks[inputs[0]] = own
        return outputs

    def leaf(
        self, spec: LayerSpec, name: str, inputs: Sequence[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Sequence[str | Known]:
        """Add one call of a layer that is not a model."""
        if spec.inner is not None and spec.class_name in TRANSPARENT:
            return self.leaf(spec.inner, name, inputs, args, kwargs)
        if spec.inner is not None and inputs[0] in self.sequences.names:
            return self._each_slice(spec.inner, name, inputs)
        if spec.inner is not None:
            output = distribute(self.graph, name, inputs[0], self._inside(spec.inner, name))
            if inputs[0] in self.masks:
                self.masks[output] = self.masks[inputs[0]]
            return [output]
        importer = self.importers.find(spec)
        if importer is None:  # an input layer: build_graph has looked at all others
            raise FrontendError(f"layer {name!r} ({spec.class_name}): it is no input of its model, yet has no importer")
        layer = Layer(
            name=name,
            class_name=spec.class_name,
            config=spec.config,
            weights=self.weights.get(spec, {}),
            keras=self.version,
            call=kwargs,
            args=args,
            made=self.made.setdefault(spec, {}),
            temporal=not self.sequences.names.isdisjoint(inputs),
        )
        builder = Builder(self.graph, name, name, self.masks, self.sequences)
        if spec.operator and not inputs:
            return computed_beforehand(layer)
        outputs = _imported(self._function(importer, layer, inputs), layer, inputs, builder)
        if isinstance(outputs, Known):
            return [outputs]
        if importer.masking and inputs and inputs[0] in self.masks:
            self.masks.setdefault(outputs[0], self.masks[inputs[0]])
        return outputs

    def _function(self, importer: Importer, layer: Layer, inputs: Sequence[str]) -> ImportFunction:
        """Return how a layer is imported, which is another way where axis 1 of its inputs is time."""
        if not layer.temporal:
            return importer.function
        if importer.temporal is None:
            raise stream_error(layer, "it does not treat each step of a sequence alike, or reads it as a whole")
        if not self.sequences.names.issuperset(inputs):
            raise stream_error(layer, "it joins a sequence with what only its last step decides")
        return importer.temporal

    def _each_slice(self, spec: LayerSpec, name: str, inputs: Sequence[str]) -> list[str]:
        """Add the layer inside TimeDistributed where the graph sees one slice a step."""
        outer, self.sequences = self.sequences, Sequences()
        outputs = self._inner(spec, name, inputs)
        self.sequences = outer
        self.sequences.names.update(outputs)
        if inputs[0] in self.masks:
            self.masks[outputs[0]] = self.masks[inputs[0]]
        return outputs

    def _inside(self, spec: LayerSpec, name: str) -> Inside:
        """Return how the layer inside a wrapper is added to a graph of its own."""

        def add(graph: Graph, source: str) -> str:
            build = _Build(graph, self.importers, self.weights, self.version, {}, self.made)
            (output,) = build._inner(spec, name, [source])
            return output

        return add

    def _inner(self, spec: LayerSpec, name: str, inputs: Sequence[str]) -> list[str]:
        """Add the layer inside a wrapper, which may be a model."""
        if spec.model is not None:
            return self.model(spec.model, f"{name}/", inputs)
        return [made for made in self.leaf(spec, name, inputs, (Slot(0),), {}) if isinstance(made, str)]


def _imported(function: ImportFunction, layer: Layer, inputs: Sequence[str], builder: Builder) -> list[str] | Known:
    """Call an importer; whatever a strange config makes it raise names the layer."""
    with readable(f"layer {layer.name!r} ({layer.class_name})"):
        try:
            made = function(layer, inputs, builder)
        except ShapeError as error:
            if not layer.temporal:
                raise
            raise stream_error(layer, f"it does not fit slices of {builder.type(inputs[0])} ({error})") from error
    if isinstance(made, Known):
        return made
    return [made] if isinstance(made, str) else list(made)
