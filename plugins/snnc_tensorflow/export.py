"""A SavedModel of a program: plain TensorFlow that runs without snnc.

The signature ``serving_default`` takes the inputs, and the ``steps`` where they are no sequences, and gives what is
read out; ``every_step`` gives the outputs of every step. In Python, ``tf.saved_model.load(folder)`` has two functions
besides: ``start(batch)`` gives a state, and ``advance(inputs, state, steps)`` goes on from one. Any batch size will do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnc.api import (
    Graph,
    LastReadOut,
    LoweringContext,
    LowPassReadOut,
    MeanReadOut,
    ReadOut,
    UsageError,
    is_temporal,
    read_out_tail,
    read_values,
)
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.loop import runner
from snnc_tensorflow.lowered_graph import LoweredGraph
from snnc_tensorflow.site import Tensor, Tensors


def save(machine: LoweredGraph, target: LoweringContext, finished: Graph, folder: Path) -> None:
    """Write a SavedModel.

    Args:
        machine: what runs.
        target: how it was lowered.
        finished: the graph with the tail that is applied to the read-out.
        folder: where to.

    Raises:
        UsageError: part of the program runs in Python.
    """
    end = LoweredGraph(read_out_tail(finished), target)
    on_host = [*machine.on_host, *end.on_host]
    if on_host:
        raise UsageError(
            f"cannot export: {', '.join(on_host)} draw random numbers or run a plugin's op in numpy, "
            "which a SavedModel cannot hold; use other neurons, or give the op a rule (docs/hooks.md)"
        )
    temporal = is_temporal(machine.graph)
    module = tf.Module()
    module.weights = [*machine.weights, *end.weights]
    number = tf.TensorSpec((), tf.int32)
    module.start = tf.function(machine.start, autograph=False, input_signature=(number,))
    every_step, means = (runner(machine, every_step=every) for every in (True, False))

    def advance(inputs: Tensors, state: dict[str, Tensors], steps: Tensor) -> Any:
        done = every_step(inputs, state, tf.zeros((steps,)))
        return {"outputs": done["outputs"], "state": done["state"]}

    module.advance = tf.function(
        advance, autograph=False, input_signature=(machine.input_types(), machine.state_types(), number)
    )
    names = {_argument(name): name for name in machine.graph.inputs}

    def signature(run: Callable[..., Any], *, every: bool) -> Any:
        def call(**given: Tensor) -> Tensors:
            inputs = {name: given[argument] for argument, name in names.items()}
            state = machine.start(tf.shape(next(iter(inputs.values())))[0])
            steps = tf.shape(next(iter(inputs.values())))[1] if temporal else given["steps"]
            outputs = run(inputs, state, _weights(target.read_out, steps, target.dt))["outputs"]
            return {_argument(name): y for name, y in _finished(end, finished, outputs, every).items()}

        types = machine.input_types()
        specs = {a: tf.TensorSpec(types[name].shape, tf.float32, a) for a, name in names.items()}
        if not temporal:
            specs["steps"] = tf.TensorSpec((), tf.int32, "steps")
        return tf.function(call, autograph=False).get_concrete_function(**specs)

    signatures = {"serving_default": signature(means, every=False), "every_step": signature(every_step, every=True)}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _weights(read_out: ReadOut, steps: Tensor, dt: float) -> Tensor:
    """Return the weight of each step in what is read out; raise UsageError for a read-out of a plugin."""
    t = tf.range(steps)
    if isinstance(read_out, MeanReadOut):
        first = tf.minimum(tf.cast(tf.cast(steps, tf.float64) * read_out.start, tf.int32), steps - 1)
        weights = tf.cast(t >= first, tf.float32)
    elif isinstance(read_out, LastReadOut):
        weights = tf.cast(tf.equal(t, steps - 1), tf.float32)
    elif isinstance(read_out, LowPassReadOut):
        weights = tf.exp(tf.cast(t - (steps - 1), tf.float32) * (dt / read_out.tau))
    else:
        raise UsageError(f"cannot export the read-out {read_out.kind!r}; use mean, last or low-pass")
    return weights / tf.reduce_sum(weights)


def _argument(name: str) -> str:
    """Return a name as TensorFlow takes it for arguments."""
    plain = re.sub(r"\W", "_", name)
    return plain if plain[:1].isalpha() and plain != "steps" else f"x_{plain}"


def _finished(end: LoweredGraph, graph: Graph, outputs: Tensors, every: bool) -> Tensors:
    """Return a graph's outputs, by name, from what is read out, or with ``every`` from what every step gives."""
    values = {node: outputs[name] for name, node in read_values(graph).items()}
    leading = tf.shape(next(iter(values.values())))[:2]
    if every:
        values = {name: tf.reshape(y, (-1, *y.shape[2:])) for name, y in values.items()}
    done = end.finish(values, list(end.lowered))
    given = {output: done[node] for output, node in graph.output_nodes.items()}
    if not every:
        return given
    return {name: tf.reshape(y, tf.concat([leading, tf.shape(y)[1:]], 0)) for name, y in given.items()}
