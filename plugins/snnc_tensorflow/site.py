"""The contract of a lowering for TensorFlow: its arguments and its results. There is no more to it than this page.

A lowering is a function ``f(op, site)`` made with ``@lowering("tensorflow", OpClass)`` and returned by the hook
``snnc_register_lowerings``. It runs once, while the program is built, and gives back one of two things:

- a ``Function`` (or any plain callable), for an op whose output depends on its inputs of the same step alone;
- ``StatefulFunction``, for a stateful op: the state of one sample before the first step, and the rule of a step.

Both compute with float32 tensors ``(batch, *shape)``, channels last, inside a ``tf.function``. Arrays that an op needs
are made tensors with ``site.weight``. Take TensorFlow from ``snnc_tensorflow.import_tensorflow``, or import it
inside the function: lowerings are collected before anybody chose a backend.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from snnc.api import (
    Activation,
    AnyArray,
    Lowerings,
    Node,
    Op,
    State,
    Stateful,
    TensorType,
    UnsupportedOpError,
    initial_state,
)
from snnc_tensorflow.import_tensorflow import tf

Tensor: TypeAlias = Any
Tensors: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Function:
    """A function of tensors of the same step."""

    call: Callable[..., Tensor]
    """From one tensor an input to the output."""
    fuse: bool = False
    """Whether it is cheap work on single elements, which XLA joins with its neighbours to one pass over memory."""
    host: bool = False
    """Whether it calls Python, so that it cannot be exported."""


@dataclass(frozen=True)
class StatefulFunction:
    """The rule of a stateful op."""

    start: Mapping[str, AnyArray]
    """The state of one sample before the first step."""
    step: Callable[[Tensors, Tensor], tuple[Tensor, Tensors]]
    """From the state and the driven input to the output and the new state."""
    drive: Callable[..., Tensor] = lambda x: x
    """All of a step that depends on the inputs alone: done once where they do not change."""
    shared: frozenset[str] = field(default_factory=frozenset)
    """The parts of the state that all samples have together; they get no batch axis."""
    fuse: bool = True
    host: bool = False


Lowered: TypeAlias = "Function | StatefulFunction"


@dataclass(frozen=True)
class _Bound:
    """An activation inside another op, by its own lowering."""

    evaluate: Callable[..., Tensor]

    def rule(self, xp: Any, *inputs: Tensor) -> Tensor:
        return self.evaluate(*inputs)


@dataclass(frozen=True)
class Site:
    """Where a node is built."""

    node: Node
    inputs: tuple[TensorType, ...]
    dt: float
    """Seconds a step."""
    seed: int
    """Of everything random."""
    lowerings: Lowerings
    weights: list[Any]
    """The variables of the program."""
    inner_on_host: list[str] = field(default_factory=list)
    """The kinds of ops that are fields of this one and call Python."""

    @property
    def output(self) -> TensorType:
        """Return the type of the node's value."""
        return self.node.type

    @property
    def start(self) -> State:
        """Return the state of one sample before the first step, as every backend has it."""
        return initial_state(self.node, self.inputs, self.seed)

    def weight(self, array: AnyArray) -> Tensor:
        """Return an array as a float32 variable of the program."""
        variable = tf.Variable(array, trainable=False, dtype=tf.float32)
        self.weights.append(variable)
        return variable

    def bound(self, op: Any) -> Any:
        """Return an op whose rule computes in TensorFlow: its arrays are variables, and so are those of its ops."""
        bound = copy.copy(op)
        for name, value in op.attrs().items():
            if isinstance(value, np.ndarray):
                object.__setattr__(bound, name, self.weight(value))
            elif isinstance(value, Activation):
                object.__setattr__(bound, name, _Bound(self.inner(value)))
            elif isinstance(value, Op):
                object.__setattr__(bound, name, self.bound(value))
        return bound

    def inner(self, op: Op | None, *inputs: TensorType) -> Callable[..., Tensor]:
        """Return the function of an op that is a field of this one, by its own lowering; None does nothing."""
        if op is None:
            return lambda x: x
        lower = self.lowerings.get(op)
        if lower is None or (isinstance(op, Stateful) and op.stateful):
            remedy = "add a lowering with the hook snnc_register_lowerings, or use another activation"
            raise UnsupportedOpError(self.lowerings.backend, [(self.node.name, op.kind, remedy)])
        lowered = lower(op, replace(self, inputs=inputs or (self.output,)))
        if not isinstance(lowered, Function):
            lowered = Function(lowered)
        if lowered.host:
            self.inner_on_host.append(op.kind)
        return lowered.call
