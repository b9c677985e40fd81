"""Find the operators of populations among those that Nengo built, and put one operator in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import TimeUpdate
from snnc_nengo.find_populations import Pattern, Uses, find

from snnc.api import Node
from snnc_nengo_dl.population import Population


class Fuse:
    """A simplification for NengoDL: operators to operators. What does not look as expected stays as it is."""

    def __init__(self, populations: Mapping[str, Node]) -> None:
        """Take the populations of the graph by the names of their bias signals."""
        self.populations = populations

    def __call__(self, operators: Sequence[Any]) -> list[Any]:
        """Return the operators, with those of populations fused."""
        uses = Uses(operators)
        steps = [operator.step for operator in operators if isinstance(operator, TimeUpdate)]
        fused: dict[Any, Population] = {}
        gone: set[Any] = set()
        for operator in operators:
            pattern = _population(operator, uses) if isinstance(operator, SimNeurons) else None
            if pattern is not None and pattern.bias.name in self.populations:
                node = self.populations[pattern.bias.name]
                fused[pattern.neurons[-1]] = Population(pattern, steps[0] if steps else None, node)
                gone.update([*pattern.neurons, *pattern.used])
        if not fused:
            return list(operators)
        return [fused.get(operator, operator) for operator in operators if operator in fused or operator not in gone]


def _population(neurons: SimNeurons, uses: Uses) -> Pattern | None:
    """Return the population whose current these neurons take, or None where it has another form."""
    chain = [neurons]
    readers = uses.readers[neurons.output.base]
    if len(readers) == 1 and isinstance(readers[0], SimNeurons):
        chain.append(readers[0])  # rates, of which others make spikes
    return find(chain, uses, filters=True)
