"""The shapes of a model's inputs, from its config and from the user where the config leaves sizes open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from snnc.errors import FrontendError, UsageError, unknown
from snnc.frontend.keras_config import LayerSpec, ModelSpec, refs
from snnc.ir.types import Shape

Given: TypeAlias = Shape | Mapping[str, Shape] | None
_REMEDY = "say it with input_shape=... (--input-shape), without the batch"


def input_shapes(model: ModelSpec, given: Given) -> dict[str, Shape]:
    """Return the shape of each input, without the batch, in the order of the model.

    Raises:
        FrontendError: a size is open and not given.
        UsageError: the given shape contradicts the model.

    """
    layers = {spec.name: spec for spec in model.layers}
    names = list(dict.fromkeys(ref.layer for ref in refs(model.inputs)))
    for name in given if isinstance(given, Mapping) else ():
        if name not in names:
            raise UsageError(f"input_shape: {unknown('input', name, names)}")
    return {name: _shape(_input(layers.get(name), name), given, alone=len(names) == 1) for name in names}


def _input(spec: LayerSpec | None, name: str) -> LayerSpec:
    if spec is None or spec.class_name != "InputLayer":
        raise FrontendError(f"the model's input {name!r} is not an input layer; save the model again")
    if spec.config.get("ragged"):
        raise FrontendError(
            f"layer {name!r} (InputLayer): ragged inputs have no fixed shape; pad them and save the model"
        )
    return spec


def _shape(spec: LayerSpec, given: Given, *, alone: bool) -> Shape:
    stored = _stored(spec)
    wish = given.get(spec.name) if isinstance(given, Mapping) else given
    is_open = stored is None or None in stored
    if wish is None or (not alone and not is_open and not isinstance(given, Mapping)):
        if stored is None:
            raise FrontendError(f"layer {spec.name!r} (InputLayer): the model has no input shape; {_REMEDY}")
        if is_open:
            raise FrontendError(
                f"layer {spec.name!r} (InputLayer): its input_shape {_show(stored)} leaves sizes open; {_REMEDY}"
            )
        return tuple(n for n in stored if n is not None)
    shape = tuple(int(n) for n in wish)
    fits = stored is None or (
        len(stored) == len(shape) and all(n is None or n == m for n, m in zip(stored, shape, strict=True))
    )
    if not fits or any(n < 1 for n in shape):
        raise UsageError(
            f"input_shape {shape} does not fit layer {spec.name!r}, whose shape is {_show(stored or ())} without the "
            "batch; for several inputs give a shape by input name"
        )
    return shape


def _stored(spec: LayerSpec) -> tuple[int | None, ...] | None:
    value: Any = spec.config.get("batch_shape") or spec.config.get("batch_input_shape")
    if value is None:
        return None
    if not isinstance(value, Sequence) or not all(n is None or (isinstance(n, int) and n > 0) for n in value[1:]):
        raise FrontendError(f"layer {spec.name!r} (InputLayer): its input shape {value!r} cannot be read")
    return tuple(value[1:])


def _show(shape: Sequence[int | None]) -> str:
    return f"({', '.join(str(n) for n in shape)})"
