"""Start membranes half way to the threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from snnc.ir.graph import Graph
from snnc.neurons import Neurons, SoftResetIf
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class InitialVoltage(Pass):
    """Start integrate-and-fire neurons at ``voltage`` thresholds: half turns the floor of the count into rounding.

    Deng & Gu 2021; Bu et al. 2022b. Neurons that start at random voltages, as Nengo's own do, are left alone.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %conv = neurons(%x) {model=soft-reset-if scale=0.01} : spikes[4]

    After::

        %conv = neurons(%x) {model=soft-reset-if{initial=0.5} scale=0.01} : spikes[4]
    """

    name: ClassVar[str] = "initial-voltage"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    after: ClassVar[tuple[str, ...]] = ("calibrate-scales",)
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    exact: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = True
    measured: ClassVar[bool] = True
    voltage: float = 0.5

    def apply(self, graph: Graph, context: Context) -> None:
        for node in graph.nodes(Neurons):
            if isinstance(node.op.model, SoftResetIf):
                model = replace(node.op.model, initial=self.voltage)
                graph.replace(node.name, replace(node.op, model=model))
