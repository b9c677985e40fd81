"""The frontend of models in memory: tf.keras 2, tf_keras and Keras 3, read but never called or changed.

A model is recognised by the modules of its classes, so that Keras is not imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from snnc.errors import FrontendError
from snnc.frontend.base import Frontend, Importer, ImportOptions, Role
from snnc.frontend.keras_config import LayerSpec, ModelSpec, parse_model
from snnc.frontend.keras_weights import (
    RolesOf,
    Seen,
    WeightSource,
    WeightTable,
    count_error,
    last_part,
    leaves,
    tail,
    weight,
)
from snnc.frontend.lost_tensors import written_down
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array

_ROOTS = ("keras", "tf_keras", "tensorflow")
_MODELS = ("Model", "Functional", "Sequential")
_SERIALIZATION = (
    *("keras.saving.legacy.serialization", "keras.src.saving.legacy.serialization"),
    *("tf_keras.src.saving.legacy.serialization", "keras.utils.generic_utils"),
)
"""Where Keras 2 keeps its handling of shared objects, by version."""


class KerasLiveFrontend(Frontend):
    """Reads a model in memory through ``get_config()`` and the values of its variables."""

    name: ClassVar[str] = "keras-live"

    def accepts(self, source: object) -> bool:
        return keras_package(source) is not None

    def load(self, source: object, importers: Mapping[str, Importer], options: ImportOptions) -> Graph:
        from snnc.frontend.keras_graph import build_graph

        model: Any = source
        package = keras_package(source)
        assert package is not None  # accepts() said so
        if not model.built:
            raise FrontendError(
                f"model {model.name!r} has no weights yet; give it an input shape, or call model.build(input_shape) or "
                "the model itself once"
            )
        spec = parse_model({"class_name": type(model).__name__, "config": _config(model)}, str(model.name))
        return build_graph(spec, LiveWeights(model), importers, _version(package), options, self.kinds.op)


def keras_package(source: object) -> str | None:
    """Return the package (``keras``, ``tf_keras``, ``tensorflow``) of whose models an object is one, or None."""
    for cls in type(source).__mro__:
        root = cls.__module__.split(".")[0]
        if cls.__name__ in _MODELS and root in _ROOTS:
            return root
    return None


def _version(package: str) -> tuple[int, ...]:
    from snnc.frontend.keras_archive import parse_version

    module: Any = sys.modules.get(package)
    return (2, 4, 0) if package == "tensorflow" else parse_version(str(getattr(module, "__version__", "2.0.0")))


def _config(model: Any) -> Any:
    try:
        with _each_layer_by_itself():
            return written_down(model.get_config(), model)
    except Exception as error:  # a layer's own code, or Keras about it
        if type(model).__name__ not in ("Functional", "Sequential"):
            return {}
        reason = " ".join(str(error).split())[:200]
        raise FrontendError(
            f"model {model.name!r}: a layer cannot say its config, write get_config: {reason}"
        ) from error


def _each_layer_by_itself() -> AbstractContextManager[Any]:
    """Return a context in which Keras 2 does not write the calls of a layer over those in another model."""
    for name in _SERIALIZATION:
        scope = getattr(sys.modules.get(name), "DisableSharedObjectScope", None)
        if scope is not None:
            context: AbstractContextManager[Any] = scope()
            return context
    return nullcontext()


class LiveWeights(WeightSource):
    """The variables of the layers of a model in memory."""

    def __init__(self, model: Any) -> None:
        """Read from a Keras model."""
        self._keras = model

    def read(self, model: ModelSpec, roles: RolesOf) -> WeightTable:
        table: WeightTable = {}
        self._model(model, self._keras, roles, table, {})
        return table

    def _model(self, spec: ModelSpec, model: Any, roles: RolesOf, table: WeightTable, seen: Seen) -> None:
        layers = {layer.name: layer for layer in model.layers}
        for layer in spec.layers:
            if any(roles(leaf) for leaf in leaves(layer)):
                self._layer(layer, layers[layer.name], roles, table, seen)

    def _layer(self, spec: LayerSpec, layer: Any, roles: RolesOf, table: WeightTable, seen: Seen) -> None:
        if spec.model is not None:
            self._model(spec.model, layer, roles, table, seen)
        elif spec.inner is not None:
            self._layer(spec.inner, layer.layer, roles, table, seen)
        elif roles(spec):
            if id(layer) not in seen:
                seen[id(layer)] = _values(spec, layer, roles(spec))
            table[spec] = seen[id(layer)]


def _values(spec: LayerSpec, layer: Any, roles: Sequence[Role]) -> Mapping[str, Array]:
    variables = list(layer.weights)
    if len(variables) != len(roles):
        raise count_error(spec, len(variables), len(roles))
    by_name = {tail(variable.name): variable for variable in variables}
    if set(by_name) == {last_part(role.name) for role in roles} and len(by_name) == len(roles):
        variables = [by_name[last_part(role.name)] for role in roles]
    return {role.name: weight(spec, role, _numpy(v)) for role, v in zip(roles, variables, strict=True)}


def _numpy(variable: Any) -> AnyArray:
    array = np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)
