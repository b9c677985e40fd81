"""Find the operators of populations in what Nengo built, and put one operator in their place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset, TimeUpdate
from nengo.builder.processes import SimProcess

from snnc_nengo_dl.dynamics import dynamics
from snnc_nengo_dl.population import Inflow, Pattern, Population


class Fuse:
    """A simplification for NengoDL: operators to operators. What does not look as expected stays as it is."""

    def __init__(self, channels: Mapping[str, int]) -> None:
        """Take, by the name of a bias signal, how many channels share the biases."""
        self.channels = channels

    def __call__(self, operators: Sequence[Any]) -> list[Any]:
        """Return the operators, with those of populations fused."""
        uses = Uses(operators)
        steps = [operator.step for operator in operators if isinstance(operator, TimeUpdate)]
        fused: dict[Any, Population] = {}
        gone: set[Any] = set()
        for operator in operators:
            pattern = find(operator, uses) if isinstance(operator, SimNeurons) else None
            if pattern is not None:
                channels = self.channels.get(pattern.bias.name)
                fused[pattern.neurons[-1]] = Population(pattern, steps[0] if steps else None, channels)
                gone.update(pattern.used)
        if not fused:
            return list(operators)
        return [fused.get(operator, operator) for operator in operators if operator in fused or operator not in gone]


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

    def zero(self, signal: Any) -> Reset | None:
        """Return the operator that keeps a signal at zero, or None if something else writes it."""
        writers = self.writers[signal.base]
        only = writers[0] if len(writers) == 1 else None
        return only if isinstance(only, Reset) and np.all(only.value == 0) else None


def find(neurons: SimNeurons, uses: Uses) -> Pattern | None:
    """Return the population whose current these neurons take, or None where it has another form."""
    chain = [neurons]
    readers = uses.readers[neurons.output.base]
    if len(readers) == 1 and isinstance(readers[0], SimNeurons):
        chain.append(readers[0])  # rates, of which others make spikes
    if any(dynamics(operator.neurons) is None for operator in chain):
        return None
    pattern = Pattern(chain, used=list(chain))
    for operator in uses.writers[neurons.J.base]:
        if not _joins(operator, neurons.J, pattern, uses):
            return None
    return None if pattern.bias is None else pattern


def _joins(operator: Any, current: Any, pattern: Pattern, uses: Uses) -> bool:
    """Add a writer of the current to the pattern; return whether it is one of those that are known."""
    if isinstance(operator, Copy) and not operator.inc and operator.dst is current and operator.src_slice is None:
        pattern.bias = operator.src
    elif isinstance(operator, ElementwiseInc) and operator.Y is current and operator.X.shape == current.shape:
        gain = np.broadcast_to(operator.A.initial_value, current.shape)
        pattern.inflows.append(_inflow(operator.X, gain, pattern, uses))
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
