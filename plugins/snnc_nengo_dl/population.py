"""A population as one operator: its input filters, gains and bias, and its neurons, fused into one pass over memory.

As NengoDL builds it, a population of a convolution is a dozen elementwise operations a step, each of which reads and
writes arrays of the size of a batch: that, not the convolution, is where the time goes (docs/performance.md). Here
they are one operator, which XLA compiles into one loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo_dl.builder import OpBuilder
from snnc_nengo.find_populations import Pattern
from snnc_nengo.operators import compact
from snnc_tensorflow.loop import LEAST
from snnc_tensorflow.namespace import TENSORFLOW

from snnc.api import Neurons, Node
from snnc_nengo_dl.training import channels, tied

Tensor: TypeAlias = Any


class Population(Operator):
    """Sets the output of neurons, and updates their states and the filters in front of them."""

    def __init__(self, pattern: Pattern, step: Any, node: Node) -> None:
        """Take the place of the operators of a pattern.

        Args:
            pattern: what was found.
            step: the signal that counts the steps, which random neurons read.
            node: the population in the graph.
        """
        assert isinstance(node.op, Neurons)
        first, last = pattern.neurons[0], pattern.neurons[-1]
        super().__init__(tag=f"{last.output.name} population")
        self.model, self.channels = node.op.model, channels(node)
        self.amplitude = float(getattr(last.neurons, "amplitude", 1.0))
        """What a spike, or 1 Hz, is worth."""
        self.inflows, self.bias = pattern.inflows, pattern.bias
        named = {name: s for operator in pattern.neurons for name, s in operator.state.items()}
        self.names, self.states = list(named), list(named.values())
        random = {name: rng for operator in pattern.neurons for name, rng in operator.state_extra.items()}
        self.streams = list(random)
        self.seed = drawn(next(iter(random.values()))) if random else None
        self.step = step if random else None
        self.sets, self.incs = [last.output], list[Any]()
        filters = [i.filtered for i in self.inflows if i.synapse is not None]
        self.reads = [*(i.x for i in self.inflows), pattern.bias, *([] if self.step is None else [self.step])]
        self.updates = [*self.states, *filters]
        self.size = first.J.size

    @property
    def output(self) -> Any:
        """Return the signal of the neurons' output."""
        return self.sets[0]


