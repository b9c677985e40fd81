"""Recurrent layers that read a sequence from both ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error, stream_error
from snnc.frontend.keras_layers.layout import add_scaled
from snnc.frontend.keras_layers.recurrent import LIMITS, class_of, part_of, run, units_of
from snnc.ops.combine import Multiply
from snnc.ops.resample import reverse


def _directions(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the name, the class and the config of the forward and the backward layer."""
    forward = config["layer"]
    yield "forward", class_of(forward), forward["config"]
    backward = config.get("backward_layer")
    if backward is None:
        turned = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = {**forward, "config": turned}
    yield "backward", class_of(backward), backward["config"]


def _bidirectional_roles(config: Mapping[str, Any]) -> Sequence[Role]:
    return [
        role
        for name, kind, inner in _directions(config)
        for unit in units_of(kind, inner, f"{name}/", f"{name}_layer/")
        for role in unit.roles()
    ]


def _bidirectional_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Refused: it reads the sequence from its end too."""
    raise stream_error(layer, "it reads the sequence from its end too")


@importer(
    "keras",
    "Bidirectional",
    _bidirectional_roles,
    limits=f"layers that are not recurrent, {LIMITS}",
    temporal=_bidirectional_in_time,
)
def bidirectional(layer: Layer, inputs: Sequence[str], builder: Builder) -> Sequence[str]:
    """Run a recurrent layer in both directions, the outputs joined, added, multiplied, averaged or kept apart."""
    source, *initial = inputs
    half = len(initial) // 2
    outputs, states = [], []
    for (name, kind, inner), begin in zip(_directions(layer.config), (initial[:half], initial[half:]), strict=True):
        # Keras says so whatever the config says
        config = {**inner, "zero_output_for_mask": bool(inner.get("return_sequences"))}
        output, *after = run(layer, part_of(layer, kind, config, name), [source, *begin], builder)
        if name == "backward" and config.get("return_sequences"):
            output = builder.add(reverse(builder.type(output).shape, 0), output, step="backward.reversed")
        outputs.append(output)
        states += after
    merged = _merged(layer, outputs, builder)
    if config.get("return_sequences") and source in builder.masks:
        builder.masks.update(dict.fromkeys(merged, builder.masks[source]))
    return [*merged, *states]


def _merged(layer: Layer, outputs: Sequence[str], builder: Builder) -> Sequence[str]:
    mode = layer.config.get("merge_mode", "concat")
    match mode:
        case None:
            return outputs
        case "concat":
            return [builder.add(ops.Concatenate(axis=-1), *outputs)]
        case "sum":
            return [builder.add(ops.Add(), *outputs)]
        case "mul":
            return [builder.add(Multiply(), *outputs)]
        case "ave":
            total = builder.add(ops.Add(), *outputs, step="sum")
            return [add_scaled(layer, total, builder, 0.5)]
    raise layer_error(layer, f"its merge_mode {mode!r} is unknown")
