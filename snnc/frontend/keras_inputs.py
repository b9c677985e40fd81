"""The inputs of a model, from its config and from the user where the config leaves sizes open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from snnc.errors import FrontendError, UsageError, unknown
from snnc.frontend.keras_config import LayerSpec, ModelSpec, named_refs
from snnc.frontend.keras_weights import leaves
from snnc.ir.types import Shape
from snnc.ops.layers import Input

Given: TypeAlias = Shape | Mapping[str, Shape] | None
_REMEDY = "say it with input_shape=... (--input-shape), without the batch"
DT = 0.001
"""Seconds a slice, where the model does not say."""


@dataclass(frozen=True)
class ModelInput:
    """One input of a model."""

    layer: str
    """The name of its layer."""
    op: Input


def model_inputs(model: ModelSpec, given: Given, *, temporal: bool) -> dict[str, ModelInput]:
    """Return each input in the order of the model, by the key that a dict of inputs has, or by the layer's name.

    A key that begins with the name of another layer is none: nodes of that layer have such names.

    Args:
        model: whose inputs they are.
        given: shapes without the batch where the model leaves sizes open; of a slice if ``temporal``.
        temporal: whether axis 1 is time, which the shape of an input leaves out.

    Raises:
        FrontendError: a size is open and not given.
        UsageError: the given shape contradicts the model.

    """
    layers = {spec.name: spec for spec in model.layers}
    named: dict[str, str] = {}
    for key, ref in named_refs(model.inputs):
        if ref.layer not in named.values():
            taken = key in named or (key != ref.layer and re.split("[/.]", key)[0] in layers)
            named[ref.layer if taken or not key or not key.isprintable() else key] = ref.layer
    names = list(named)
    for name in given if isinstance(given, Mapping) else ():
        if name not in names:
            raise UsageError(f"input_shape: {unknown('input', name, names)}")
    inputs, dt = dict[str, ModelInput](), slice_seconds(model) if temporal else None
    for name in names:
        spec = _input(layers.get(named[name]), named[name])
        stored, length = _stored(spec), None
        if temporal and stored is not None:
            if not stored:
                raise FrontendError(f"layer {name!r} (InputLayer): it has no time axis; compile without --temporal")
            length, *rest = stored
            stored = tuple(rest)
        wish = given.get(name) if isinstance(given, Mapping) else given
        shape = _shape(spec, stored, wish, each=isinstance(given, Mapping) or len(names) == 1)
        inputs[name] = ModelInput(spec.name, Input(shape=shape, dt=dt, length=length))
    lengths = {name: each.op.length for name, each in inputs.items() if each.op.length is not None}
    if len(set(lengths.values())) > 1:
        raise FrontendError(
            f"the inputs have different numbers of steps ({', '.join(f'{k}: {n}' for k, n in lengths.items())}), and "
            "one slice of each is presented a step; compile without --temporal"
        )
    return inputs


def slice_seconds(model: ModelSpec) -> float:
    """Return how long a slice of a temporal model is: the dt of its keras-spiking layers, by default 1 ms."""
    for classes in (("SpikingActivation",), ("Lowpass", "Alpha")):
        named = [leaf for layer in model.layers for leaf in leaves(layer) if leaf.class_name in classes]
        found = {leaf.name: float(leaf.config.get("dt") or DT) for leaf in named}
        if len(set(found.values())) > 1 and "SpikingActivation" in classes:
            raise FrontendError(
                f"the spiking layers have different dt ({', '.join(f'{k}: {v:g} s' for k, v in found.items())}); one "
                "network has one step, so train the model with one dt"
            )
        if found:
            return next(iter(found.values()))
    return DT


def _input(spec: LayerSpec | None, name: str) -> LayerSpec:
    if spec is None or spec.class_name != "InputLayer":
        raise FrontendError(f"the model's input {name!r} is not an input layer; save the model again")
    if spec.config.get("ragged"):
        raise FrontendError(
            f"layer {name!r} (InputLayer): ragged inputs have no fixed shape; pad them and save the model"
        )
    return spec


def _shape(spec: LayerSpec, stored: tuple[int | None, ...] | None, wish: Shape | None, *, each: bool) -> Shape:
    """Return the shape of an input; a wish that is not of ``each`` alone is for those that are open."""
    is_open = stored is None or None in stored
    if wish is None or (not each and not is_open):
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
            "batch, and with --temporal without time; for several inputs give a shape by input name"
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
