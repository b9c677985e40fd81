"""Layers over sequences: embeddings, masks and recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error, stream_error
from snnc.frontend.keras_layers.activation import named
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.layout import add_last, add_scaled
from snnc.ops.causal import Cell
from snnc.ops.combine import Multiply
from snnc.ops.functions import NotEqual
from snnc.ops.recurrent import Gru, Lstm, Recurrent, SimpleRnn
from snnc.ops.reduce import Max
from snnc.ops.resample import Embedding, reverse


@importer("keras", "Embedding", ("embeddings",), slicewise=True)
def embedding(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Look up the row of a table for each index; index 0 is masked if asked."""
    op = Embedding(table=layer.weight("embeddings", (count(layer, "input_dim"), count(layer, "output_dim"))))
    output = builder.add(op, *inputs)
    if layer.config.get("mask_zero"):
        builder.masks[output] = builder.add(NotEqual(value=0.0), *inputs, step="mask")
    return output


@importer("keras", "Masking", slicewise=True)
def masking(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Mask the steps whose features all have one value: they become zero and later layers leave them out."""
    shape = builder.type(inputs[0]).shape
    differs = builder.add(NotEqual(value=float(layer.config.get("mask_value", 0.0))), *inputs, step="differs")
    keep = builder.add(Max(axes=(len(shape) - 1,), keepdims=True), differs, step="keep")
    output = builder.add(Multiply(), inputs[0], keep)
    builder.masks[output] = builder.add(ops.Reshape(shape=shape[:-1]), keep, step="mask")
    return output


_RECURRENT: dict[str, type[Recurrent]] = {"SimpleRNN": SimpleRnn, "LSTM": Lstm, "GRU": Gru}


def _recurrent_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    names = ("kernel", "recurrent_kernel", *(("bias",) if config.get("use_bias", True) else ()))
    return tuple(Role(name, group="cell") for name in names)


def _recurrent(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Run over a whole sequence, with masks and initial states, from either end."""
    outputs = []
    for gives, step in _returns(layer):
        op = _op(layer, inputs, builder, gives, layer.config, layer.class_name, "")
        outputs.append(builder.add(op, *_sources(inputs, builder), step=step))
    _hand_on_mask(layer, inputs[0], outputs[0], builder)
    return outputs


def _returns(layer: Layer) -> list[tuple[str, str]]:
    """Return each output of a layer with the name of its step: the first is the layer's own."""
    returns = ["sequence" if layer.config.get("return_sequences") else "last"]
    if layer.config.get("return_state"):
        returns += ["state", "cell"] if layer.class_name == "LSTM" else ["state"]
    return [(gives, "" if k == 0 else gives) for k, gives in enumerate(returns)]


def _hand_on_mask(layer: Layer, source: str, output: str, builder: Builder) -> None:
    if layer.config.get("return_sequences") and source in builder.masks:
        builder.masks[output] = builder.masks[source]


def _recurrent_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Take one step of the recurrence a slice, with masks; the output at each step or at the last."""
    if layer.config.get("go_backwards") or len(inputs) > 1:
        reason = "it begins with states from outside" if len(inputs) > 1 else "it reads the sequence from its end"
        raise stream_error(layer, reason)
    outputs = []
    for gives, step in _returns(layer):
        cell = Cell(op=_op(layer, inputs, builder, gives, layer.config, layer.class_name, ""))
        if gives == "sequence":
            outputs.append(builder.add(cell, *_sources(inputs, builder), step=step))
        else:
            outputs.append(add_last(builder, cell, *_sources(inputs, builder), step=step))
    _hand_on_mask(layer, inputs[0], outputs[0], builder)
    return outputs


ALIKE = [
    importer("keras", name, _recurrent_roles, limits="stateful, time_major", temporal=_recurrent_in_time)(_recurrent)
    for name in _RECURRENT
]
"""Recurrent layers over a whole sequence, with masks and initial states; the output at each step or at the last."""


def _sources(inputs: Sequence[str], builder: Builder) -> list[str]:
    """Return what a recurrent op reads: the sequence, its mask if it has one, and initial states, if any."""
    first, *states = inputs
    return [first, *([builder.masks[first]] if first in builder.masks else []), *states]


def _op(
    layer: Layer, inputs: Sequence[str], builder: Builder, gives: str, config: Mapping[str, Any], kind: str, prefix: str
) -> Recurrent:
    """Return the op of one recurrent layer.

    Args:
        layer: the layer that owns the weights.
        inputs: the sequence and initial states, if any.
        builder: of the graph.
        gives: which output is wanted.
        config: of the recurrent layer, which may stand inside another.
        kind: the class of the recurrent layer.
        prefix: of the weights' names.

    """
    _refuse(layer, config)
    features, units = builder.type(inputs[0]).shape[-1], count(replace(layer, config=config), "units")
    cls = _RECURRENT[kind]
    wide = cls.gates * units
    # files of Keras 2.0 do not say, and know the older form only
    reset_after = kind == "GRU" and bool(config.get("reset_after", False))
    bias_shape = (2, wide) if reset_after else (wide,)
    use_bias = config.get("use_bias", True)
    fields: dict[str, Any] = {"reset_after": reset_after} if kind == "GRU" else {}
    if kind != "SimpleRNN":
        fields["gate"] = named(layer, config.get("recurrent_activation", "hard_sigmoid"))
    return cls(
        kernel=layer.weight(f"{prefix}kernel", (features, wide)),
        recurrent=layer.weight(f"{prefix}recurrent_kernel", (units, wide)),
        bias=layer.weight(f"{prefix}bias", bias_shape) if use_bias else layer.zeros(*bias_shape),
        activation=named(layer, config.get("activation", "tanh")),
        gives=gives,
        backwards=bool(config.get("go_backwards")),
        masked=inputs[0] in builder.masks,
        zero_masked=bool(config.get("zero_output_for_mask")),
        states=len(inputs) - 1,
        **fields,
    )


def _refuse(layer: Layer, config: Mapping[str, Any]) -> None:
    if config.get("stateful"):
        raise layer_error(layer, "it is stateful: each batch would begin where the last one ended; set stateful=False")
    if config.get("time_major"):
        raise layer_error(layer, "its inputs are time-major; put a Permute layer before it and set time_major=False")


def _parts(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the documents of the forward and the backward layer."""
    forward = config["layer"]
    backward = config.get("backward_layer")
    if backward is None:
        turned = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = {**forward, "config": turned}
    return forward, backward


def _bidirectional_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return tuple(
        Role(f"{name}/{role.name}", group=f"{name}_layer/{role.group}")
        for name, part in zip(("forward", "backward"), _parts(config), strict=True)
        for role in _recurrent_roles(part["config"])
    )


def _bidirectional_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Refused: it reads the sequence from its end too."""
    raise stream_error(layer, "it reads the sequence from its end too")


@importer(
    "keras",
    "Bidirectional",
    _bidirectional_roles,
    limits="other layers inside, return_state, initial states",
    temporal=_bidirectional_in_time,
)
def bidirectional(layer: Layer, inputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    """Run a recurrent layer in both directions, the outputs joined, added, multiplied, averaged or kept apart."""
    outputs = []
    for name, part in zip(("forward", "backward"), _parts(layer.config), strict=True):
        config = part["config"]
        # Keras says so whatever the config says
        config = {**config, "zero_output_for_mask": bool(config.get("return_sequences"))}
        if part.get("class_name") not in _RECURRENT or config.get("return_state") or len(inputs) > 1:
            raise layer_error(layer, f"a {part.get('class_name')} with states cannot be imported in both directions")
        gives = "sequence" if config.get("return_sequences") else "last"
        op = _op(layer, inputs, builder, gives, config, part["class_name"], f"{name}/")
        out = builder.add(op, *_sources(inputs, builder), step=name)
        if name == "backward" and gives == "sequence":
            out = builder.add(reverse(builder.type(out).shape, 0), out, step="backward.reversed")
        outputs.append(out)
    output = _merged(layer, outputs, builder)
    if gives == "sequence" and inputs[0] in builder.masks and isinstance(output, str):
        builder.masks[output] = builder.masks[inputs[0]]
    return output


def _merged(layer: Layer, outputs: Sequence[str], builder: Builder) -> str | Sequence[str]:
    mode = layer.config.get("merge_mode", "concat")
    match mode:
        case None:
            return outputs
        case "concat":
            return builder.add(ops.Concatenate(axis=-1), *outputs)
        case "sum":
            return builder.add(ops.Add(), *outputs)
        case "mul":
            return builder.add(Multiply(), *outputs)
        case "ave":
            total = builder.add(ops.Add(), *outputs, step="sum")
            return add_scaled(layer, total, builder, 0.5)
    raise layer_error(layer, f"its merge_mode {mode!r} is unknown")
