"""Recurrent layers: cells over a sequence, one or several, from either end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, ImportFunction, Layer, Role, Roles, importer, layer_error, stream_error
from snnc.frontend.keras_layers.activation import named
from snnc.frontend.keras_layers.conv import padding
from snnc.frontend.keras_layers.dense import count
from snnc.frontend.keras_layers.layout import add_last, sizes
from snnc.ir.types import Array, Shape
from snnc.ops.causal import Cell
from snnc.ops.conv_lstm import ConvLstm
from snnc.ops.recurrent import Gru, Lstm, Recurrent, SimpleRnn
from snnc.ops.resample import reverse

_CONV = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
_CUDNN = ("CuDNNGRU", "CuDNNLSTM")
_OPS: Mapping[str, type[Recurrent]] = {
    "SimpleRNN": SimpleRnn,
    "LSTM": Lstm,
    "GRU": Gru,
    "CuDNNGRU": Gru,
    "CuDNNLSTM": Lstm,
    **dict.fromkeys(_CONV, ConvLstm),
}
CELLS = {"SimpleRNNCell": "SimpleRNN", "LSTMCell": "LSTM", "GRUCell": "GRU"}
"""The cells that RNN takes, by the layers that do the same."""
LIMITS = "stateful, time_major"


@dataclass(frozen=True)
class Unit:
    """One cell of a recurrent layer."""

    kind: str
    """The layer that does the same, or the class of an unknown cell."""
    config: Mapping[str, Any]
    prefix: str
    """Of its weights' names."""
    group: str
    """Where Keras 3 files have them."""

    @property
    def memories(self) -> int:
        """Return the number of its states."""
        return _OPS[self.kind].memories

    def roles(self) -> list[Role]:
        """Return its weights."""
        names = ("kernel", "recurrent_kernel", *(("bias",) if self.config.get("use_bias", True) else ()))
        return [Role(f"{self.prefix}{name}", group=self.group) for name in names] if self.kind in _OPS else []


def class_of(document: Mapping[str, Any]) -> str:
    """Return the class of a layer's document, by its registered name if it is one of the user's own."""
    registered = str(document.get("registered_name") or "")
    return registered if ">" in registered else str(document.get("class_name"))


def units_of(kind: str, config: Mapping[str, Any], prefix: str = "", group: str = "") -> list[Unit]:
    """Return the cells of a recurrent layer; the prefix and the group are those of the layer."""
    place = f"{group}cell"
    if kind != "RNN":
        return [Unit(kind, config, prefix, f"{group}" if kind in _CUDNN else place)]
    cell = config["cell"]
    if class_of(cell) != "StackedRNNCells":
        return [Unit(CELLS.get(class_of(cell), class_of(cell)), cell["config"], prefix, place)]
    found: list[Unit] = []
    counts: dict[str, int] = {}
    for k, inner in enumerate(cell["config"]["cells"]):
        name = class_of(inner)
        same = counts.get(name, 0)
        counts[name] = same + 1
        own = f"{place}/cells/{_FILED.get(name, name)}{f'_{same}' if same else ''}"
        found.append(Unit(CELLS.get(name, name), inner["config"], f"{prefix}{k}/", own))
    return found


_FILED = {"SimpleRNNCell": "simple_rnn_cell", "LSTMCell": "lstm_cell", "GRUCell": "gru_cell"}
"""The names of cells in Keras 3 files."""


@dataclass(frozen=True)
class Part:
    """A recurrent layer, or one direction of a bidirectional one."""

    config: Mapping[str, Any]
    units: list[Unit]
    name: str = ""
    """Of the nodes behind the layer's; empty for a layer by itself."""

    def asks(self, key: str) -> bool:
        """Return a switch of the layer's config."""
        return bool(self.config.get(key))

    @property
    def states(self) -> int:
        """Return how many states the layer has."""
        return sum(unit.memories for unit in self.units)

    def in_order(self) -> list[int]:
        """Return the cells in the order in which the layer lists their states."""
        cell = self.config.get("cell")
        turned = isinstance(cell, Mapping) and cell["config"].get("reverse_state_order")
        order = list(range(len(self.units)))
        return order[::-1] if turned else order


def part_of(layer: Layer, kind: str, config: Mapping[str, Any], name: str = "") -> Part:
    """Return a recurrent layer; raise FrontendError for what cannot be imported."""
    if config.get("stateful"):
        raise layer_error(layer, "it is stateful: each batch would begin where the last one ended; set stateful=False")
    if config.get("time_major"):
        raise layer_error(layer, "its inputs are time-major; put a Permute layer before it and set time_major=False")
    if config.get("num_constants"):
        raise layer_error(layer, "its cell reads constants beside the sequence, which cannot be imported")
    units = units_of(kind, config, f"{name}/" if name else "")
    for unit in units:
        if unit.kind not in _OPS:
            known = ", ".join((*_OPS, *CELLS))
            raise layer_error(layer, f"{unit.kind!r} inside of it cannot be imported; known: {known}")
    return Part(config, units, name)


