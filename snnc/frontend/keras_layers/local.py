"""Convolutions whose kernels differ from place to place: a sparse map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer, layer_error
from snnc.frontend.keras_layers.activation import config_activation
from snnc.frontend.keras_layers.conv import padding
from snnc.frontend.keras_layers.dense import count, kernel_and_bias
from snnc.frontend.keras_layers.layout import channels, channels_first, sizes, spatial_rank
from snnc.ir.types import AnyArray, Shape


def _locally_connected(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Convolve with kernels of their own at each place, in the three layouts of weights that Keras 2 has."""
    rank, shape, filters = spatial_rank(layer), builder.type(inputs[0]).shape, count(layer, "filters")
    first, depth = channels_first(layer), channels(layer, inputs[0], builder)
    space = shape[1:] if first else shape[:-1]
    size, strides, ones = sizes(layer, "kernel_size", rank), sizes(layer, "strides", rank, 1), (1,) * rank
    same = padding(layer, size, ones) == "same"
    # Keras puts the middle of a kernel on each place here, where TensorFlow may pad less in front
    before = tuple(k // 2 for k in size) if same else (0,) * rank
    out = tuple(-(-n // s) if same else (n - k) // s + 1 for n, s, k in zip(space, strides, size, strict=True))
    # every (place, tap, channel, filter), in the layout of the layer
    places = np.stack(np.meshgrid(*map(np.arange, (*out, *size)), indexing="ij")).reshape(2 * rank, -1)
    where = places[:rank] * np.array(strides)[:, None] + places[rank:] - np.array(before)[:, None]
    inside = ((where >= 0) & (where < np.array(space)[:, None])).all(axis=0)
    to, tap = (np.ravel_multi_index(tuple(p[:, inside]), n) for p, n in ((places[:rank], out), (places[rank:], size)))
    come = np.ravel_multi_index(tuple(where[:, inside]), space)
    c, f = (a.ravel() for a in np.meshgrid(np.arange(depth), np.arange(filters), indexing="ij"))
    to, tap, come = (np.repeat(a, depth * filters) for a in (to, tap, come))
    c, f = (np.tile(a, len(to) // (depth * filters)) for a in (c, f))
    rows = f * math.prod(out) + to if first else to * filters + f
    columns = c * math.prod(space) + come if first else come * depth + c
    taps = c * math.prod(size) + tap if first else tap * depth + c
    given: Shape = (filters, *out) if first else (*out, filters)
    values = _values(
        layer, shape, given, (math.prod(out), math.prod(size) * depth, filters), (to, taps, f), rows, columns
    )
    y = builder.add(ops.SparseMap(rows=rows, columns=columns, values=values, shape=given), inputs[0], step="weights")
    activation = config_activation(layer)
    if layer.config.get("use_bias", True):
        bias = layer.weight("bias", (*out, filters))
        shift = ops.Shift(shift=layer.once("bias", lambda: bias.reshape(given)))
        y = builder.add(shift, y, step="" if activation is None else "bias")
    elif activation is None:
        y = builder.add(ops.Identity(), y)
    return y if activation is None else builder.add(activation, y)


def _values(
    layer: Layer,
    shape: Shape,
    given: Shape,
    by_place: Shape,
    index: tuple[AnyArray, ...],
    rows: AnyArray,
    columns: AnyArray,
) -> AnyArray:
    """Return the weight of each connection, by the implementation that says how the layer keeps them."""
    implementation = layer.config.get("implementation", 1)
    if implementation == 1:
        return np.asarray(layer.weight("kernel", by_place)[index])
    if implementation == 2:
        dense = layer.weight("kernel", (*shape, *given)).reshape(math.prod(shape), -1)
        return np.asarray(dense[columns, rows])
    if implementation == 3:
        values = np.empty(len(rows), dtype=np.float32)
        values[np.lexsort((columns, rows))] = layer.weight("kernel", (len(rows),))
        return values
    raise layer_error(layer, f"its implementation {implementation!r} is unknown; it must be 1, 2 or 3")


ALIKE = [importer("keras", f"LocallyConnected{rank}D", kernel_and_bias)(_locally_connected) for rank in (1, 2)]
"""Locally connected layers."""
