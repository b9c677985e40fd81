"""Layers over time: a scan along the sequence that one input holds, or one step of a stream at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from snnc.api import Lowering, LoweringError, lowering, ops
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Site, StatefulFunction, Tensor, Tensors

States: TypeAlias = tuple[Tensor, ...]
Cell: TypeAlias = Callable[[Tensor, States], States]
"""From the projected input and the states to the states after a step; the first is the output."""
Parts: TypeAlias = Callable[[Any, Site], tuple[Callable[[Tensor], Tensor], Cell]]


def _advance(op: ops.Recurrent, cell: Cell, x: Tensor, out: Tensor, states: States, mask: Tensor | None) -> Any:
    """Return the output and the states after a step, as ``Recurrent.advance`` does."""
    new = cell(x, states)
    if mask is None:
        return new[0], new
    keep = tf.reshape(mask, (-1, 1)) != 0
    kept = tf.where(keep, new[0], tf.zeros_like(out) if op.zero_masked else out)
    return kept, tuple(tf.where(keep, a, b) for a, b in zip(new, states, strict=True))


def _layer(op: ops.Recurrent, site: Site, parts: Parts) -> Function:
    project, cell = parts(op, site)

    def call(x: Tensor, *rest: Tensor) -> Tensor:
        zeros = tf.zeros((tf.shape(x)[0], op.units))
        states = tuple(rest[op.masked :]) or (zeros,) * op.memories

        def step(before: Any, now: Any) -> Any:
            out, *old = before
            out, new = _advance(op, cell, now[0], out, tuple(old), now[1] if op.masked else None)
            return (out, *new)

        stepwise = (
            tf.transpose(project(x), (1, 0, 2)),
            tf.transpose(rest[0]) if op.masked else tf.zeros_like(x[0, :, 0]),
        )
        out, *after = tf.scan(step, stepwise, (zeros, *states), reverse=op.backwards)
        if op.gives == "sequence":
            # a scan backwards puts the results where the inputs were; the op wants the order of reading
            return tf.transpose(tf.reverse(out, [0]) if op.backwards else out, (1, 0, 2))
        chosen = {"last": out, "state": after[0], "cell": after[-1]}[op.gives]
        return chosen[0] if op.backwards else chosen[-1]

    return Function(call)


def _product(op: ops.Recurrent, site: Site, bias: Tensor) -> Callable[[Tensor], Tensor]:
    kernel = site.weight(op.kernel)
    return lambda x: tf.tensordot(x, kernel, 1) + bias


def _simple_rnn(op: Any, site: Site) -> tuple[Callable[[Tensor], Tensor], Cell]:
    weight, act = site.weight(op.recurrent), site.inner(op.activation)
    return _product(op, site, site.weight(op.bias)), lambda x, s: (act(x + tf.matmul(s[0], weight)),)


def _lstm(op: Any, site: Site) -> tuple[Callable[[Tensor], Tensor], Cell]:
    weight, act, gate = site.weight(op.recurrent), site.inner(op.activation), site.inner(op.gate)

    def cell(x: Tensor, states: States) -> States:
        h, c = states
        i, f, z, o = tf.split(x + tf.matmul(h, weight), 4, axis=1)
        c = gate(f) * c + gate(i) * act(z)
        return gate(o) * act(c), c

    return _product(op, site, site.weight(op.bias)), cell


def _gru(op: Any, site: Site) -> tuple[Callable[[Tensor], Tensor], Cell]:
    weight, act, gate = site.weight(op.recurrent), site.inner(op.activation), site.inner(op.gate)
    bias = site.weight(op.bias[0] if op.reset_after else op.bias)
    inner_bias = site.weight(op.bias[1]) if op.reset_after else None
    n = op.units

    def cell(x: Tensor, states: States) -> States:
        (h,) = states
        if op.reset_after:
            inner = tf.matmul(h, weight) + inner_bias
            z, r = tf.split(gate(x[:, : 2 * n] + inner[:, : 2 * n]), 2, axis=1)
            reset = r * inner[:, 2 * n :]
        else:
            z, r = tf.split(gate(x[:, : 2 * n] + tf.matmul(h, weight[:, : 2 * n])), 2, axis=1)
            reset = tf.matmul(r * h, weight[:, 2 * n :])
        return (z * h + (1 - z) * act(x[:, 2 * n :] + reset),)

    return _product(op, site, bias), cell


PARTS: dict[type[ops.Recurrent], Parts] = {
    ops.SimpleRnn: _simple_rnn,
    ops.Lstm: _lstm,
    ops.Gru: _gru,
}
"""For each layer, what its input adds to the gates, and its cell."""


def _whole(op: Any, site: Site) -> Function:
    return _layer(op, site, PARTS[type(op)])


@lowering("tensorflow", ops.Cell)
def cell(op: ops.Cell, site: Site) -> StatefulFunction:
    """Lower one step of a recurrent layer in a stream."""
    layer = op.op
    if type(layer) not in PARTS:
        raise LoweringError(f"node {site.node.name!r}: TensorFlow has no cell for {layer.kind!r}")
    project, rule = PARTS[type(layer)](layer, site)
    names = tuple(f"state{k}" for k in range(layer.memories))

    def drive(x: Tensor, *mask: Tensor) -> Any:
        return (project(x), *mask)

    def step(state: Tensors, given: Any) -> tuple[Tensor, Tensors]:
        x, *mask = given
        before = tuple(state[name] for name in names)
        out, states = _advance(layer, rule, x, state["out"], before, mask[0] if mask else None)
        new = {"out": out, **dict(zip(names, states, strict=True))}
        return {"state": states[0], "cell": states[-1]}.get(layer.gives, out), new

    return StatefulFunction(site.start, step, drive, fuse=False)


@lowering("tensorflow", ops.DelayLine)
def delay_line(op: ops.DelayLine, site: Site) -> StatefulFunction:
    """Lower the slices of the last steps."""

    def step(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        slices = tf.concat([state["slices"][:, 1:], x[:, None]], axis=1)
        return slices[:, :: op.dilation], {"slices": slices}

    return StatefulFunction(site.start, step, fuse=False)


@lowering("tensorflow", ops.Running)
def running(op: ops.Running, site: Site) -> StatefulFunction:
    """Lower the mean, sum, largest or smallest so far; sums are float64, as the evaluator has them."""
    rank = len(site.inputs[0].shape)

    def step(state: Tensors, given: Any) -> tuple[Tensor, Tensors]:
        x, *masks = given
        x = tf.cast(x, tf.float64)
        ones = (-1, *(1,) * rank)
        keep = tf.reshape(masks[0], ones) != 0 if masks else tf.ones_like(state["count"]) != 0
        so_far, count = state["so_far"], state["count"] + tf.cast(keep, tf.float64)
        if op.function in ("max", "min"):
            better = tf.maximum(so_far, x) if op.function == "max" else tf.minimum(so_far, x)
            y = so_far = tf.where(keep, better, so_far)
        else:
            y = so_far = so_far + tf.where(keep, x, tf.zeros_like(x))
        if op.function == "mean":
            y = so_far / tf.maximum(count, 1)
        return tf.cast(y, tf.float32), {"so_far": so_far, "count": count}

    return StatefulFunction(site.start, step, lambda *inputs: inputs)


@lowering("tensorflow", ops.Filter)
def causal_filter(op: ops.Filter, site: Site) -> StatefulFunction:
    """Lower one step of a filter in a stream."""
    rule = _filter_rule(op.op, site)

    def step(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        y, slope = rule((state["y"], state["slope"]), x)
        return y, {"y": y, "slope": slope}

    return StatefulFunction(site.start, step)


def _filter_rule(op: ops.TimeFilter, site: Site) -> Callable[[Any, Tensor], Any]:
    """Return the function from y and slope, and the present input, to those after the step."""
    ratios = op.dt / np.maximum(op.tau, 1e-8)
    ratio, decay = site.weight(ratios), site.weight(np.exp(-ratios))

    def step(before: Any, u: Tensor) -> Any:
        y, slope = before
        gap = y - u
        if op.order == 1:
            return u + decay * gap, slope
        return u + decay * ((1 + ratio) * gap + slope), decay * ((1 - ratio) * slope - ratio**2 * gap)

    return step


@lowering("tensorflow", ops.TimeFilter)
def time_filter(op: ops.TimeFilter, site: Site) -> Function:
    """Lower a filter along the first axis of its input."""
    rule, initial = _filter_rule(op, site), site.weight(op.initial)

    def call(x: Tensor) -> Tensor:
        order = (1, 0, *range(2, len(site.inputs[0].shape) + 1))
        first = tf.zeros_like(x[:, 0]) + initial
        y, _ = tf.scan(rule, tf.transpose(x, order), (first, tf.zeros_like(first)))
        return tf.transpose(y, order)

    return Function(call)


LOWERINGS: list[Lowering] = [
    *(Lowering("tensorflow", cls, _whole) for cls in PARTS),
    cell,
    delay_line,
    running,
    causal_filter,
    time_filter,
]