def run(layer: Layer, part: Part, inputs: Sequence[str], builder: Builder) -> list[str]:
    """Add a recurrent layer; return its output, and its states if it gives them."""
    source, *initial = inputs
    if len(initial) not in (0, part.states):
        raise layer_error(layer, f"it has {part.states} state(s) and is called with {len(initial)}")
    # Keras 3 hands a mask only to layers that are called with one tensor, or that are given it by name
    told = not initial or layer.keras < (3,) or "mask" in layer.call
    mask = builder.masks.get(source) if told else None
    first = part.config.get("data_format") == "channels_first" and part.units[0].kind in _CONV
    x = _moved(builder, source, not layer.temporal, "channels-last") if first else source
    given: dict[int, list[str]] = {}
    for k in part.in_order():
        given[k], initial = initial[: part.units[k].memories], initial[part.units[k].memories :]
        if first:
            given[k] = [_moved(builder, s, 0, "state.channels-last") for s in given[k]]
    output, states = x, {}
    for k, unit in enumerate(part.units):
        last = k == len(part.units) - 1
        backwards = part.asks("go_backwards") and not k
        step = _step(part.name, "" if last else f"cell{k}")
        if k == 1 and mask is not None and part.asks("go_backwards"):
            mask = builder.add(reverse(builder.type(mask).shape, 0), mask, step=_step(part.name, "mask.reversed"))
        op = _op(layer, part, unit, builder.type(x).shape, backwards, mask is not None, len(given[k]))
        sources = [x, *([] if mask is None else [mask]), *given[k]]
        gives = "sequence" if part.asks("return_sequences") or not last else "last"
        output = _add(layer, builder, replace(op, gives=gives), sources, step, first)
        if part.asks("return_state"):
            names = ("state", "cell")[: unit.memories]
            states[k] = [_add(layer, builder, replace(op, gives=g), sources, _step(step, g), first) for g in names]
        x = output
    if part.asks("return_sequences") and source in builder.masks:
        builder.masks[output] = builder.masks[source]
    return [output, *(name for k in part.in_order() for name in states.get(k, ()))]


