"""Do without a voltage at the start, which no NIR file can say: give it little by little, as a bias."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.api import Context, Graph, Neurons, Pass, Stage, fuse_linear, neurons, ops


@dataclass(frozen=True)
class SpreadVoltage(Pass):
    """Let integrate-and-fire neurons start at 0, and get what they started at as a bias, in equal parts a step.

    After all the steps as much has arrived as if it had been there from the start, so that the count is rounded as
    before, not rounded down; on the way there spikes come later (the shift of Deng & Gu 2021, as a bias).

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=soft-reset-if{initial=0.5} scale=0.01} : spikes[6,6,4]

    After::

        %conv.bias = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]  ; spread-voltage
        %conv = neurons(%conv.bias) {model=soft-reset-if scale=0.01} : spikes[6,6,4]
    """

    name: ClassVar[str] = "spread-voltage"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    after: ClassVar[tuple[str, ...]] = ("initial-voltage", "calibrate-biases")

    def apply(self, graph: Graph, context: Context) -> None:
        seconds = context.steps * context.dt
        for node in graph.nodes(Neurons):
            model = node.op.model
            if isinstance(model, neurons.SoftResetIf) and model.initial:
                bias = np.asarray(node.op.scale, dtype=np.float64) * model.initial / seconds
                one = np.ones((), dtype=np.float32)
                shift = ops.Affine(scale=one, shift=np.asarray(bias, dtype=np.float32))
                graph.insert_before(node.name, 0, graph.fresh_name(f"{node.name}.bias"), shift)
                graph.replace(node.name, replace(node.op, model=replace(model, initial=0.0)))
        fuse_linear(graph)