class PopulationBuilder(OpBuilder):
    """Builds a Population."""

    def build_pre(self, signals: Any, config: Any) -> None:
        """Prepare what is the same in every step."""
        super().build_pre(signals, config)
        (self.op,) = self.ops
        self.decays = [decay(i.synapse, signals.dt_val) for i in self.op.inflows]
        self.gains = [None if np.all(i.gain == 1) else compact(i.gain, np.float32) for i in self.op.inflows]
        self.fused: Any = self.advance
        if self.op.size >= LEAST:
            self.fused = tf.function(self.advance, jit_compile=True, autograph=False)
        self.dt = signals.dt_val

    def build_step(self, signals: Any) -> None:
        """Add a step to TensorFlow's graph."""
        op = self.op
        x = [signals.gather(signals[i.x]) for i in op.inflows]
        held = [signals.gather(signals[i.filtered]) for i in op.inflows if i.synapse is not None]
        states = [signals.gather(signals[s]) for s in op.states]
        bias = signals.gather(signals[op.bias])
        if not self.config.inference_only:
            bias = tied(bias, op.channels)
        training = self.config.training
        if self.config.inference_only or training is False or not op.model.spiking:
            self.write(signals, *self.infer(signals, x, held, states, bias))
        elif training is True:
            self.write(signals, *self.train(x, held, states, bias))
        else:
            self.write(
                signals,
                *tf.cond(
                    tf.cast(training, tf.bool),
                    lambda: self.train(x, held, states, bias),
                    lambda: tf.nest.map_structure(tf.stop_gradient, self.infer(signals, x, held, states, bias)),
                ),
            )

    def infer(self, signals: Any, x: Any, held: Any, states: Any, bias: Tensor) -> tuple[Any, Any, Any]:
        """Return (output, filters, states) after a step."""
        uniform = None
        if self.op.step is not None:
            seeds = tf.stack([signals.gather(signals[self.op.step])[0], self.op.seed])
            uniform = tf.random.stateless_uniform((self.op.size,), seeds)
        return self.fused(x, held, states, bias, uniform)

    def train(self, x: Any, held: Any, states: Any, bias: Tensor) -> tuple[Any, Any, Any]:
        """Return what ``infer`` does, with rates in place of spikes; states stay as they are."""
        model = self.op.model
        if not model.trainable:
            raise nengo.exceptions.BuildError(
                f"{self.op.tag}: {model.kind} neurons cannot be trained; choose others for this layer"
            )
        current, filters = self.current(x, held, bias)
        return model.response(TENSORFLOW, current) * self.op.amplitude, filters, states

    def advance(self, x: Any, held: Any, states: Any, bias: Tensor, uniform: Tensor | None) -> tuple[Any, Any, Any]:
        """Return (output, filters, states) after a step: elementwise operations only."""
        op, model = self.op, self.op.model
        value, filters = self.current(x, held, bias)
        state = {**dict(zip(op.names, states, strict=True)), **{name: Draws(uniform) for name in op.streams}}
        value, after = model.rule(TENSORFLOW, model.drive(TENSORFLOW, value, self.dt), state, self.dt)
        value *= op.amplitude / self.dt if model.spiking else op.amplitude
        return value, filters, [after[name] for name in op.names]

    def current(self, x: Any, held: Any, bias: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the current, and the filters after the step."""
        total, filters, waiting = bias[None], [], iter(held)
        for value, gain, keep in zip(x, self.gains, self.decays, strict=True):
            if keep is not None:
                shown = next(waiting)
                filters.append(keep[0] * shown + keep[1] * value)
                value = shown
            total += value if gain is None else value * gain
        return total, filters

    def write(self, signals: Any, output: Tensor, filters: Sequence[Tensor], states: Sequence[Tensor]) -> None:
        """Store what a step gave."""
        op = self.op
        shape = (signals.minibatch_size, op.size)
        signals.scatter(signals[op.output], tf.ensure_shape(output, shape))
        targets = [i.filtered for i in op.inflows if i.synapse is not None]
        for signal, value in (*zip(targets, filters, strict=True), *zip(op.states, states, strict=True)):
            signals.scatter(signals[signal], tf.ensure_shape(value, shape))


COUNTS = 64
"""The most spikes that a Poisson neuron fires in a step."""


class Draws:
    """A ``RandomStream`` for one step: the same numbers for every sample of a minibatch."""

    def __init__(self, uniform: Tensor) -> None:
        """Take numbers from 0 to 1, one a neuron."""
        self._left = [uniform]

    def uniform(self, shape: Any) -> Tensor:
        """Return the numbers."""
        if not self._left:
            raise nengo.exceptions.BuildError("neurons that draw more than one number a step do not run in NengoDL")
        return self._left.pop()

    def poisson(self, mean: Tensor) -> Tensor:
        """Return Poisson counts, by the inverse of the distribution function."""
        uniform, chance = self.uniform(mean.shape[1:]), tf.exp(-mean)
        below, counts = chance, tf.zeros_like(mean)
        for k in range(1, COUNTS + 1):
            counts += tf.cast(uniform > below, mean.dtype)
            chance *= mean / k
            below += chance
        return counts


def drawn(rng: np.random.RandomState) -> int:
    """Return the number that a generator would draw next."""
    copy = np.random.RandomState()
    copy.set_state(rng.get_state())
    return int(copy.randint(2**31))


def decay(synapse: Any, dt: float) -> tuple[float, float] | None:
    """Return the factors of the old value and of the input in a step of a low-pass, or None without one."""
    return None if synapse is None else (math.exp(-dt / synapse.tau), -math.expm1(-dt / synapse.tau))
