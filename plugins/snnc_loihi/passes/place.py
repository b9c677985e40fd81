"""Divide the layers between the chip and the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from snnc.api import (
    Activation,
    Context,
    Graph,
    LoweringError,
    Neurons,
    Node,
    Pass,
    Stage,
    UsageError,
    is_temporal,
    neurons,
    ops,
)
from snnc_loihi.models import LoihiSoftIf
from snnc_loihi.placement_queries import is_link, on_chip, populations


@dataclass(frozen=True)
class Place(Pass):
    """Move populations to the host, so that what the chip cannot do comes before it or after it, not in between.

    A host op in the middle means that the chip waits for the host in every step: ``islands=true`` allows it. Without
    it, everything before the op, or everything behind it, is on the host, whichever leaves more work on the chip; a
    network of which less than ``least`` of the neurons would be left on the chip is refused.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %a = neurons(%x) {model=loihi-signed-if scale=0.01} : spikes[4]
        %norm = standardize(%a) {axes=(0)} : rate[4]
        %b.linear = dense(%norm) {weight=f32[4,64] ...} : rate[64]
        %b = neurons(%b.linear) {model=loihi-signed-if scale=0.01} : spikes[64]

    After::

        %a = neurons(%x) {model=relu} : rate[4]
        %norm = standardize(%a) {axes=(0)} : rate[4]
        %b.linear = dense(%norm) {weight=f32[4,64] ...} : rate[64]
        %b = neurons(%b.linear) {model=loihi-signed-if scale=0.01} : spikes[64]
    """

    name: ClassVar[str] = "loihi-place"
    stage: ClassVar[Stage] = Stage.FILTER
    after: ClassVar[tuple[str, ...]] = ("insert-synapses", "loihi-low-pass")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    islands: bool = False
    least: float = 0.5

    def apply(self, graph: Graph, context: Context) -> None:
        chip = {node.name for node in populations(graph)}
        if not chip:
            raise LoweringError(f"no layer can be on the chip: {_why_none(graph, context)}")
        slow = [node.name for node in populations(graph) if isinstance(node.op.model, LoihiSoftIf)]
        if slow and is_temporal(graph):
            raise UsageError(
                f"layer {slow[0]!r}: loihi-soft-if neurons remember what inhibited them for longer than a "
                "stream stays the same; use loihi-signed-if neurons for temporal models"
            )
        before = {node.name: graph.ancestors([node.name]) & chip for node in graph}
        blocks = [n for n in graph if not is_link(n) and not on_chip(n) and n.op.arity != 0 and before[n.name]]
        behind = {n.name: {c for c in chip if n.name in graph.ancestors([c])} for n in blocks}
        between = [node for node in blocks if behind[node.name]]
        if not between:
            return
        if self.islands:
            rows = ", ".join(f"{node.name} ({node.op.kind})" for node in between)
            context.note(f"{rows}: on the host in the middle of the chip's layers, which wait for it in every step")
            return
        prefix, suffix = _cheapest(graph, chip, between, before, behind)
        rows = ", ".join(f"{node.name} ({node.op.kind})" for node in between)
        remedy = _with_samples(between, context)
        if context.samples is not None and any(isinstance(node.op, ops.Multiply) for node in between):
            remedy += "; fit-activations{squares=true} writes products as sums of ReLUs"
        sizes = {name: graph[name].type.size for name in chip}
        left = sum(sizes[name] for name in chip - prefix - suffix) / sum(sizes.values())
        if prefix | suffix == chip or left < self.least:
            rest = "nothing" if prefix | suffix == chip else f"{left:.0%} of the neurons"
            raise LoweringError(
                f"{rows}: the chip cannot do it, and with what is before or behind it on the host {rest} is left for "
                f"the chip; compile for another backend, such as nengo, or use loihi-place{{islands=true}}{remedy}"
            )
        for node in populations(graph):
            if node.name in prefix | suffix:
                _move(graph, node, first=node.name in prefix)
        moved = ", ".join(node.name for node in graph if node.name in prefix | suffix)
        context.note(
            f"{rows}: the chip cannot do it, so {moved} {'is' if len(prefix | suffix) == 1 else 'are'} on the host too;"
            f" loihi-place{{islands=true}} keeps them on the chip, which then waits for the host in every step{remedy}"
        )


def _why_none(graph: Graph, context: Context) -> str:
    """Return why there is no population of the chip, and what helps."""
    others = [node.op.model for node in graph.nodes(Neurons)]
    kinds = ", ".join(dict.fromkeys(model.kind for model in others if model.can_replace(ops.Relu())))
    if kinds:
        return f"a core cannot be {kinds} neurons; leave --neurons out"
    helps = _with_samples(list(graph), context)
    if helps:
        return f"its activations are no ReLU{helps}"
    functions = _fitted(list(graph))
    if functions:
        return f"{functions} is no ReLU; let the pass fit-activations run, which writes it as a sum of ReLUs"
    return "no layer in it has neurons; compile for another backend, such as nengo"


def _with_samples(nodes: Sequence[Node], context: Context) -> str:
    """Return what helps where activations are on the host that would be sums of ReLUs if there were samples."""
    kinds = _fitted(nodes) if context.samples is None else ""
    return f"; with --calibration SAMPLES, {kinds} becomes a sum of ReLUs on the chip" if kinds else ""


def _fitted(nodes: Sequence[Node]) -> str:
    """Return the kinds of activations that can be written as sums of ReLUs."""
    found = [node.op.model.activation if isinstance(node.op, Neurons) else node.op for node in nodes]
    return ", ".join(
        dict.fromkeys(
            op.kind
            for op in found
            if isinstance(op, Activation) and op.elementwise and not isinstance(op, (ops.Relu, ops.Linear))
        )
    )


def _cheapest(
    graph: Graph, chip: set[str], between: list[Node], before: dict[str, set[str]], behind: dict[str, set[str]]
) -> tuple[set[str], set[str]]:
    """Return the populations before the chip and those behind it for which most work stays on the chip."""
    best: tuple[int, set[str], set[str]] | None = None
    for cut in range(len(between) + 1):
        prefix = {name for node in between[:cut] for name in before[node.name]}
        suffix = {name for node in between[cut:] for name in behind[node.name]}
        if prefix & suffix:
            continue
        left = sum(graph[name].type.size for name in chip - prefix - suffix)
        if best is None or left > best[0]:
            best = (left, prefix, suffix)
    assert best is not None  # all before the chip is always possible
    return best[1], best[2]


def _move(graph: Graph, node: Node[Neurons], *, first: bool) -> None:
    model = neurons.ReluRate() if first else neurons.SoftResetIf()
    graph.replace(node.name, Neurons(model=model, scale=1.0 if first else node.op.scale))
