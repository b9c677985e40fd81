"""How Nengo builds each built-in op; ``site.py`` says what a lowering is given and may do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snnc.api import AnyArray, Neurons, Op, Shape, Synapse, initial_state, lowering, ops
from snnc_nengo import geometry
from snnc_nengo.layout import LAYOUT
from snnc_nengo.site import Lowered, Site
from snnc_nengo.transforms import Convolution, Matrix, Scale


@lowering("nengo", ops.Dense)
def dense(op: ops.Dense, site: Site) -> Lowered:
    """Multiply by a matrix; over the last of several axes, convolve with a kernel of size one."""
    if op.activation is not None:
        return site.host(op)
    inputs, units = op.weight.shape
    rows = site.inputs[0].size // inputs
    if rows == 1:
        return (site.term(Matrix(np.ascontiguousarray(op.weight.T))),)
    return (site.term(Convolution(op.weight[None], (rows, inputs), (rows, units), (1,), "valid")),)


@lowering("nengo", ops.Conv)
def conv(op: ops.Conv, site: Site) -> Lowered:
    """Use Nengo's convolution, or a sparse matrix where Nengo has none or a slow one."""
    if op.activation is not None:
        return site.host(op)
    return (site.term(*geometry.convolution(op, site.inputs[0].shape)),)


@lowering("nengo", ops.AvgPool)
def avg_pool(op: ops.AvgPool, site: Site) -> Lowered:
    """Average by a sparse matrix."""
    return (site.term(geometry.average(op, site.inputs[0].shape)),)


@lowering("nengo", ops.GlobalAvgPool)
def global_avg_pool(op: ops.GlobalAvgPool, site: Site) -> Lowered:
    """Average by a sparse matrix."""
    return (site.term(geometry.global_average(site.inputs[0].shape)),)


@lowering("nengo", ops.BatchNorm)
def batch_norm(op: ops.BatchNorm, site: Site) -> Lowered:
    """Multiply element by element."""
    return (site.term(_diagonal(op.affine()[0], site)),)


@lowering("nengo", ops.Affine)
def affine(op: ops.Affine, site: Site) -> Lowered:
    """Multiply element by element, where that changes anything."""
    return (site.term() if np.all(op.scale == 1) else site.term(_diagonal(op.scale, site)),)


@lowering("nengo", ops.Add)
def add(op: ops.Add, site: Site) -> Lowered:
    """Let several connections meet, one an input."""
    return tuple(
        site.term(slot=slot) if t.shape == site.output.shape else site.moving(op, slot)
        for slot, t in enumerate(site.inputs)
    )


@lowering("nengo", ops.Concatenate)
def concatenate(op: ops.Concatenate, site: Site) -> Lowered:
    """Connect each input to its slice, or to its places by a sparse matrix where they do not lie together."""
    axis = op.axis % len(site.output.shape)
    if math.prod(site.output.shape[:axis]) > 1:
        return tuple(site.moving(op, slot) for slot in range(len(site.inputs)))
    starts = np.cumsum([0, *(t.size for t in site.inputs)])
    return tuple(site.term(slot=slot, at=int(starts[slot])) for slot in range(len(site.inputs)))


@lowering("nengo", Synapse)
def synapse(op: Synapse, site: Site) -> Lowered:
    """Filter a connection."""
    from snnc_nengo.neurons import synapse_type

    return (site.term(synapse=synapse_type(op.model)),)


@lowering("nengo", Neurons)
def population(op: Neurons, site: Site) -> Lowered:
    """Make an ensemble that is driven through its neurons; what is constant in its input is its bias."""
    import nengo

    from snnc_nengo.neurons import ensemble_seed, neuron_type

    shape = site.output.shape
    scale = np.asarray(op.scale, dtype=np.float64)
    one = float(op.scale) if np.ndim(op.scale) == 0 else None
    start = initial_state(site.node, site.inputs, site.seed)
    kind, amplitude = neuron_type(op.model, one, start)
    ensemble = nengo.Ensemble(
        site.output.size,
        1,
        neuron_type=kind,
        gain=_each(op.model.gain / scale, shape),
        bias=(op.model.offset + op.model.gain * site.constants[0] / scale).ravel(),
        seed=ensemble_seed(start),
        label=site.name,
    )
    return site.placed(ensemble.neurons, 1.0 if amplitude else _each(scale, shape))


def unchanged(op: Op, site: Site) -> Lowered:
    """Pass the input on."""
    return (site.term(),)


@lowering("nengo", Op)
def on_host(op: Op, site: Site) -> Lowered:
    """Compute any other op in a node, in numpy."""
    return site.host(op)


def _diagonal(factor: Any, site: Site) -> Scale:
    return Scale(_each(np.asarray(factor, dtype=np.float64), site.output.shape))


def _each(values: AnyArray, shape: Shape) -> AnyArray:
    """Return one value an element, flat; one number for all of them takes no memory."""
    if values.size == 1:
        return np.broadcast_to(values.ravel(), (math.prod(shape),))
    return np.broadcast_to(values, shape).ravel()


UNCHANGED: tuple[type[Op], ...] = (ops.LastStep, ops.Identity, ops.Reshape, ops.Shift)

LOWERINGS = [
    dense,
    conv,
    avg_pool,
    global_avg_pool,
    batch_norm,
    affine,
    add,
    concatenate,
    synapse,
    population,
    *LAYOUT,
    *(lowering("nengo", op)(unchanged) for op in UNCHANGED),
    on_host,
]
