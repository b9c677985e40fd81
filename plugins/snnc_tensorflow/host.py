"""Neuron models that TensorFlow has no rule for: a plugin's, in numpy. They run, but cannot be exported."""

from __future__ import annotations

import numpy as np

from snnc.api import AnyArray, LoweringError, Neurons, RandomStream
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Function, Site, StatefulFunction, Tensor, Tensors


def function(op: Neurons, site: Site) -> Function:
    """Return a population without a state, evaluated in numpy."""

    def evaluate(x: AnyArray) -> AnyArray:
        return np.asarray(op.evaluate(x), dtype=np.float32)

    def call(x: Tensor) -> Tensor:
        return tf.ensure_shape(tf.numpy_function(evaluate, (x,), tf.float32), x.shape)

    return Function(call, host=True)


def population(op: Neurons, site: Site) -> StatefulFunction:
    """Return a population with a state, stepped in numpy; raise LoweringError where the state is not arrays."""
    start = site.start
    if any(isinstance(value, RandomStream) for value in start.values()):
        raise LoweringError(
            f"node {site.node.name!r}: neurons {op.model.kind!r} draw random numbers in numpy, and TensorFlow has no "
            "rule for them; run them on another backend"
        )
    arrays = {name: np.asarray(value) for name, value in start.items()}
    names = tuple(arrays)

    def advance(x: AnyArray, *values: AnyArray) -> list[AnyArray]:
        state = {name: np.array(value) for name, value in zip(names, values, strict=True)}
        y = np.asarray(op.step(state, site.dt, x), dtype=np.float32)
        return [y, *(np.asarray(state[name], dtype=arrays[name].dtype) for name in names)]

    def step(state: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        types = [tf.float32, *(tf.as_dtype(arrays[name].dtype) for name in names)]
        y, *new = tf.numpy_function(advance, (x, *(state[name] for name in names)), types)
        kept = {name: tf.ensure_shape(v, state[name].shape) for name, v in zip(names, new, strict=True)}
        return tf.ensure_shape(y, x.shape), kept

    return StatefulFunction(arrays, step, fuse=False, host=True)
