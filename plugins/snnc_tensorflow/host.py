"""Ops without a rule for TensorFlow, such as a plugin's, computed by numpy. They run, but cannot be exported."""

from __future__ import annotations

import numpy as np

from snnc.api import AnyArray, Lowering, LoweringError, Op, RandomStream, Stateful, lowering
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Lowered, Site, StatefulFunction, Tensor, Tensors


@lowering("tensorflow", Op)
def on_host(op: Op, site: Site) -> Lowered:
    """Return an op that is computed, or stepped where it has a state, in numpy."""
    return _stepped(op, site) if isinstance(op, Stateful) and op.stateful else _computed(op, site)


def _computed(op: Op, site: Site) -> Function:
    shape = op.infer(*site.inputs).shape

    def evaluate(*inputs: AnyArray) -> AnyArray:
        with np.errstate(all="ignore"):
            return np.asarray(op.evaluate(*inputs), dtype=np.float32)

    def call(*inputs: Tensor) -> Tensor:
        return tf.ensure_shape(tf.numpy_function(evaluate, inputs, tf.float32), (inputs[0].shape[0], *shape))

    return Function(call, host=True)


def _stepped(op: Stateful, site: Site) -> StatefulFunction:
    """Return an op with a state, stepped in numpy; raise LoweringError where the state is not arrays."""
    start, shape = site.start, op.infer(*site.inputs).shape
    if any(isinstance(value, RandomStream) for value in start.values()):
        raise LoweringError(
            f"node {site.node.name!r}: {op.kind!r} draws random numbers in numpy, and TensorFlow has no rule for it; "
            "run it on another backend"
        )
    arrays = {name: np.asarray(value) for name, value in start.items()}
    names = tuple(arrays)

    def advance(*values: AnyArray) -> list[AnyArray]:
        state = {name: np.array(value) for name, value in zip(names, values, strict=False)}
        with np.errstate(all="ignore"):
            y = np.array(op.step(state, site.dt, *values[len(names) :]), dtype=np.float32)
        return [y, *(np.asarray(state[name], dtype=arrays[name].dtype) for name in names)]

    def step(state: Tensors, inputs: Tensor) -> tuple[Tensor, Tensors]:
        types = [tf.float32, *(tf.as_dtype(arrays[name].dtype) for name in names)]
        y, *new = tf.numpy_function(advance, (*(state[name] for name in names), *inputs), types)
        kept = {name: tf.ensure_shape(v, state[name].shape) for name, v in zip(names, new, strict=True)}
        return tf.ensure_shape(y, (inputs[0].shape[0], *shape)), kept

    return StatefulFunction(arrays, step, lambda *inputs: inputs, fuse=False, host=True)


LOWERINGS: list[Lowering] = [on_host]
