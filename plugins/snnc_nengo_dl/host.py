"""Ops that are no linear map: what TensorFlow, or numpy for a whole minibatch, computes in a node."""

from __future__ import annotations

from typing import Any

import nengo_dl
import numpy as np
import tensorflow as tf
from snnc_nengo.site import Placed, Site

from snnc.api import Array, Op, Stateful, for_batch, initial_state


class TensorSite(Site):
    """A place in a network for NengoDL."""

    def host(self, op: Op) -> Placed:
        """Return a TensorNode that computes the op in numpy, a minibatch at a time; steps it, where it has a state."""
        compute = Stepped(op, self) if isinstance(op, Stateful) and op.stateful else Computed(op, self)
        label = f"{self.name} ({op.kind} on the host)"
        return Placed(
            nengo_dl.TensorNode(
                compute, shape_in=(self.size_in,), shape_out=(self.output.size,), pass_time=True, label=label
            )
        )


class Computed:
    """The function of a node that evaluates an op for a minibatch."""

    def __init__(self, op: Op, site: Site) -> None:
        """Take the op, and what is known about its inputs."""
        self.op, self.inputs, self.constants = op, site.inputs, site.constants
        self.size = site.output.size

    def __call__(self, t: Any, x: Any) -> Any:
        """Return ``(batch, size)`` for the inputs one behind the other, ``(batch, size_in)``, at time ``t``."""
        y = tf.numpy_function(self.in_numpy, [t, x], tf.float32)
        return tf.ensure_shape(y, (x.shape[0], self.size))

    def in_numpy(self, t: float, x: Array) -> Array:
        """Return the output of one step."""
        with np.errstate(all="ignore"):
            y = self.op.evaluate(*self.values(x))
        return np.asarray(y, dtype=np.float32).reshape(len(x), -1)

    def values(self, x: Array) -> list[Array]:
        """Return the inputs, ``(batch, *shape)`` each."""
        parts = np.split(x, np.cumsum([t.size for t in self.inputs])[:-1], axis=1)
        return [
            part.reshape(len(x), *t.shape) + constant
            for part, t, constant in zip(parts, self.inputs, self.constants, strict=True)
        ]


class Stepped(Computed):
    """The function of a node that steps an op, from a fresh state whenever time starts again."""

    def __init__(self, op: Op, site: Site) -> None:
        """Take the op with its state before the first step."""
        super().__init__(op, site)
        self.start = initial_state(site.node, site.inputs, site.seed)
        self.before = np.inf
        self.state = for_batch(self.start, 1)

    def in_numpy(self, t: float, x: Array) -> Array:
        """Return the output of one step, and keep the state."""
        assert isinstance(self.op, Stateful)
        t = float(t)
        if t <= self.before:
            self.state = for_batch(self.start, len(x))
        dt, self.before = (t if t <= self.before else t - self.before), t
        with np.errstate(all="ignore"):
            y = self.op.step(self.state, dt, *self.values(x))
        return np.asarray(y, dtype=np.float32).reshape(len(x), -1).copy()