def _step(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _add(layer: Layer, builder: Builder, op: Recurrent, sources: Sequence[str], step: str, channels_first: bool) -> str:
    """Add one output of a cell over the sequence; in a temporal model one step of it, or what the last one gives."""
    inner = _step(step, "conv") if channels_first else step
    if not layer.temporal:
        output = builder.add(op, *sources, step=inner)
    elif op.gives == "sequence":
        output = builder.add(Cell(op=op), *sources, step=inner)
    else:
        output = add_last(builder, Cell(op=op), *sources, step=inner)
    if not channels_first:
        return output
    lead = int(op.gives == "sequence" and not layer.temporal)
    rank = len(builder.type(output).shape)
    return builder.add(ops.Permute(order=(*range(lead), rank - 1, *range(lead, rank - 1))), output, step=step)


def _moved(builder: Builder, source: str, lead: int, step: str) -> str:
    """Return a tensor with the axis behind the first ``lead`` ones put last."""
    rank = len(builder.type(source).shape)
    return builder.add(ops.Permute(order=(*range(lead), *range(lead + 1, rank), lead)), source, step=step)


def _op(layer: Layer, part: Part, unit: Unit, shape: Shape, backwards: bool, masked: bool, states: int) -> Recurrent:
    """Return the op of one cell.

    Args:
        layer: the layer that owns the weights.
        part: the recurrent layer, which may stand inside another.
        unit: the cell.
        shape: of what it reads.
        backwards: whether it reads the sequence from its end.
        masked: whether a mask says which steps count.
        states: how many states it begins with.

    """
    cell, kind = replace(layer, config=unit.config), unit.kind
    # Keras 2 leaves zero_output_for_mask out of account in convolutional layers
    zeros = part.asks("zero_output_for_mask") and not (kind in _CONV and layer.keras < (3,))
    fields: dict[str, Any] = {"backwards": backwards, "masked": masked, "states": states, "zero_masked": zeros}
    fields["activation"] = named(layer, unit.config.get("activation", "tanh"))
    if kind != "SimpleRNN":
        default = "sigmoid" if kind in _CUDNN else "hard_sigmoid"
        fields["gate"] = named(layer, unit.config.get("recurrent_activation", default))
    if kind in _CONV:
        rank, filters = int(kind[-2]), count(cell, "filters")
        size = sizes(cell, "kernel_size", rank)
        fields |= {"strides": sizes(cell, "strides", rank, 1), "dilation": sizes(cell, "dilation_rate", rank, 1)}
        fields |= {"padding": padding(cell, size, fields["dilation"])}
        return ConvLstm(**_weights(layer, unit, (*size, shape[-1]), (*size, filters), (4 * filters,)), **fields)
    cls, n = _OPS[kind], count(cell, "units")
    if kind in _CUDNN:
        weights = _weights(layer, unit, (shape[-1],), (n,), (2 * cls.gates * n,))
        turned = _transposed(layer, unit)
        fields |= {key: _of_cudnn(layer, unit, key, array, n, turned=turned) for key, array in weights.items()}
        return cls(**fields)
    if kind == "GRU":
        # files of Keras 2.0 do not say, and know the older form only
        fields["reset_after"] = bool(unit.config.get("reset_after", False))
    bias = (2, cls.gates * n) if fields.get("reset_after") else (cls.gates * n,)
    return cls(**_weights(layer, unit, (shape[-1],), (n,), bias), **fields)


def _weights(layer: Layer, unit: Unit, inputs: Shape, states: Shape, bias: Shape) -> dict[str, Any]:
    """Return the arrays of a cell, given the shapes of its kernels without the gates, and that of its bias."""
    wide, prefix = _OPS[unit.kind].gates * states[-1], unit.prefix
    return {
        "kernel": layer.weight(f"{prefix}kernel", (*inputs, wide)),
        "recurrent": layer.weight(f"{prefix}recurrent_kernel", (*states, wide)),
        "bias": layer.weight(f"{prefix}bias", bias) if unit.config.get("use_bias", True) else layer.zeros(*bias),
    }


def _of_cudnn(layer: Layer, unit: Unit, key: str, array: Array, n: int, *, turned: bool) -> Array:
    """Return an array of a CuDNN layer as other layers have it: its biases come twice, and its gates may be turned."""

    def make() -> Array:
        if key == "bias":
            pair = array.reshape(2, -1)
            return pair if unit.kind == "CuDNNGRU" else pair.sum(axis=0)
        return np.hstack([gate.reshape(n, -1).T for gate in np.hsplit(array, _OPS[unit.kind].gates)])

    return layer.once(f"{unit.prefix}{key}", make) if key == "bias" or turned else array


def _transposed(layer: Layer, unit: Unit) -> bool:
    """Return whether the gates' matrices are in the order of cuDNN; a file does not say, so that the user may."""
    if "transposed" not in unit.config and "transposed" not in layer.made:
        layer.made["transposed"] = layer.zeros()  # say it once
        logging.getLogger("snnc").warning(
            "layer %r (%s): its kernels are taken to be in the order of other layers; if a GPU trained it, where cuDNN "
            "has its own, say so with --replace '%s=%s{transposed=true}' (replace=...)",
            *(layer.name, unit.kind, layer.name, unit.kind),
        )
    return bool(unit.config.get("transposed"))


def _roles_of(kind: str) -> Roles:
    return lambda config: [role for unit in units_of(kind, config) for role in unit.roles()]


def _recurrent(layer: Layer, inputs: Sequence[str], builder: Builder) -> Sequence[str]:
    """Run over a whole sequence, with masks and initial states, from either end."""
    return run(layer, part_of(layer, layer.class_name, layer.config), inputs, builder)


def _cells(layer: Layer, inputs: Sequence[str], builder: Builder) -> Sequence[str]:
    """Run an LSTMCell, a GRUCell, a SimpleRNNCell or a stack of them over a whole sequence."""
    return _recurrent(layer, inputs, builder)


def _convolutional(layer: Layer, inputs: Sequence[str], builder: Builder) -> Sequence[str]:
    """Run an LSTM whose products are convolutions over a sequence of images, in both layouts."""
    return _recurrent(layer, inputs, builder)


def _in_time(layer: Layer, inputs: Sequence[str], builder: Builder) -> Sequence[str]:
    """Take one step of the recurrence a slice, with masks; the output at each step or at the last."""
    if layer.config.get("go_backwards") or len(inputs) > 1:
        reason = "it begins with states from outside" if len(inputs) > 1 else "it reads the sequence from its end"
        raise stream_error(layer, reason)
    return _recurrent(layer, inputs, builder)


_FUNCTIONS: Mapping[str, ImportFunction] = {"RNN": _cells, **dict.fromkeys(_CONV, _convolutional)}
ALIKE = [
    importer(
        "keras",
        name,
        _roles_of(name),
        limits=f"cells of your own, constants, {LIMITS}" if name == "RNN" else LIMITS,
        temporal=_in_time,
    )(_FUNCTIONS.get(name, _recurrent))
    for name in (*_OPS, "RNN")
]
"""Recurrent layers over a whole sequence, with masks and initial states; the output at each step or at the last."""
