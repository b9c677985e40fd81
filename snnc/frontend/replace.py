"""Meanings that the user gives to what a file tells by a name alone: ``compile(replace=...)``, ``--replace``.

A ``Lambda`` layer, a function as activation and a custom class are Python code, which is never executed. A replacement
says which activation, op or layer stands for one: ``{"my_layer": "leaky_relu{alpha=0.1 max=20}"}``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snnc.errors import FrontendError, PassSpecError, UsageError, unknown
from snnc.frontend.base import Importer, Layer
from snnc.frontend.keras_config import LayerSpec, ModelSpec
from snnc.frontend.keras_layers.activation import AS_LAYER, BY_NAME, named
from snnc.frontend.keras_layers.recurrent import CELLS
from snnc.ir.op import Op
from snnc.ops.activations import Activation
from snnc.ops.functions import FUNCTIONS, Function
from snnc.ops.stateful import Stateful
from snnc.text_form import build, parse

OP = "snnc>Op"
"""The class whose importer adds the op in its config."""
_NOTHING = ("identity", "linear", "none")
_ALIKE = (
    ("negative_slope", "alpha", "slope"),
    ("max_value", "max", "high"),
    ("min", "min_value", "low"),
    ("threshold", "theta"),
)
"""Names of one parameter, in Keras's versions and in the ops."""
_FUNCTION = "<lambda>"


@dataclass(frozen=True)
class Meaning:
    """What stands for a layer, and for an activation if it can."""

    class_name: str
    config: Mapping[str, Any]
    activation: Any = None
    """What a config may have as activation; None where this is none."""


