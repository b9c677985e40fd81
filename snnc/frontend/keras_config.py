"""The config of a Keras model, of any version from 2.0 to 3.x, in one form.

A model is a list of layers, each with its calls; a call has arguments in which a ``Ref`` stands for a tensor. A
Sequential model is written as the chain of calls that it is. Nothing in a config is executed or imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snnc.errors import FrontendError, SnncError

TRANSPARENT = frozenset({"SpectralNormalization"})
"""Layers that do what the layer inside them does, whose weights they changed in training (Miyato et al. 2018)."""
WRAPPERS = TRANSPARENT | {"TimeDistributed"}
"""Layers around another one; TimeDistributed applies it to slices of its input."""
_OTHER_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Classes that Keras exports, and writes into its newer files, under another name than their own."""
_CONSTANT = "_CONSTANT_VALUE"
_SHARED = "shared_object_id"
_KNOWN = ("keras", "tf_keras", "keras_spiking")
"""Packages whose classes have importers of their own."""


@dataclass(frozen=True)
class Ref:
    """A tensor of the source model: output ``index`` of the call ``node`` of a layer, as Keras counts them."""

    layer: str
    node: int
    index: int


@dataclass(frozen=True)
class Call:
    """One call of a layer; ``Ref`` stands for a tensor anywhere inside the arguments."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """One layer of a model."""

    name: str
    class_name: str
    """The class without its package; ``ops.Add`` or ``tf.math.add`` for an operator on tensors."""
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    registered: str = ""
    """The name a custom class is registered under, such as ``package>Class``."""
    custom: bool = False
    """Whether the class is not one of Keras's own."""
    model: ModelSpec | None = None
    """What a nested model holds."""
    inner: LayerSpec | None = None
    """The layer inside a wrapper."""
    stored_as: str = ""
    """The class that the file knows the layer by, where the user has put another in its place."""

    @property
    def stored_class(self) -> str:
        """Return the class that the file knows the layer by."""
        return self.stored_as or self.class_name

    @property
    def operator(self) -> bool:
        """Return whether this is a function on tensors, which Keras wrote down as a layer."""
        return "." in self.stored_class


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A model: its layers in stored order, and its inputs and outputs (``Ref`` leaves in lists or dicts)."""

    name: str
    class_name: str
    layers: tuple[LayerSpec, ...]
    inputs: Any
    outputs: Any


def parse_model(document: Any, name: str = "model") -> ModelSpec:
    """Return the model of a ``{"class_name", "config"}`` document.

    Raises:
        FrontendError: it is not a Sequential or functional model.

    """
    try:
        document = plain(document)
        spec = _nested(document, name)
    except SnncError:
        raise
    except Exception as error:  # whatever a config that Keras did not write makes of the lines above
        raise FrontendError(f"the model's config cannot be read ({reason(error)}); is the file damaged?") from error
    if spec is None:
        raise FrontendError(
            f"the model {document.get('class_name')!r} is subclassed: its config holds no layers; rebuild it as a "
            "functional or Sequential model and save that"
        )
    return spec


def reason(error: Exception) -> str:
    """Return what a strange config made our code raise, in few words."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def calls_of(model: ModelSpec) -> int:
    """Return how many calls of layers a model makes, those of the models inside it counted at each of their calls."""
    return sum(
        max(len(layer.calls), 1) * (1 if layer.model is None else calls_of(layer.model)) for layer in model.layers
    )


def _nested(document: Mapping[str, Any], name: str) -> ModelSpec | None:
    """Return the model that a layer's document describes, or None if it is not a model."""
    class_name, config = str(document.get("class_name", "")), document["config"]
    if isinstance(config, list):  # Sequential before Keras 2.2.3
        return _sequential(name, class_name, {"layers": config})
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    name = str(config.get("name") or name)
    if "input_layers" in config and "output_layers" in config:
        return _functional(name, class_name, config)
    return _sequential(name, class_name, config)


def _functional(name: str, class_name: str, config: Mapping[str, Any]) -> ModelSpec:
    documents = config["layers"]
    names = {_layer_name(d) for d in documents}
    if len(names) != len(documents):
        raise FrontendError(f"model {name!r}: two layers have the same name")
    layers = [_layer(d, tuple(_calls(d, names))) for d in documents]
    outputs = _ends(config["output_layers"])
    _restore_calls(name, documents, layers, outputs)
    return ModelSpec(name, class_name, tuple(layers), _ends(config["input_layers"]), outputs)


