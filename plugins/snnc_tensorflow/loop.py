"""The function that runs a lowered graph: constant values, the loop over time, and the read-out.

Nothing in a graph looks back, so that the loop need not finish one step before it begins the next: it takes CHUNK steps
at a time, node by node. A convolution or a product sees the samples of all of them as one larger batch, which is what
TensorFlow's kernels are fast at, and a population keeps its voltages in registers in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.lowered_graph import LoweredGraph
from snnc_tensorflow.plan import Group, Plan, drive_of, make_plan
from snnc_tensorflow.site import Function, Tensor, Tensors

LEAST = 1024
"""Elements of one sample from which on XLA pays: to call it costs as much as some ten small operations."""
CHUNK = 4
"""Steps at a time. What is left over is done step by step."""


def runner(machine: LoweredGraph, watch: Sequence[str] = (), *, every_step: bool) -> Callable[..., Any]:
    """Return ``f(inputs, state, weights)``, to be traced.

    It advances the network by one step for each of the ``weights`` ``(steps,)``, which are those of means over time. It
    gives a dict of ``outputs``, ``(batch, steps, *shape)`` each or, without ``every_step``, their means
    ``(batch, *shape)``; ``means``, ``totals`` and ``messages`` of the watched nodes, ``(batch, *shape)``; and the new
    ``state``.
    """
    graph = machine.graph
    plan = make_plan(graph, machine.lowered, watch, every_step=every_step)
    outputs = graph.output_nodes
    streamed = [n for n in dict.fromkeys(outputs.values()) if every_step and n in plan.moving]
    averaged = [n for n in dict.fromkeys((*watch, *plan.summed)) if n in plan.moving]
    counted = [n for n in watch if n in plan.moving]

    def run(inputs: Tensors, state: dict[str, Tensors], weights: Tensor) -> Any:
        still = _still(machine, plan, {n: x for n, x in inputs.items() if n not in plan.sequences})
        slices = {n: _swapped(inputs[n]) for n in plan.sequences}
        batch, steps = tf.shape(next(iter(inputs.values())))[0], tf.shape(weights)[0]

        def advance(count: int) -> Callable[..., Any]:
            """Return the body of a loop that takes so many steps at a time."""
            calls = [_call(machine, plan, group, still, count) for group in plan.groups]

            def body(
                t: Tensor, state: Any, means: Tensors, totals: Tensors, messages: Tensors, streams: Tensors
            ) -> Any:
                now, state = slice(t, t + count), dict(state)
                values = {**still, **{n: tf.reshape(x[now], (-1, *x.shape[2:])) for n, x in slices.items()}}
                for group, call in zip(plan.groups, calls, strict=True):
                    own = {n: state[n] for n in group.nodes if n in machine.steps}
                    given, new = call([values[n] for n in group.reads], own)
                    values.update(zip(group.gives, given, strict=True))
                    state.update(new)
                seen = {n: _apart(values[n], count) for n in dict.fromkeys((*means, *totals, *streams))}
                means = {n: y + tf.tensordot(weights[now], seen[n], 1) for n, y in means.items()}
                totals = {n: y + tf.reduce_sum(tf.abs(seen[n]), 0) for n, y in totals.items()}
                messages = {n: y + tf.math.count_nonzero(seen[n], 0, dtype=y.dtype) for n, y in messages.items()}
                for k in range(count):
                    streams = {n: s.write(t + k, seen[n][k]) for n, s in streams.items()}
                return t + count, state, means, totals, messages, streams

            return body

        def zeros(nodes: Sequence[str]) -> Tensors:
            return {n: tf.zeros((batch, *graph[n].type.shape)) for n in nodes}

        streams = {n: tf.TensorArray(tf.float32, steps, element_shape=(None, *graph[n].type.shape)) for n in streamed}
        reached = (tf.constant(0), state, zeros(averaged), zeros(counted), zeros(counted), streams)
        for count in (CHUNK, 1):
            reached = tf.while_loop(lambda t, *_, count=count: t + count <= steps, advance(count), reached)
        _, state, means, totals, messages, streams = reached
        means = {**still, **means}
        if every_step:
            read = {n: _in_time(still, streams, n, steps) for n in outputs.values()}
        else:
            read = machine.finish(means, plan.tail)
        return {
            "outputs": {name: read[node] for name, node in outputs.items()},
            "means": {n: means[n] for n in watch},
            "totals": {n: totals[n] if n in totals else tf.cast(steps, tf.float32) * tf.abs(still[n]) for n in watch},
            "messages": {
                n: messages[n] if n in messages else tf.cast(steps, tf.float32) * tf.cast(still[n] != 0, tf.float32)
                for n in watch
            },
            "state": state,
        }

    return run


def _still(machine: LoweredGraph, plan: Plan, inputs: Tensors) -> Tensors:
    """Return all values that do not change, with the drives of what they drive."""
    values = machine.finish(inputs, plan.static)
    return {**values, **{drive_of(name): machine.drive(name, values) for name in plan.driven}}


def _in_time(still: Mapping[str, Tensor], streams: Mapping[str, Any], node: str, steps: Tensor) -> Tensor:
    """Return the values of a node in every step, ``(batch, steps, *shape)``."""
    if node not in streams:
        return tf.repeat(still[node][:, None], steps, axis=1)
    return _swapped(streams[node].stack())


def _swapped(x: Tensor) -> Tensor:
    """Return a tensor with its first two axes, samples and steps, the other way round."""
    return tf.transpose(x, (1, 0, *range(2, x.shape.rank)))


def _call(machine: LoweredGraph, plan: Plan, group: Group, still: Tensors, count: int) -> Callable[..., Any]:
    """Return the function of a group: from what it reads and its state to what it gives and its new state.

    What changes from step to step is ``(count * batch, *shape)``, one step behind the other.
    """
    drives = {drive_of(name) for name in group.nodes}

    def nodes(reads: Sequence[Tensor], state: dict[str, Tensors], steps: int = count) -> Any:
        """Go through the nodes, each of which takes all steps."""
        values, new = dict(zip(group.reads, reads, strict=True)), {}
        for name in group.nodes:
            lowered = machine.lowered[name]
            if isinstance(lowered, Function):
                values[name] = machine.call(name, values)
                continue
            driven = name in plan.driven
            own, given = state[name], []
            for drive in [values[drive_of(name)]] * steps if driven else _split(machine.drive(name, values), steps):
                y, own = lowered.step(own, drive)
                given.append(y)
            values[name], new[name] = given[0] if steps == 1 else tf.concat(given, 0), own
        return [values[n] for n in group.gives], new

    def one_by_one(reads: Sequence[Tensor], state: dict[str, Tensors]) -> Any:
        """Go through the steps, in each of which all nodes take one."""
        parts = [[x] * count if n in drives else tf.split(x, count) for n, x in zip(group.reads, reads, strict=True)]
        given = []
        for now in zip(*parts, strict=True):
            out, state = nodes(now, state, 1)
            given.append(out)
        return [tf.concat(y, 0) for y in zip(*given, strict=True)], state

    call: Callable[..., Any] = nodes
    if group.fused and max(machine.graph[name].type.size for name in group.nodes) >= LEAST:
        # XLA writes steps that are joined between two nodes to memory; without it, fewer operations are better
        remembers = any(name in machine.steps for name in group.nodes)
        call = tf.function(one_by_one if remembers else nodes, jit_compile=True, autograph=False)
    wide = {
        n: tf.tile(still[n], (count, *[1] * (still[n].shape.rank - 1)))
        for n in group.reads
        if n in still and n not in drives
    }
    return lambda reads, state: call([wide.get(n, x) for n, x in zip(group.reads, reads, strict=True)], state)


def _split(x: Any, count: int) -> list[Any]:
    """Return what drives each of ``count`` steps: the parts of all tensors of a structure."""
    parts = zip(*(tf.split(tensor, count) for tensor in tf.nest.flatten(x)), strict=True)
    return [tf.nest.pack_sequence_as(x, part) for part in parts]


def _apart(x: Tensor, count: int) -> Tensor:
    """Return ``(count * batch, *shape)`` as ``(count, batch, *shape)``."""
    return tf.reshape(x, (count, -1, *x.shape[1:]))
