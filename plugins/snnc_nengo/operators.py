"""Operators that stand for several of Nengo's in its reference simulator: they pass over less memory.

Signals are looked up in ``sets`` and ``reads`` when a step is made, because Nengo's optimizer replaces them there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import nengo
import numpy as np
from nengo.builder.operator import Operator
from nengo.synapses import LinearFilter

from snnc.api import NUMPY, AnyArray, NeuronModel, State, convolve, matmul, matvec
from snnc.api import neurons as models
from snnc_nengo.neuron_types import ModelNeurons, firing

Step = Callable[[], None]
Drive = Callable[[AnyArray], AnyArray]
Fire = Callable[[AnyArray], None]
"""A step of neurons for what drives them, which it must not change."""


class Correlate(Operator):
    """Sets ``Y`` to the convolution of ``X`` with the kernel ``W``, channels last, by one matrix product."""

    def __init__(self, operator: Any, *, single: bool) -> None:
        """Take the place of a ConvInc and of the Reset in front of it; ``single`` is for products of float32."""
        super().__init__(tag=operator.tag)
        self.transform, self.single = operator.conv, single
        self.sets, self.incs, self.updates = [operator.Y], list[Any](), list[Any]()
        self.reads = [operator.W, operator.X]

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Return the function of a step."""
        transform = self.transform
        x, y = signals[self.reads[1]], signals[self.sets[0]]
        real = np.float32 if self.single else y.dtype
        kernel = np.ascontiguousarray(signals[self.reads[0]], dtype=real)
        shape, size, strides = transform.input_shape.shape, kernel.shape[:-2], transform.strides
        x = x.reshape(shape)
        out, outputs = transform.output_shape.spatial_shape, kernel.shape[-1]
        ones = (1,) * len(size)
        pads = convolve.pads_for(transform.padding, shape[:-1], size, strides, ones)
        around = list(zip(shape, (*pads, (0, 0)), strict=True))
        wide = np.zeros((1, *(n + a + b for n, (a, b) in around)), dtype=real)
        inside: AnyArray = wide[0][tuple(slice(a, a + n) for n, (a, _) in around)]
        if transform.groups > 1:
            whole = y.reshape(1, *out, outputs)

            def depthwise() -> None:
                inside[...] = x
                whole[...] = convolve.depthwise(wide, kernel, strides, ones, out)

            return depthwise
        windows = convolve.windows(wide, size, strides, ones, out)
        columns = np.empty(windows.shape, dtype=real)
        rows, weights = columns.reshape(np.prod(out), -1), kernel.reshape(-1, outputs)
        flat = y.reshape(-1, outputs)
        product = np.empty(flat.shape, dtype=real)

        def step() -> None:
            inside[...] = x
            columns[...] = windows
            flat[...] = matmul(rows, weights, product)

        return step


class Product(Operator):
    """Sets ``Y`` to ``W @ X``, by the BLAS of the convolutions: the threads of two such libraries block each other."""

    def __init__(self, operator: Any, *, single: bool) -> None:
        """Take the place of a DotInc and of the Reset in front of it; ``single`` is for products of float32."""
        super().__init__(tag=operator.tag)
        self.single = single
        self.sets, self.incs, self.updates = [operator.Y], list[Any](), list[Any]()
        self.reads = [operator.A, operator.X]

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Return the function of a step."""
        x, y = signals[self.reads[1]], signals[self.sets[0]]
        real = np.float32 if self.single else y.dtype
        weights = np.ascontiguousarray(signals[self.reads[0]], dtype=real)
        shown, product = np.empty(x.shape, dtype=real), np.empty(y.shape, dtype=real)

        def step() -> None:
            shown[...] = x
            matvec(weights, shown, product)
            y[...] = product

        return step


class Smooth(Operator):
    """Updates ``y`` to the low-pass filtered ``x``."""

    def __init__(self, operator: Any) -> None:
        """Take the place of the SimProcess of a ``nengo.Lowpass``."""
        super().__init__(tag=operator.tag)
        self.process = operator.process
        self.sets, self.incs = list[Any](), list[Any]()
        self.reads, self.updates = [operator.input], [operator.output]

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Return the function of a step."""
        x, y = signals[self.reads[0]], signals[self.updates[0]]
        state = {"X": np.zeros((1, *y.shape), dtype=y.dtype)}
        rule: Any = self.process.make_step(x.shape, y.shape, dt, rng, state)
        keep, come = rule.a, rule.b
        part = np.empty_like(y)

        def step() -> None:
            np.multiply(y, keep, out=y)
            np.multiply(x, come, out=part)
            np.add(y, part, out=y)

        return step


