"""Choose how fast the neurons of the chip fire, from activations on sample inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.api import (
    AnyArray,
    Array,
    Context,
    Graph,
    Neurons,
    Node,
    Pass,
    Stage,
    UsageError,
    decoder_of,
    evaluate_nodes,
    presentation,
    with_ideal_rates,
)
from snnc_loihi.models import DECAY, LEAKS, REACH, STEP, LoihiSoftIf
from snnc_loihi.placement_queries import populations

MARGIN = 1.25
"""How much further than on the samples a current may fall."""
FASTEST = 1 / STEP
"""Hz: a spike in each step."""
FLOOR = 0.1
"""The least range of a channel, as a share of its layer's: a silent channel must not get an endless gain."""


@dataclass(frozen=True)
class SetRates(Pass):
    """Let the largest activation of each channel, a ``percentile`` of it, be a rate of ``rate`` Hz.

    By default that is a spike in each step of neurons that lose nothing, and 500 Hz of those that lose the more the
    faster they fire; in a temporal model, whose inputs do not wait, a spike in each step of both. A scale that the user
    gave stays. What a spike is worth behind the population is for loihi-calibrate to measure.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=loihi-signed-if} : spikes[6,6,4]

    After::

        %conv = neurons(%x) {model=loihi-signed-if scale=f32[4]} : spikes[6,6,4]
    """

    name: ClassVar[str] = "loihi-set-rates"
    stage: ClassVar[Stage] = Stage.SCALE
    after: ClassVar[tuple[str, ...]] = ("scale-rates",)
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    replaces: ClassVar[tuple[str, ...]] = ("calibrate-scales", "initial-voltage", "refit-decoders", "calibrate-biases")
    needs_calibration: ClassVar[bool] = True
    rate: float | None = None
    percentile: float = 99.9

    def __post_init__(self) -> None:
        if not 0 < (FASTEST if self.rate is None else self.rate) <= FASTEST or not 0 < self.percentile <= 100:
            raise UsageError(
                f"loihi-set-rates: rate {self.rate} and percentile {self.percentile:g} must be above 0, and at most "
                "1000 Hz, which is a spike a step, and 100"
            )

    def apply(self, graph: Graph, context: Context) -> None:
        assert context.samples is not None
        nodes = [node for node in populations(graph) if np.all(np.asarray(node.op.scale) == 1) or _is_capped(node)]
        drives = {node.name: graph.sources(node.name)[0] for node in nodes}
        shown = presentation(graph)
        every = evaluate_nodes(with_ideal_rates(graph), context.samples, {*drives, *drives.values()})
        values = shown.as_samples(every)
        for node in nodes:
            # the ReLUs of a sum have one range already, though some have seen little of it
            alike = decoder_of(graph, node) is not None
            found = self.range(values[node.name], alike=alike)
            model = node.op.model
            soft = isinstance(model, LoihiSoftIf)
            if _is_capped(node):
                scale = np.minimum(found * STEP, node.op.scale).astype(np.float32)
            else:
                scale = found / (self.rate or (FASTEST if soft or shown.temporal else FASTEST / 2))
            op = replace(node.op, scale=scale)
            if isinstance(model, LoihiSoftIf):
                lowest = float(np.min(values[drives[node.name]] / scale)) * STEP
                op = replace(op, model=_holding(model, -lowest))
            graph.replace(node.name, op)

    def range(self, values: Array, *, alike: bool = False) -> AnyArray:
        """Return the largest activation, one number a channel.

        All channels have the same where they are alike, or the values are vectors: one a sample and channel is few.
        """
        flat = np.maximum(values.reshape(-1, values.shape[-1]), 0)
        whole = float(np.percentile(flat, self.percentile))
        if not whole > 0:
            whole = float(flat.max()) or 1.0  # a silent layer: any range does
        if alike or values.ndim == 2:
            return np.full(values.shape[-1], whole, dtype=np.float32)
        return np.maximum(np.percentile(flat, self.percentile, axis=0), FLOOR * whole).astype(np.float32)


def _is_capped(node: Node[Neurons]) -> bool:
    return isinstance(node.op.model, LoihiSoftIf) and node.op.model.capped


def _holding(model: LoihiSoftIf, thresholds: float) -> LoihiSoftIf:
    """Return neurons whose current holds what inhibits them, so many thresholds a step, however long it lasts.

    They leak as little as keeps it in its range, and where the most is too little, the range is wider.
    """
    deepest = MARGIN * thresholds * (DECAY + 1)
    leak = next((k for k in LEAKS if k >= model.leak and deepest <= k * model.reach), LEAKS[-1])
    return replace(model, leak=leak, reach=min(max(model.reach, math.ceil(deepest / leak)), REACH))
