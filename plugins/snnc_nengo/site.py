"""The contract of a lowering for Nengo: its arguments and its results. There is no more to it than this page.

A lowering is a function ``f(op, site)`` made with ``@lowering("nengo", OpClass)`` and returned by the hook
``snnc_register_lowerings``. It runs inside the ``with`` block of the network and gives back one of two things:

- **Terms**, for an op that is affine in its inputs: a tuple of ``site.term(...)``. Their sum is the linear part of the
  op. The constant part, such as a bias, is none of the lowering's business: it is ``op.evaluate`` of zeros, and the
  builder moves it into the bias of the next neurons. Such a lowering makes no object. The builder decides
  whether the vector gets a passthrough node or becomes part of a connection.
- **An object**, for everything else: ``site.placed(obj)``, where ``obj`` is a ``nengo.Node`` or the ``neurons`` of
  an ensemble with ``site.size_in`` inputs and ``site.output.size`` outputs. The builder connects the flattened inputs
  to it one behind the other. What arrives lacks the constant parts; the object adds ``site.constants`` itself.

``return (site.linear(op),)`` does for any affine op of one input, and ``return site.host(op)``, a node that runs
``op.evaluate``, or ``op.step`` of an op with a state, for any op at all.

A lowering that imports Nengo does so inside the function: lowerings are collected before anybody chose a backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from snnc.api import (
    AnyArray,
    Array,
    LoweringError,
    Node,
    Op,
    Stateful,
    TensorType,
    initial_state,
    movement_matrix,
    op_matrix,
)
from snnc_nengo.transforms import SparseMatrix, Transform


@dataclass(frozen=True)
class Term:
    """One summand of a linear op: ``y[at : at + n] += synapse(path(input[slot]))``, everything flattened."""

    slot: int = 0
    path: tuple[Transform, ...] = ()
    """The maps to apply one after the other; a node goes between two of them. Empty for the input as it is."""
    at: int = 0
    synapse: Any = None
    """A Nengo synapse that filters the summand, or None."""


@dataclass(frozen=True)
class Placed:
    """An object of the network, and the factor by which its output becomes the value of its node."""

    obj: Any
    scale: float | AnyArray = 1.0


Lowered: TypeAlias = "tuple[Term, ...] | Placed"


@dataclass(frozen=True)
class Site:
    """Where a node is built."""

    node: Node
    inputs: tuple[TensorType, ...]
    constants: tuple[Array, ...]
    """By input slot, in the input's shape: what is to be added to the signal to get the value."""
    seed: int
    """Of everything random."""

    @property
    def name(self) -> str:
        """Return the name of the node, the label of its object."""
        return self.node.name

    @property
    def output(self) -> TensorType:
        """Return the type of the node's value."""
        return self.node.type

    @property
    def size_in(self) -> int:
        """Return the number of elements of all inputs together."""
        return sum(t.size for t in self.inputs)

    def term(self, *path: Transform, slot: int = 0, at: int = 0, synapse: Any = None) -> Term:
        """Return one summand of a linear op."""
        return Term(slot, path, at, synapse)

    def placed(self, obj: Any, scale: float | AnyArray = 1.0) -> Placed:
        """Return an object that gives the node's value divided by ``scale``."""
        return Placed(obj, scale)

    def moving(self, op: Op, slot: int = 0) -> Term:
        """Return the term of one input of an op that only moves and copies elements: a sparse matrix."""
        return self._found(op, slot, movement_matrix(op, self.inputs, slot))

    def linear(self, op: Op, slot: int = 0) -> Term:
        """Return the term of one input of any affine op: a sparse matrix, found by trying every unit vector.

        It takes time for large inputs; a transform made on purpose does not.
        """
        return self._found(op, slot, op_matrix(op, self.inputs, slot))

    def _found(self, op: Op, slot: int, matrix: Any) -> Term:
        if matrix is None:
            raise LoweringError(
                f"node {self.name!r} ({op.kind}): {self.inputs[slot]} is too large to find out its matrix by trying; "
                "use a smaller layer, or add a lowering that makes the transform (docs/hooks.md)"
            )
        return Term(slot, (SparseMatrix(matrix),))

    def host(self, op: Op) -> Placed:
        """Return a node that computes the op in numpy, one sample at a time; steps it, where it has a state."""
        import nengo

        from snnc_nengo.host import HostFunction, HostProcess

        output: Any = HostFunction(op, self.inputs, self.constants)
        if isinstance(op, Stateful) and op.stateful:
            output = HostProcess(output, initial_state(self.node, self.inputs, self.seed))
        label = f"{self.name} ({op.kind} on the host)"
        return Placed(nengo.Node(output, size_in=self.size_in, size_out=self.output.size, label=label))
