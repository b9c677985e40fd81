"""Layers over time: a scan along the sequence that one input holds, or one step of a stream at a time."""

from __future__ import annotations

from typing import Any

from snnc.api import Causal, Lowering, lowering, ops
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.namespace import TENSORFLOW
from snnc_tensorflow.site import Function, Site, StatefulFunction, Tensor, Tensors


@lowering("tensorflow", ops.Recurrent)
def recurrent(op: ops.Recurrent, site: Site) -> Function:
    """Lower a recurrent layer: a scan of its rule."""
    bound, state = site.bound(op), op.state(site.inputs[0].shape[1:])
    by_step = (1, 0, *range(2, len(state) + 2))

    def call(x: Tensor, *rest: Tensor) -> Tensor:
        zeros = tf.zeros((tf.shape(x)[0], *state))
        states = tuple(rest[op.masked :]) or (zeros,) * op.memories

        def step(before: Any, now: Any) -> Any:
            out, *old = before
            out, new = bound.advance(TENSORFLOW, now[0], out, tuple(old), now[1] if op.masked else None)
            return (out, *new)

        stepwise = (
            tf.transpose(bound.project(TENSORFLOW, x), by_step),
            tf.transpose(rest[0]) if op.masked else tf.zeros(tf.shape(x)[1]),
        )
        out, *after = tf.scan(step, stepwise, (zeros, *states), reverse=op.backwards)
        if op.gives == "sequence":
            # a scan backwards puts the results where the inputs were; the op wants the order of reading
            return tf.transpose(tf.reverse(out, [0]) if op.backwards else out, by_step)
        chosen = {"last": out, "state": after[0], "cell": after[-1]}[op.gives]
        return chosen[0] if op.backwards else chosen[-1]

    return Function(call)


@lowering("tensorflow", Causal)
def causal(op: Causal, site: Site) -> StatefulFunction:
    """Lower one step of any stream that has a rule."""
    bound = site.bound(op)

    def drive(*inputs: Tensor) -> Any:
        return bound.drive(TENSORFLOW, *inputs)

    def step(state: Tensors, drive: Any) -> tuple[Tensor, Tensors]:
        return bound.rule(TENSORFLOW, drive, state)

    return StatefulFunction(site.start, step, drive, fuse=op.elementwise)


@lowering("tensorflow", ops.TimeFilter)
def time_filter(op: ops.TimeFilter, site: Site) -> Function:
    """Lower a filter along the first axis of its input."""
    bound = site.bound(op)

    def call(x: Tensor) -> Tensor:
        order = (1, 0, *range(2, len(site.inputs[0].shape) + 1))
        first = tf.zeros_like(x[:, 0]) + bound.initial
        step = lambda state, u: bound.rule(TENSORFLOW, u, state)  # noqa: E731
        y, _ = tf.scan(step, tf.transpose(x, order), (first, tf.zeros_like(first)))
        return tf.transpose(y, order)

    return Function(call)


LOWERINGS: list[Lowering] = [recurrent, causal, time_filter]