@dataclass
class Replacements:
    """What the user says, by the name of a layer, a class or a function; ``given`` is its text form."""

    given: Mapping[str, str]
    importers: Mapping[str, Importer]
    kinds: Mapping[str, type[Op]]
    version: tuple[int, ...]
    """Of the Keras that wrote the model: some names changed their meaning."""
    meanings: dict[str, Meaning] = field(init=False)
    seen: dict[str, None] = field(init=False, default_factory=dict)
    """The names that the model has."""

    def __post_init__(self) -> None:
        """Read the text forms; raise UsageError for what cannot stand for anything."""
        self.meanings = {name: self._meaning(text, f"replace {name!r}") for name, text in self.given.items()}

    def applied(self, model: ModelSpec) -> ModelSpec:
        """Return the model with all meanings put in; raise UsageError for a name that it does not have."""
        done = self._model(model, "")
        for name in self.given:
            if name not in self.seen:
                raise UsageError(f"replace: {unknown('layer, class or function', name, self.seen)}")
        return done

    def _model(self, model: ModelSpec, prefix: str) -> ModelSpec:
        return replace(model, layers=tuple(self._layer(spec, prefix) for spec in model.layers))

    def _layer(self, spec: LayerSpec, prefix: str) -> LayerSpec:
        path = f"{prefix}{spec.name}"
        own, of_class = self._of(path, spec.name), self._of(spec.registered, spec.class_name)
        if of_class is not None:
            spec = _standing(spec, of_class)
        slots = self._slots(spec, own)
        if own is not None and not slots:
            spec = _standing(spec, own)
        if spec.model is not None:
            return replace(spec, model=self._model(spec.model, f"{path}/"))
        if spec.inner is not None:
            return replace(spec, inner=self._layer(spec.inner, f"{path}/"))
        return replace(spec, config=self._config(spec.config, slots, own))

    def _slots(self, spec: LayerSpec, own: Meaning | None) -> tuple[str, ...]:
        """Return the entries of a layer's config that a meaning of the layer is for; none if it is for the layer."""
        if own is None or own.activation is None or not self._has_importer(spec):
            return ()
        here = tuple(key for key in spec.config if _is_slot(key))
        strange = tuple(key for key in here if not self._known(spec.config[key]))
        return strange or tuple(key for key in here if key == "activation")

    def _config(self, config: Mapping[str, Any], slots: tuple[str, ...], own: Meaning | None) -> Mapping[str, Any]:
        """Return a config with the meanings of its activations and of the layers inside put in."""
        done: dict[str, Any] = {}
        for key, value in config.items():
            if _is_slot(key):
                names = _functions(value)
                found = self._of(*names)
                found = own if key in slots else found
                if found is not None and found.activation is None:
                    raise UsageError(f"replace {names[-1]!r}: {found.class_name} cannot stand for an activation")
                done[key] = value if found is None else found.activation
            elif key in ("layer", "backward_layer", "cell") and isinstance(value, Mapping):
                done[key] = self._document(value)
            elif key == "cells" and isinstance(value, list):
                done[key] = [self._document(v) if isinstance(v, Mapping) else v for v in value]
            else:
                done[key] = value
        return done

    def _document(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the document of a layer inside another with the meanings put in."""
        config = document.get("config")
        if not isinstance(config, Mapping):
            return document
        class_name = str(document.get("class_name", ""))
        registered = str(document.get("registered_name") or class_name)
        inner = LayerSpec(str(config.get("name", "")), class_name.rpartition(">")[2], config, (), registered)
        inner = self._layer(inner, "")
        known_as = inner.registered if inner.stored_as else document.get("registered_name")
        return {**document, "class_name": inner.class_name, "registered_name": known_as, "config": inner.config}

    def _of(self, *names: str) -> Meaning | None:
        """Return the meaning under the first of these names that has one."""
        known = [name for name in names if name]
        self.seen.update(dict.fromkeys(known))
        return next((self.meanings[name] for name in known if name in self.meanings), None)

    def _has_importer(self, spec: LayerSpec) -> bool:
        return spec.registered in self.importers or (spec.class_name in self.importers and not spec.custom)

    def _known(self, value: Any) -> bool:
        """Return whether a config's activation is one that snnc knows."""
        try:
            named(self._probe(), value)
        except FrontendError:
            return any(name in self.meanings for name in _functions(value))
        return True

    def _probe(self) -> Layer:
        return Layer("replace", "Activation", {}, {}, self.version)

    def _meaning(self, text: str, what: str) -> Meaning:
        """Return what a text form stands for."""
        try:
            name, options = parse(text)
        except PassSpecError as error:
            raise UsageError(f"{what}: {error}") from None
        kinds = {kind: cls for kind, cls in self.kinds.items() if _writable(cls)}
        if name in _NOTHING:
            return Meaning("Activation", {"activation": "linear"}, "linear")
        if name in BY_NAME:
            return _activation(_built(BY_NAME[name](self._probe()), options, what))
        if name in FUNCTIONS:
            return _activation(_built(Function(name=name), options, what))
        if name in self.importers or name in CELLS:
            config = {key: _value(value) for key, value in options.items()}
            slot = {"class_name": name, "config": config} if name in AS_LAYER else None
            return Meaning(name, config, slot)
        if name in kinds:
            op = build(kinds[name], f"{what}: op {name!r}", _renamed(kinds[name], options))
            return _activation(op) if isinstance(op, Activation) else Meaning(OP, {"op": op})
        layers = (key for key in self.importers if "." not in key and key != OP)
        known = {*BY_NAME, *FUNCTIONS, *_NOTHING, *CELLS, *layers, *kinds}
        raise UsageError(f"{what}: {unknown('activation, op or layer', name, known)}")


def _standing(spec: LayerSpec, meaning: Meaning) -> LayerSpec:
    """Return the layer of a meaning in place of one, with its config as far as the meaning leaves it."""
    name = meaning.class_name
    return replace(
        spec,
        class_name=name.rpartition(">")[2],
        registered=name if ">" in name else "",
        config={**spec.config, **meaning.config},
        custom=False,
        model=None,
        inner=None,
        stored_as=spec.stored_class,
    )


def _activation(op: Activation | None) -> Meaning:
    value = "linear" if op is None else op
    return Meaning("Activation", {"activation": value}, value)


def _built(op: Activation | None, options: Mapping[str, str], what: str) -> Activation | None:
    """Return an activation with some of its parameters given."""
    if op is None or not options:
        return op
    cls = type(op)
    given = _renamed(cls, options)
    if not given.get("axis", "-1").startswith("-"):
        raise PassSpecError(f"{what}: count the axis from the last one, as in axis=-1")
    return build(cls, what, {**op.attrs(), **given})


def _renamed(cls: type[Op], options: Mapping[str, str]) -> dict[str, str]:
    """Return parameters under the names of an op's fields."""
    fields = {f.name for f in dataclasses.fields(cls)}
    found: dict[str, str] = {}
    for key, value in options.items():
        alike = next((names for names in _ALIKE if key in names), ())
        found[key if key in fields else next((name for name in alike if name in fields), key)] = value
    return found


def _writable(cls: type[Op]) -> bool:
    """Return whether an op can be written as text, has no state and reads something."""
    types = [str(f.type) for f in dataclasses.fields(cls)]
    return cls.arity != 0 and not issubclass(cls, Stateful) and not any(_is_object(t) for t in types)


def _is_object(hint: str) -> bool:
    return any(word in hint for word in ("Array", "Op", "Model", "Activation", "TimeFilter", "Recurrent"))


def _value(text: str) -> Any:
    """Return the value of an option of a layer's config: JSON, none, or a list ``2:2``."""
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    if ":" in text:
        return [_value(part) for part in text.split(":") if part]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_slot(key: str) -> bool:
    return key.endswith("activation")


def _functions(value: Any) -> tuple[str, ...]:
    """Return the names under which a user knows the function that a config has as activation."""
    return tuple(dict.fromkeys(_function_names(value)))


def _function_names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("class_name") in ("__lambda__", _FUNCTION):
            yield _FUNCTION
            return
        inner = value.get("config")
        for name in (value.get("registered_name"), inner if isinstance(inner, str) else value.get("class_name")):
            if isinstance(name, str) and name != "function":
                yield from _function_names(name)
    elif isinstance(value, str):
        yield value
        yield value.rpartition(">")[2]
