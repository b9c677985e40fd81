"""The layers of the package keras-spiking."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, Role, importer, layer_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.frontend.keras_layers.layout import add_last
from snnc.ir.op import Op
from snnc.ir.types import Shape, TensorType
from snnc.ops.causal import Filter
from snnc.ops.recurrent import TimeFilter
from snnc.ops.resample import crop

_FILTER = (Role("initial_level", group="layer/cell"), Role("tau", group="layer/cell"))


def _last_step(layer: Layer, builder: Builder, op: Op, source: str) -> str:
    """Add an op on a sequence; the layer gives all steps, or the last one only."""
    if layer.config.get("time_major") or layer.config.get("stateful") or layer.config.get("return_state"):
        raise layer_error(layer, "time_major, stateful and return_state cannot be imported; set them to False")
    if layer.config.get("return_sequences", True):
        return builder.add(op, source)
    if layer.temporal:
        return add_last(builder, op, source)
    out = builder.add(op, source, step=op.kind)
    steps, *shape = builder.type(out).shape
    last = builder.add(crop((steps, *shape), ((steps - 1, 0), *((0, 0) for _ in shape))), out, step="last")
    return builder.add(ops.Reshape(shape=tuple(shape)), last)


_LIMITS = "time_major, stateful, return_state"


def _spiking_in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply the activation to each slice; the neurons fire as the layer's do."""
    op = config_activation(layer) or ops.Identity()
    if isinstance(op, (ops.Tanh, ops.Sigmoid)):  # they do not spike elsewhere, where nobody says so
        op = ops.SpikingActivation(activation=op)
    return _last_step(layer, builder, op, inputs[0])


@importer("keras", "SpikingActivation", temporal=_spiking_in_time, limits=_LIMITS)
def spiking_activation(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Apply the activation whose rates its spikes have; passes put the spiking neurons in."""
    return _last_step(layer, builder, config_activation(layer) or ops.Identity(), inputs[0])


def _filter(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Filter over time, exactly for inputs that are constant during a step."""
    whole = builder.type(inputs[0]).shape
    shape: Shape = whole if layer.temporal else whole[1:]
    order = 1 if layer.class_name == "Lowpass" else 2
    stored = (1, *shape) if order == 1 else (TensorType(shape).size,)
    tau, initial = layer.weight("tau", stored), layer.weight("initial_level", stored)
    op = TimeFilter(
        tau=layer.once("tau", lambda: tau.reshape(shape)),
        initial=layer.once("initial", lambda: initial.reshape(shape)),
        dt=float(layer.config.get("dt") or 0.001),
        order=order,
    )
    return _last_step(layer, builder, Filter(op=op) if layer.temporal else op, inputs[0])


ALIKE = [
    importer("keras", name, lambda _: _FILTER, limits=_LIMITS, slicewise=True)(_filter) for name in ("Lowpass", "Alpha")
]
"""Filters over time, exact for inputs that are constant during a step."""