def _restore_calls(name: str, documents: Sequence[Any], layers: list[LayerSpec], outputs: Any) -> None:
    """Put back the calls of layers that a later nested model shares, over which Keras 2 writes those in that model.

    All layers lead to an output and are listed behind those that they read, so that a tensor that nothing reads is
    what such a call reads, where there is one for each.
    """
    lost: list[int] = []
    later: set[Any] = set()
    for k, document in reversed(list(enumerate(documents))):
        if document.get(_SHARED) in later:
            lost.insert(0, k)
        later |= _shared_by_models([document])
    if not lost:
        return
    known = [(call.args, call.kwargs) for k, layer in enumerate(layers) if k not in lost for call in layer.calls]
    read = {(ref.layer, ref.node) for ref in refs([*known, outputs])}
    many = {layer for layer, n in Counter(layer for layer, _ in read).items() if n > 1}
    unread = [k for k, layer in enumerate(layers) if all(layer.name != other for other, _ in read)]
    for k in lost:
        before = [place for place in unread if place < k]
        if len(before) != 1 or layers[k].name in many or len(layers[k].calls) != 1 or len(unread) > len(lost):
            raise FrontendError(
                f"model {name!r}: Keras 2 left out what layer {layers[k].name!r} reads, as a nested model shares it; "
                "import the model in memory, or call the layer inside a model of its own here, too, and save it again"
            )
        unread.remove(before[0])
        layers[k] = replace(layers[k], calls=(Call((Ref(layers[before[0]].name, 0, 0),)),))


def _shared_by_models(documents: Sequence[Any]) -> set[Any]:
    """Return the marks of shared layers inside the models among the documents of layers."""
    found: set[Any] = set()
    for document in documents:
        config = document.get("config")
        inside = config.get("layers") if isinstance(config, dict) else None
        if isinstance(inside, list) and all(isinstance(d, dict) for d in inside):
            found.update(d[_SHARED] for d in inside if isinstance(d.get(_SHARED), int))
            found |= _shared_by_models(inside)
    return found


def _sequential(name: str, class_name: str, config: Mapping[str, Any]) -> ModelSpec:
    layers: list[LayerSpec] = []
    names: set[str] = set()
    for document in config["layers"]:
        layer = _layer(document, ())
        if not layers and layer.class_name != "InputLayer":
            layers.append(_implied_input(layer, config.get("build_input_shape")))
        if layers:
            layer = replace(layer, calls=(Call((Ref(layers[-1].name, 0, 0),)),))
        if layer.name in names:  # before Keras 2.2.3 a model in a model has no name
            layer = replace(layer, name=f"{layer.name}_{len(layers)}")
        names.add(layer.name)
        layers.append(layer)
    if not layers:
        raise FrontendError(f"model {name!r} has no layers")
    return ModelSpec(name, class_name, tuple(layers), Ref(layers[0].name, 0, 0), Ref(layers[-1].name, 0, 0))


def _implied_input(first: LayerSpec, build_shape: Any) -> LayerSpec:
    """Return the input of a Sequential model that does not list one; its shape may stay unknown."""
    shape = build_shape
    for layer in first_layers(first):
        shape = layer.config.get("batch_input_shape") or layer.config.get("batch_shape") or shape
    config = {"name": f"{first.name}_input", "batch_shape": shape}
    return LayerSpec(config["name"], "InputLayer", config, ())


def first_layers(layer: LayerSpec) -> Iterator[LayerSpec]:
    """Yield a layer, and where it is a model, the first layer of that, all the way in."""
    yield layer
    if layer.model is not None:
        yield from first_layers(layer.model.layers[0])


def _layer_name(document: Any) -> str:
    if not isinstance(document, dict) or not isinstance(document.get("config"), (dict, list)):
        raise FrontendError(f"a layer of the model has no config: {str(document)[:80]}")
    config = document["config"]
    name = document.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return str(name or document.get("class_name", "")).strip()


def _layer(document: Any, calls: tuple[Call, ...]) -> LayerSpec:
    name = _layer_name(document)
    class_name, config = str(document.get("class_name", "")), document["config"]
    model = _nested(document, name)
    if isinstance(config, list):
        config = {"name": name, "layers": config}
    module = str(document.get("module") or "")
    registered = str(document.get("registered_name") or "")
    package, _, bare = class_name.rpartition(">")
    if package:
        registered, class_name = class_name, bare
    else:
        class_name = _OTHER_NAMES.get(class_name, class_name)
    custom = bool(package) or ">" in registered or (bool(module) and module.split(".")[0] not in _KNOWN)
    if model is None and _is_operator(document, module):
        return LayerSpec(name, f"ops.{class_name}", config, calls)
    if class_name in ("TFOpLambda", "SlicingOpLambda") and "function" in config:
        function = str(config["function"]).removeprefix("compat.v1.")
        return LayerSpec(name, f"tf.{function}", config, calls)
    inner = config.get("layer") if class_name in WRAPPERS else None
    return LayerSpec(
        name,
        class_name,
        config,
        calls,
        registered,
        custom,
        model,
        _layer(inner, ()) if isinstance(inner, dict) else None,
    )


