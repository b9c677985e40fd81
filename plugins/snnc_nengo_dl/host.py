"""Ops that are no connection, computed by TensorFlow in a node, by the TensorFlow backend's rule for the op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl.builder import OpBuilder
from snnc_nengo.site import Placed, Site, Term
from snnc_tensorflow.namespace import TENSORFLOW
from snnc_tensorflow.site import Function, StatefulFunction
from snnc_tensorflow.site import Site as Rule

from snnc.api import AnyArray, Array, Lowerings, Op, Shape, Stateful, for_batch, initial_state
from snnc_nengo_dl.tensor_transform import TensorMap

Tensor = Any


@dataclass(frozen=True)
class TensorSite(Site):
    """A place in a network for NengoDL."""

    dt: float
    rules: Lowerings
    """Those of the TensorFlow backend."""

    def rule(self, op: Op) -> Function | StatefulFunction | None:
        """Return how TensorFlow computes an op, or None for one with a state that only numpy can step."""
        if isinstance(op, Stateful) and op.stateful and self.rules.on_host(op):
            return None
        found = self.rules.lower(op, Rule(self.node, self.inputs, self.dt, self.seed, self.rules, []))
        return found if isinstance(found, (Function, StatefulFunction)) else Function(found)

    def moving(self, op: Op, slot: int = 0) -> Term:
        """Return the term of one input of an op that only moves and copies elements."""
        return self.linear(op, slot)

    def linear(self, op: Op, slot: int = 0) -> Term:
        """Return the term of one input of any affine op: the op itself, less what it gives for zeros."""
        rule = self.rule(op)
        if not isinstance(rule, Function) or rule.host:
            return super().linear(op, slot)
        zeros = [np.zeros((1, *t.shape), dtype=np.float32) for t in self.inputs]
        constant = np.asarray(op.evaluate(*zeros), dtype=np.float32)
        call, shape, size = rule.call, self.inputs[slot].shape, self.output.size

        def apply(x: Tensor, weights: Tensor) -> Tensor:
            values = [tf.zeros((x.shape[0], *t.shape)) for t in self.inputs]
            values[slot] = tf.reshape(x, (-1, *shape))
            y = call(*values)
            return tf.reshape(y - constant if constant.any() else y, (-1, size))

        return Term(slot, (TensorMap(apply, self.inputs[slot].size, size),))

    def host(self, op: Op) -> Placed:
        """Return a node that computes the op for a minibatch; steps it, where it has a state."""
        rule = self.rule(op)
        label = f"{self.name} ({op.kind} on the host)"
        if isinstance(rule, StatefulFunction) and not rule.shared:
            process = SteppedProcess(rule, self)
            node = nengo.Node(process, size_in=self.size_in, size_out=self.output.size, label=label)
        else:
            compute: Any = Computed(rule, self) if isinstance(rule, Function) else SteppedInNumpy(op, self)
            shapes = {"shape_in": (self.size_in,), "shape_out": (self.output.size,)}
            node = nengo_dl.TensorNode(compute, **shapes, pass_time=True, label=label)
        return Placed(node)

    def values(self, x: Tensor) -> list[Tensor]:
        """Return the inputs, ``(batch, *shape)`` each, from their signals one behind the other."""
        sizes = [t.size for t in self.inputs]
        parts = tf.split(x, sizes, 1) if len(sizes) > 1 else [x]
        shaped = (tf.reshape(part, (-1, *t.shape)) for part, t in zip(parts, self.inputs, strict=True))
        return [part + np.float32(c) if c.any() else part for part, c in zip(shaped, self.constants, strict=True)]


class Computed:
    """The function of a node that computes an op without a state."""

    def __init__(self, rule: Function, site: TensorSite) -> None:
        """Take the rule, and what is known about the inputs."""
        self.rule, self.site = rule, site

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        """Return ``(batch, size)`` for the inputs one behind the other, ``(batch, size_in)``, at time ``t``."""
        return tf.reshape(self.rule.call(*self.site.values(x)), (x.shape[0], self.site.output.size))


class SteppedProcess(nengo.Process):
    """The process of a node that steps an op with a state; NengoDL keeps the state."""

    def __init__(self, rule: StatefulFunction, site: TensorSite) -> None:
        """Take the rule with the state of one sample before the first step."""
        super().__init__(default_size_in=site.size_in, default_size_out=site.output.size)
        self.rule, self.site = rule, site

    def make_state(self, shape_in: Shape, shape_out: Shape, dt: float, dtype: Any = None) -> dict[str, AnyArray]:
        """Return the state before the first step."""
        return {name: np.array(value) for name, value in self.rule.start.items()}

    def make_step(self, shape_in: Shape, shape_out: Shape, dt: float, rng: Any, state: Any) -> Callable[..., Any]:
        """Refuse: TensorFlow takes the steps."""
        raise nengo.exceptions.SimulationError(f"{self.site.name}: runs in NengoDL only")


class SteppedBuilder(OpBuilder):
    """Builds a SteppedProcess."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        (op,) = self.ops
        rule, site = op.process.rule, op.process.site
        kept = {name: signals.gather(signals[signal]) for name, signal in op.state.items()}
        # NengoDL keeps all numbers in float32, some rules want more
        state = {name: tf.cast(value, rule.start[name].dtype) for name, value in kept.items()}
        y, after = rule.step(state, rule.drive(*site.values(signals.gather(signals[op.input]))))
        y = tf.cast(tf.reshape(y, (signals.minibatch_size, site.output.size)), signals.dtype)
        signals.scatter(signals[op.output], y)
        for name, signal in op.state.items():
            signals.scatter(signals[signal], tf.ensure_shape(tf.cast(after[name], kept[name].dtype), kept[name].shape))


class SynapseBuilder(OpBuilder):
    """Builds a ModelSynapse."""

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph: what is shown next is what the model gives after it has taken the input."""
        (op,) = self.ops
        rule, x = op.process.model.rule, signals.gather(signals[op.input])
        state = {name: signals.gather(signals[signal]) for name, signal in op.state.items()}
        _, after = rule(TENSORFLOW, x, state, signals.dt_val)
        y, _ = rule(TENSORFLOW, x, after, signals.dt_val)
        for signal, value in ((op.output, y), *((op.state[name], value) for name, value in after.items())):
            signals.scatter(signals[signal], tf.ensure_shape(value, x.shape))


class SteppedInNumpy:
    """The function of a node that steps an op for a minibatch in numpy, from a fresh state at time 0."""

    def __init__(self, op: Any, site: TensorSite) -> None:
        """Take a stateful op, and its state before the first step."""
        self.op, self.site = op, site
        self.start = initial_state(site.node, site.inputs, site.seed)
        self.state = for_batch(self.start, 1)

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        """Return ``(batch, size)`` for the inputs one behind the other, ``(batch, size_in)``, at time ``t``."""
        y = tf.numpy_function(self.in_numpy, [t, *self.site.values(x)], tf.float32)
        return tf.ensure_shape(y, (x.shape[0], self.site.output.size))

    def in_numpy(self, t: Any, *values: Array) -> Array:
        """Return the output of one step, and keep the state."""
        batch = len(values[0])
        if t < 1.5 * self.site.dt:
            self.state = for_batch(self.start, batch)
        with np.errstate(all="ignore"):
            y = self.op.step(self.state, self.site.dt, *values)
        return np.array(y, dtype=np.float32).reshape(batch, -1)
