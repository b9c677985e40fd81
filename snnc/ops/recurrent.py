"""Recurrent layers: one op over the whole sequence, from its first step to its last.

They are ops that a host evaluates: unrolled over time, a layer of 100 steps would be a graph of thousands of nodes, and
none of its gates has a spiking form. Inputs are x (steps, features), then the mask (steps,) if ``masked``, then
``states`` initial states (units,). Convolutional ones have (*space, channels) in place of features and units.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from snnc.errors import ShapeError
from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import Op, op
from snnc.ir.types import Array, Shape, TensorType
from snnc.ops.activations import Activation, Sigmoid, Tanh

GIVES = ("sequence", "last", "state", "cell")
"""What an op returns: the output of every step, of the last one, or a state after the last one."""


@op
class Recurrent(Op):
    """The loop over time that all recurrent layers share. kernel (features, gates * units)."""

    arity: ClassVar[int | None] = None
    gates: ClassVar[int] = 1
    memories: ClassVar[int] = 1
    """Number of states of a cell; the first is its output."""
    kernel: Array
    recurrent: Array
    bias: Array
    activation: Activation | None = Tanh()
    gives: str = "sequence"
    backwards: bool = False
    """Whether to read the sequence from its end; the output is then in the order of reading."""
    masked: bool = False
    zero_masked: bool = False
    """Whether a masked step gives zeros; otherwise it repeats the output before it."""
    states: int = 0

    @property
    def units(self) -> int:
        """Return the number of units."""
        return int(self.recurrent.shape[0])

    @property
    def bias_shape(self) -> Shape:
        """Return the shape that the bias has to have."""
        return (self.gates * self.units,)

    def state(self, shape: Shape) -> Shape:
        """Return the shape of a state, given that of a slice of x; raise ShapeError where the weights do not fit."""
        wide = self.gates * self.units
        if self.kernel.shape != (*shape, wide) or self.recurrent.shape != (self.units, wide):
            raise ShapeError(f"kernel {self.kernel.shape} and recurrent {self.recurrent.shape} do not fit {shape}")
        return (self.units,)

    def infer(self, *inputs: TensorType) -> TensorType:
        x = inputs[0]
        if len(x.shape) < 2:
            raise ShapeError(f"a recurrent layer needs steps of features, got {x}")
        state = self.state(x.shape[1:])
        if self.bias.shape != self.bias_shape:
            raise ShapeError(f"the bias has shape {self.bias.shape}, not {self.bias_shape}")
        if self.gives not in GIVES[: 2 + self.memories] or self.states not in (0, self.memories):
            raise ShapeError(f"gives {self.gives!r} or {self.states} initial state(s) are not of this layer")
        want = [(x.shape[0],)] * self.masked + [state] * self.states
        if [other.shape for other in inputs[1:]] != want:
            raise ShapeError(f"after x come a mask and states of shapes {want}, got {', '.join(map(str, inputs[1:]))}")
        return TensorType((x.shape[0], *state) if self.gives == "sequence" else state)

    def multiply_adds(self, *inputs: TensorType) -> int:
        return inputs[0].shape[0] * int(self.kernel.size + self.recurrent.size)

    def evaluate(self, *inputs: Array) -> Array:
        x, rest = inputs[0], list(inputs[1:])
        mask = rest.pop(0) if self.masked else None
        zeros = np.zeros((len(x), *self.state(x.shape[2:])), dtype=np.float32)
        states = tuple(rest) or (zeros,) * self.memories
        projected = self.project(NUMPY, x)
        out, outputs = zeros, []
        for t in reversed(range(x.shape[1])) if self.backwards else range(x.shape[1]):
            out, states = self.advance(NUMPY, projected[:, t], out, states, None if mask is None else mask[:, t])
            outputs.append(out)
        if self.gives == "sequence":
            return np.stack(outputs, axis=1)
        return {"last": out, "state": states[0], "cell": states[-1]}[self.gives]

    def advance(
        self, xp: Namespace, x: Any, out: Any, states: tuple[Any, ...], mask: Any | None
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the output and the states after a step.

        Args:
            xp: the array namespace.
            x: the projected input, ``(batch, ..., gates * units)``.
            out: the output of the step before.
            states: the states before.
            mask: ``(batch,)``, 0 where the step does not count; None where all count.

        """
        new = self.rule(xp, x, states)
        if mask is None:
            return new[0], new
        keep = xp.reshape(mask, (-1, *(1,) * (len(out.shape) - 1))) != 0
        kept = xp.where(keep, new[0], xp.zeros_like(out) if self.zero_masked else out)
        return kept, tuple(xp.where(keep, a, b) for a, b in zip(new, states, strict=True))

    def project(self, xp: Namespace, x: Any) -> Any:
        """Return the part of the gates that depends on the input alone, for every step."""
        return xp.matmul(x, self.kernel) + self.bias

    @abstractmethod
    def rule(self, xp: Namespace, x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the states after a step; ``x`` (batch, ..., gates * units) is the projected input."""


def _apply(activation: Activation | None, x: Any) -> Any:
    return x if activation is None else activation.evaluate(x)


@op
class SimpleRnn(Recurrent):
    """h = act(x W + h U + b)."""

    kind: ClassVar[str] = "simple-rnn"

    def rule(self, xp: Namespace, x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_apply(self.activation, x + xp.matmul(states[0], self.recurrent)),)


@op
class Lstm(Recurrent):
    """i, f, o = gate(x W + h U + b); c = f c + i act(x W + h U + b); h = o act(c). Gates in the order i, f, c, o."""

    kind: ClassVar[str] = "lstm"
    gates: ClassVar[int] = 4
    memories: ClassVar[int] = 2
    gate: Activation | None = Sigmoid()

    def rule(self, xp: Namespace, x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        h, c = states
        n, inner = self.units, x + self.recur(xp, h)
        i, f, z, o = (inner[..., k * n : (k + 1) * n] for k in range(4))
        c = _apply(self.gate, f) * c + _apply(self.gate, i) * _apply(self.activation, z)
        return _apply(self.gate, o) * _apply(self.activation, c), c

    def recur(self, xp: Namespace, h: Any) -> Any:
        """Return the part of the gates that depends on the state."""
        return xp.matmul(h, self.recurrent)


@op
class Gru(Recurrent):
    """z, r = gate(x W + h U + b); h = z h + (1 - z) act(x W + r (h U + b')). Gates in the order z, r, h.

    With ``reset_after`` the bias is (2, 3 units), its second row b' added to h U; without, the last term is
    act(x W + (r h) U + b).
    """

    kind: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3
    gate: Activation | None = Sigmoid()
    reset_after: bool = True

    @property
    def bias_shape(self) -> Shape:
        wide = self.gates * self.units
        return (2, wide) if self.reset_after else (wide,)

    def project(self, xp: Namespace, x: Any) -> Any:
        return xp.matmul(x, self.kernel) + (self.bias[0] if self.reset_after else self.bias)

    def rule(self, xp: Namespace, x: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
        (h,) = states
        n = self.units
        if self.reset_after:
            inner = xp.matmul(h, self.recurrent) + self.bias[1]
            zr, reset = x[:, : 2 * n] + inner[:, : 2 * n], inner[:, 2 * n :]
        else:
            zr = x[:, : 2 * n] + xp.matmul(h, self.recurrent[:, : 2 * n])
        gates = _apply(self.gate, zr)
        z, r = gates[:, :n], gates[:, n:]
        reset = r * reset if self.reset_after else xp.matmul(r * h, self.recurrent[:, 2 * n :])
        return (z * h + (1 - z) * _apply(self.activation, x[:, 2 * n :] + reset),)


@op
class TimeFilter(Op):
    """Filter each element over the first axis (time): a low-pass, or two of them (``order`` 2), one step ``dt`` each.

    tau dy/dt = u - y with u held over a step, in seconds; tau and initial (the y before the first step) have one value
    an element.
    """

    kind: ClassVar[str] = "time-filter"
    linear: ClassVar[bool] = True
    tau: Array
    initial: Array
    dt: float = 0.001
    order: int = 1

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if not x.shape or self.tau.shape != x.shape[1:] or self.initial.shape != x.shape[1:]:
            raise ShapeError(f"tau {self.tau.shape} and initial {self.initial.shape} do not fit the steps of {x}")
        if self.order not in (1, 2):
            raise ShapeError(f"a filter of order {self.order} is unknown; it must be 1 or 2")
        return TensorType(x.shape)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        state = (np.repeat(self.initial[None], len(x), axis=0), np.zeros_like(x[:, 0]))
        outputs = []
        for t in range(x.shape[1]):
            state = self.rule(NUMPY, x[:, t], state)
            outputs.append(state[0])
        return np.stack(outputs, axis=1)

    def rule(self, xp: Namespace, x: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        """Return y and dt * dy/dt (which the second order needs) after a step with the input ``x``."""
        ratio = self.dt / xp.maximum(self.tau, 1e-8)
        decay = xp.exp(-ratio)
        y, slope = state
        gap = y - x
        if self.order == 1:
            y = x + decay * gap
        else:
            # the exact solution of (tau d/dt + 1)^2 y = u, as an error that decays
            y = x + decay * ((1 + ratio) * gap + slope)
            slope = decay * ((1 - ratio) * slope - ratio**2 * gap)
        return xp.astype(y, x.dtype), xp.astype(slope, x.dtype)
