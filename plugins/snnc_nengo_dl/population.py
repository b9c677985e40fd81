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

from snnc_nengo_dl.dynamics import dynamics
from snnc_nengo_dl.training import tied

Tensor: TypeAlias = Any


class Population(Operator):
    """Sets the output of neurons, and updates their states and the filters in front of them."""

    def __init__(self, pattern: Pattern, step: Any, channels: int | None) -> None:
        """Take the place of the operators of a pattern.

        Args:
            pattern: what was found.
            step: the signal that counts the steps, which random neurons read.
            channels: how many channels there are, if all neurons of one share a bias.
        """
        first, last = pattern.neurons[0], pattern.neurons[-1]
        super().__init__(tag=f"{last.output.name} population")
        self.neurons = [operator.neurons for operator in pattern.neurons]
        self.inflows, self.bias, self.channels = pattern.inflows, pattern.bias, channels
        states = [s for operator in pattern.neurons for s in ordered_states(operator)]
        self.states = states
        random = [rng for operator in pattern.neurons for rng in operator.state_extra.values()]
        self.seed = drawn(random[0]) if random else None
        self.step = step if random else None
        self.sets, self.incs = [last.output], list[Any]()
        filters = [i.filtered for i in self.inflows if i.synapse is not None]
        self.reads = [*(i.x for i in self.inflows), pattern.bias, *([] if self.step is None else [self.step])]
        self.updates = [*states, *filters]
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
        self.rules = [rule for neurons in self.op.neurons if (rule := dynamics(neurons)) is not None]
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
        if self.config.inference_only or training is False or not self.spiking:
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

    @property
    def spiking(self) -> bool:
        """Return whether the neurons spike, so that gradients do not pass them."""
        return self.rules[-1].spiking

    def infer(self, signals: Any, x: Any, held: Any, states: Any, bias: Tensor) -> tuple[Any, Any, Any]:
        """Return (output, filters, states) after a step."""
        uniform = None
        if self.op.step is not None:
            seeds = tf.stack([signals.gather(signals[self.op.step])[0], self.op.seed])
            uniform = tf.random.stateless_uniform((self.op.size,), seeds)
        return self.fused(x, held, states, bias, uniform)

    def train(self, x: Any, held: Any, states: Any, bias: Tensor) -> tuple[Any, Any, Any]:
        """Return what ``infer`` does, with rates in place of spikes; states stay as they are."""
        current, filters = self.current(x, held, bias)
        for rule, neurons in zip(self.rules, self.op.neurons, strict=True):
            if rule.rate is None:
                raise nengo.exceptions.BuildError(
                    f"{self.op.tag}: {type(neurons).__name__} neurons cannot be trained; choose others for this layer"
                )
            current = rule.rate(current) * amplitude(neurons)
        return current, filters, states

    def advance(self, x: Any, held: Any, states: Any, bias: Tensor, uniform: Tensor | None) -> tuple[Any, Any, Any]:
        """Return (output, filters, states) after a step: elementwise operations only."""
        value, filters = self.current(x, held, bias)
        left, after = list(states), []
        for rule, neurons in zip(self.rules, self.op.neurons, strict=True):
            mine, left = left[: len(rule.states)], left[len(rule.states) :]
            drawn = [uniform] if rule.random else []
            value, *new = rule.step(value, self.dt, *drawn, *mine)
            value *= amplitude(neurons) / self.dt if rule.spiking else amplitude(neurons)
            after += new
        return value, filters, after

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


def ordered_states(operator: Any) -> list[Any]:
    """Return the state signals of a SimNeurons operator in the order of its dynamics."""
    rule = dynamics(operator.neurons)
    assert rule is not None
    return [operator.state[name] for name in rule.states]


def drawn(rng: np.random.RandomState) -> int:
    """Return the number that a generator would draw next."""
    copy = np.random.RandomState()
    copy.set_state(rng.get_state())
    return int(copy.randint(2**31))


def amplitude(neurons: Any) -> float:
    """Return what a spike, or 1 Hz, of neurons is worth."""
    return float(getattr(neurons, "amplitude", 1.0))


def decay(synapse: Any, dt: float) -> tuple[float, float] | None:
    """Return the factors of the old value and of the input in a step of a low-pass, or None without one."""
    return None if synapse is None else (math.exp(-dt / synapse.tau), -math.expm1(-dt / synapse.tau))
