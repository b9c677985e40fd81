"""Find, among the operators that Nengo built, those of a population's current, and those that never change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset, SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc

from snnc.api import AnyArray
from snnc_nengo.host import HostFunction
from snnc_nengo.operators import Correlate, Population, Product


@dataclass
class Inflow:
    """One summand of a current: ``gain * x``, or ``gain * filter(x)``."""

    x: Any
    """A signal."""
    gain: AnyArray
    synapse: Any = None
    """A ``nengo.Lowpass``, or None."""
    filtered: Any = None
    """The signal that holds what the filter gives."""


@dataclass
class Pattern:
    """The operators that a population is made of."""

    neurons: list[Any]
    """SimNeurons: one, or one that gives rates and one that makes spikes of them."""
    inflows: list[Inflow] = field(default_factory=list)
    bias: Any = None
    """A signal."""
    used: list[Any] = field(default_factory=list)
    """The operators that compute the current."""


class Uses:
    """Who writes and who reads each signal; views count as what they are views of."""

    def __init__(self, operators: Sequence[Any]) -> None:
        """Look through all operators."""
        self.writers: dict[Any, list[Any]] = defaultdict(list)
        self.readers: dict[Any, list[Any]] = defaultdict(list)
        for operator in operators:
            for signal in (*operator.sets, *operator.incs, *operator.updates):
                self.writers[signal.base].append(operator)
            for signal in operator.reads:
                self.readers[signal.base].append(operator)

    def zero(self, signal: Any, *besides: Any) -> Reset | None:
        """Return the operator that sets a signal to zero, or None if something else writes it besides the given."""
        writers = [operator for operator in self.writers[signal.base] if operator not in besides]
        only = writers[0] if len(writers) == 1 else None
        return only if isinstance(only, Reset) and np.all(only.value == 0) else None


def find(chain: Sequence[SimNeurons], uses: Uses, *, filters: bool) -> Pattern | None:
    """Return the population whose current the first of these neurons take, or None where it has another form.

    Args:
        chain: neurons, and those that make spikes of their rates.
        uses: of all signals.
        filters: whether filters in front of it belong to a population.
    """
    current = chain[0].J
    if current.is_view or len(uses.readers[current.base]) > 1:
        return None
    pattern = Pattern(list(chain))
    for operator in uses.writers[current.base]:
        if not _joins(operator, current, pattern, uses, filters):
            return None
    return None if pattern.bias is None else pattern


def _joins(operator: Any, current: Any, pattern: Pattern, uses: Uses, filters: bool) -> bool:
    """Add a writer of the current to the pattern; return whether it is one of those that are known."""
    if isinstance(operator, Copy) and not operator.inc and operator.dst is current and operator.src_slice is None:
        pattern.bias = operator.src
    elif (
        isinstance(operator, ElementwiseInc)
        and operator.Y is current
        and operator.X.shape == current.shape
        and not uses.writers[operator.A.base]
    ):
        gain = np.broadcast_to(operator.A.initial_value, current.shape)
        pattern.inflows.append(_inflow(operator.X, gain, pattern, uses) if filters else Inflow(operator.X, gain))
    elif isinstance(operator, DotInc) and (reset := uses.zero(operator.X)) is not None:
        pattern.used.append(reset)  # an ensemble without an input of its own
    else:
        return False
    pattern.used.append(operator)
    return True


def _inflow(x: Any, gain: Any, pattern: Pattern, uses: Uses) -> Inflow:
    """Return what flows in, with the filter that it has to itself."""
    writers = uses.writers[x.base]
    if len(writers) == 1 and len(uses.readers[x.base]) == 1 and isinstance(writers[0], SimProcess):
        (operator,) = writers
        if isinstance(operator.process, nengo.Lowpass) and operator.mode == "update" and not x.is_view:
            pattern.used.append(operator)
            return Inflow(operator.input, gain, operator.process, x)
    return Inflow(x, gain)


def changing_operators(order: Sequence[Any]) -> set[Any]:
    """Return the operators whose results may differ from step to step while the inputs stay the same."""
    changing = {op for op in order if op.updates or not _is_function(op)}
    bases = {s.base for op in changing for s in (*op.sets, *op.incs, *op.updates)}
    while True:
        # whoever shares an array with a changing operator, to read or to write it, has to run with it
        more = {op for op in order if op not in changing and not bases.isdisjoint(_arrays(op))}
        if not more:
            return changing
        changing |= more
        bases |= {s.base for op in more for s in (*op.sets, *op.incs)}


def _is_function(op: Any) -> bool:
    """Return whether an operator's result depends on the signals that it reads alone."""
    if isinstance(op, (SimNeurons, Population)):
        return not op.state and not getattr(op, "state_extra", None)
    return _on_host(op) or isinstance(op, (Reset, Copy, ElementwiseInc, DotInc, ConvInc, Correlate, Product))


def _arrays(op: Any) -> set[Any]:
    """Return the arrays that an operator's result depends on or goes to; the functions of ours ignore the time."""
    return {s.base for s in op.all_signals if not (_on_host(op) and s is op.t)}


def _on_host(op: Any) -> bool:
    return isinstance(op, SimPyFunc) and isinstance(op.fn, HostFunction)
