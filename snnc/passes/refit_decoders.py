"""Fit the weights of sums of ReLUs again, to the rates that spiking neurons have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.analysis.decoders import decoder_of, refitted, samples_for
from snnc.analysis.ideal_rates import with_ideal_rates
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.ir.graph import Graph
from snnc.neurons import Neurons
from snnc.passes.base import Context, Pass, Stage


@dataclass(frozen=True)
class RefitDecoders(Pass):
    """Give each sum of ReLUs the weights for which what its neurons say comes closest to the model's activation.

    Layer by layer in order, those before being fitted already: least squares over samples and positions, with a small
    ridge, from the means over the window of the neurons that a channel has (Eliasmith & Anderson 2003). What neurons
    say, not what ReLUs would, is added up then; what other layers do is left to the other calibrations.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %act.drives = conv(%x) {kernel=f32[1,1,1,16] groups=4 ...} : rate[6,6,16]
        %act.relus = neurons(%act.drives) {model=soft-reset-if scale=0.001} : spikes[6,6,16]
        %act = conv(%act.relus) {kernel=f32[1,1,4,4] groups=4 ...} : spikes[6,6,4]

    After::

        %act.drives = conv(%x) {kernel=f32[1,1,1,16] groups=4 ...} : rate[6,6,16]
        %act.relus = neurons(%act.drives) {model=soft-reset-if scale=0.001} : spikes[6,6,16]
        %act = conv(%act.relus) {kernel=f32[1,1,4,4] groups=4 ...} : spikes[6,6,4]  ; refit-decoders
    """

    name: ClassVar[str] = "refit-decoders"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    after: ClassVar[tuple[str, ...]] = ("initial-voltage", "calibrate-scales")
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    needs_calibration: ClassVar[bool] = True
    measured: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if context.made:
            return  # means of made-up inputs are not those of the model's own data
        model = context.model or with_ideal_rates(graph)
        populations = [n for n in graph.nodes(Neurons) if n.op.model.spiking and not n.op.model.takes_back]
        found = [(n, d) for n in populations if (d := decoder_of(graph, n)) is not None and d.name in model]
        if not found:
            return
        sweep = context.sweep(graph, max(samples_for(decoder) for _, decoder in found))
        values = evaluate_nodes(model, sweep.inputs, {decoder.name for _, decoder in found})
        wanted = presentation(model).mean(values, context.window)
        for population, decoder in found:
            given = sweep.mean(population.name)
            graph.replace(decoder.name, refitted(decoder.op, given, wanted[decoder.name]))