def _is_operator(document: Mapping[str, Any], module: str) -> bool:
    """Return whether a Keras 3 layer is an operator; an HDF5 file has no module, but only layers can train."""
    if module.startswith("keras.src.ops") or module.startswith("keras.ops"):
        return True
    config = document["config"]
    nodes = document.get("inbound_nodes")
    keras3 = bool(nodes) and isinstance(nodes, list) and isinstance(nodes[0], dict) and "args" in nodes[0]
    return keras3 and isinstance(config, dict) and not module and "trainable" not in config


def _calls(document: Mapping[str, Any], names: set[str]) -> Iterator[Call]:
    if document.get("class_name") == "InputLayer":
        return
    for node in document.get("inbound_nodes") or ():
        if isinstance(node, dict) and "args" in node:
            args, kwargs = node["args"], node.get("kwargs") or {}
            if not isinstance(args, list) or not isinstance(kwargs, dict):
                raise FrontendError(f"layer {_layer_name(document)!r}: the arguments of a call cannot be read")
            yield Call(tuple(args), kwargs)
        else:
            yield _call_of_keras2(node, names)


def _call_of_keras2(node: Any, names: set[str]) -> Call:
    """Return the call of a Keras 2 node: its first argument's tensors, each with the keyword arguments of the call."""
    kwargs: dict[str, Any] = {}

    def first(value: Any) -> Any:
        if isinstance(value, list) and value and value[0] == _CONSTANT and len(value) in (3, 4):
            kwargs.update(value[3] if len(value) == 4 else {})
            return value[2]
        if _looks_like_ref(value):
            kwargs.update(value[3] if len(value) == 4 else {})
            return Ref(value[0], value[1], value[2])
        if isinstance(value, list):
            return [first(v) for v in value]
        return {k: first(v) for k, v in value.items()} if isinstance(value, dict) else value

    def other(value: Any) -> Any:
        if _looks_like_ref(value) and value[0] in names:
            return Ref(value[0], value[1], value[2])
        if isinstance(value, list):
            return [other(v) for v in value]
        return {k: other(v) for k, v in value.items()} if isinstance(value, dict) else value

    argument = first(node)
    return Call((argument,), {key: other(value) for key, value in kwargs.items()})


def _looks_like_ref(value: Any) -> bool:
    """Return whether a list has Keras 2's form of a tensor: layer, node, index and perhaps keyword arguments."""
    return (
        isinstance(value, list)
        and (len(value) == 3 or (len(value) == 4 and isinstance(value[3], dict)))
        and isinstance(value[0], str)
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:3])
    )


def _ends(value: Any) -> Any:
    """Return the inputs or outputs of a model with ``Ref`` leaves: one, a list, or a dict of them."""
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str):
            return Ref(value[0], int(value[1]), int(value[2]))
        return [_ends(v) for v in value]
    if isinstance(value, dict):
        return {key: _ends(v) for key, v in value.items()}
    raise FrontendError(f"the model's inputs or outputs cannot be read: {str(value)[:80]}")


def refs(value: Any) -> Iterator[Ref]:
    """Yield the tensors inside a structure in the order of Keras: dicts by sorted key."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from refs(v)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from refs(value[key])


def named_refs(value: Any) -> Iterator[tuple[str, Ref]]:
    """Yield a model's inputs or outputs in the order of ``refs``, each with its key, or else its layer's name."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from ((key, ref) for ref in refs(value[key]))
    else:
        yield from ((ref.layer, ref) for ref in refs(value))


def plain(value: Any) -> Any:
    """Return a config with the marked-up values of Keras made plain: tensors as ``Ref``, arrays as lists, slices."""
    if isinstance(value, dict):
        config = value.get("config")
        match value.get("class_name"):
            case "__keras_tensor__" if isinstance(config, dict):
                layer, node, index = config["keras_history"]
                return Ref(str(layer), int(node), int(index))
            case "__numpy__" | "__tensor__" if isinstance(config, dict):
                return plain(config["value"])
            case "__slice__" if isinstance(config, dict):
                return slice(*(plain(config.get(k)) for k in ("start", "stop", "step")))
            case "__ellipsis__":
                return Ellipsis
        if value.get("type") == "ndarray" and set(value) == {"type", "value"}:  # of Keras 2.0 and 2.1
            return plain(value["value"])
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