class Population(Operator):
    """Sets the output of neurons and their states: ``current = bias + sum of gain * x``, then their step."""

    def __init__(self, operator: Any, xs: Sequence[Any], gains: Sequence[AnyArray], bias: Any, *, still: bool) -> None:
        """Take the place of a SimNeurons and, but for a ``still`` current, of the operators that compute its current.

        Args:
            operator: of the neurons.
            xs: the signals that flow in: the current alone where it is still.
            gains: one array or number for each.
            bias: a signal, or None.
            still: whether the current never changes.
        """
        super().__init__(tag=operator.tag)
        self.neurons, self.gains, self.still = operator.neurons, gains, still
        self.sets, self.incs, self.updates = list(operator.sets), list[Any](), list(operator.updates)
        self.reads = [*xs, *([] if bias is None else [bias])]
        self.state_idxs = dict(operator.state_idxs)

    @property
    def state(self) -> Mapping[str, Any]:
        """Return the signals of the states by name."""
        return {name: self.sets[index] for name, index in self.state_idxs.items()}

    @property
    def output(self) -> Any:
        """Return the signal of the neurons' output."""
        return self.sets[0]

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Return the function of a step."""
        output = signals[self.output]
        states = {name: signals[signal] for name, signal in self.state.items()}
        drive, fire = _rule(self.neurons, dt, output, states)
        inflows = [signals[signal] for signal in self.reads]
        if self.still:
            driven: list[AnyArray] = []

            def again() -> None:
                if not driven:
                    driven.append(drive(inflows[0].copy()))
                fire(driven[0])

            return again
        current = np.empty_like(output)
        first, *others, bias = inflows
        gain, *gains = [compact(g, output.dtype) for g in self.gains]
        part = np.empty_like(output)

        def step() -> None:
            np.multiply(first, gain, out=current)
            np.add(current, bias, out=current)
            for x, g in zip(others, gains, strict=True):
                np.multiply(x, g, out=part)
                np.add(current, part, out=current)
            fire(drive(current))

        return step


class Once(Operator):
    """Runs an operator in the first step only, because its results never change."""

    def __init__(self, operator: Any) -> None:
        """Take the operator."""
        super().__init__(tag=operator.tag)
        self.operator = operator
        self.sets, self.incs = operator.sets, operator.incs
        self.reads, self.updates = operator.reads, operator.updates

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Return the function of a step."""
        inner = self.operator
        inner.sets, inner.incs, inner.reads = self.sets, self.incs, self.reads
        waiting = [inner.make_step(signals, dt, rng)]

        def step() -> None:
            if waiting:
                waiting.pop()()

        return step


def _rule(neurons: Any, dt: float, output: AnyArray, states: State) -> tuple[Drive, Fire]:
    """Return what turns a current into a drive, and the step for it: the model's, or that of a type of Nengo's."""
    model: NeuronModel | None = neurons.model if isinstance(neurons, ModelNeurons) else None
    if type(neurons) is nengo.SpikingRectifiedLinear:
        model = models.SpikingRelu()  # in fewer passes over memory
    if model is None:
        return lambda current: current, lambda current: neurons.step(dt, current, output, **states)
    amplitude = neurons.amplitude
    drive: Drive = partial(model.drive, NUMPY, dt=dt)
    if isinstance(model, models.SpikingRelu):
        drive = partial(_rectified, dt=dt)
    return drive, firing(model, amplitude, dt, output, states)


def _rectified(current: AnyArray, dt: float) -> AnyArray:
    """Return the drive of SpikingRelu, in place: new arrays take two thirds more time for large layers."""
    np.maximum(current, 0, out=current)
    current *= dt
    return current


def is_lowpass(operator: Any) -> bool:
    """Return whether ``Smooth`` can take the place of a SimProcess."""
    if not isinstance(operator.process, nengo.Lowpass) or operator.mode != "update" or operator.output.size < 2:
        return False
    (state,) = operator.state.values()
    rule = operator.process.make_step(
        operator.input.shape, operator.output.shape, 0.001, np.random, {"X": state.initial_value.copy()}
    )
    return isinstance(rule, LinearFilter.OneX) and not state.initial_value.any()


def compact(values: AnyArray, dtype: Any) -> Any:
    """Return an array as it is, or the number that all its elements are."""
    return values.flat[0].astype(dtype) if (values == values.flat[0]).all() else np.asarray(values, dtype=dtype)
