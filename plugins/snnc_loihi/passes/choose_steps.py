"""Show samples for as many steps as spikes need to come through a deep network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from snnc.api import Context, Graph, Pass, Stage, is_temporal
from snnc_loihi.placement_queries import on_chip

HOST = 2
"""Steps that a spike takes from the host to the chip and back, beside one for each layer."""


@dataclass(frozen=True)
class ChooseSteps(Pass):
    """Choose more steps than usual where spikes take longer to the outputs than the read-out leaves out.

    On the chip a spike takes a step from layer to layer, so that a network of 50 layers says nothing for 50 steps. A
    number of steps that the user chose stays, with a note if it is too small.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %a = neurons(%x) {model=loihi-soft-if} : spikes[4]

    After::

        %x = input() {shape=(4)} : rate[4]
        %a = neurons(%x) {model=loihi-soft-if} : spikes[4]
    """

    name: ClassVar[str] = "loihi-choose-steps"
    stage: ClassVar[Stage] = Stage.FILTER
    after: ClassVar[tuple[str, ...]] = ("loihi-place",)
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if is_temporal(graph):
            return
        delay = depth(graph) + HOST
        if context.window.start >= delay:
            return
        share = context.window.start / context.steps
        wanted = 10 * math.ceil(delay / share / 10) if share else 10 * math.ceil((delay + context.steps) / 10)
        if context.steps_asked is None:
            context.choices["steps"] = wanted
            context.note(f"{wanted} steps: spikes take {delay} of them to come through all layers of the chip")
        else:
            context.note(
                f"spikes take {delay} steps to come through all layers of the chip, and the answer is the mean from "
                f"step {context.window.start + 1} on; show samples for {wanted} steps"
            )


def depth(graph: Graph) -> int:
    """Return the number of populations of the chip in the longest way from an input to an output."""
    deepest: dict[str, int] = {}
    for node in graph:
        before = max((deepest[source] for source in graph.sources(node.name)), default=0)
        deepest[node.name] = before + on_chip(node)
    return max(deepest.values(), default=0)
