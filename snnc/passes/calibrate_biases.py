"""Correct the biases by the mean difference between spiking and rate mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc import ops
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.ir.graph import Graph
from snnc.ir.op import frozen_array
from snnc.neurons import Neurons
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.fuse_linear import FuseLinear


@dataclass(frozen=True)
class CalibrateBiases(Pass):
    """Shift each channel's bias by how much its mean output differs between spiking and rate mode.

    b -= mean(spiking) - mean(rate) over samples, positions and the read-out window, layer by layer in order, the
    layers before being corrected already (Li et al. 2021). One sweep: a second may overshoot. Not exact in rate
    mode, since it makes up for what spiking does.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=lif scale=0.01} : spikes[6,6,4]

    After::

        %conv.shift = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]  ; calibrate-biases
        %conv = neurons(%conv.shift) {model=lif scale=0.01} : spikes[6,6,4]
    """

    name: ClassVar[str] = "calibrate-biases"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    after: ClassVar[tuple[str, ...]] = ("initial-voltage", "calibrate-scales", "refit-decoders")
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    needs_calibration: ClassVar[bool] = True
    measured: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        if context.made:
            return  # means of made-up inputs are not those of the model's own data
        spiking = [n.name for n in graph.nodes(Neurons) if n.op.model.spiking and not n.op.model.takes_back]
        if not spiking:
            return
        sweep = context.sweep(graph)
        wanted = presentation(graph).mean(evaluate_nodes(graph, sweep.inputs, set(spiking)), context.window)
        for name in spiking:
            difference = sweep.mean(name) - wanted[name]
            shift = -difference.mean(axis=tuple(range(difference.ndim - 1)), dtype=np.float64)
            affine = ops.Affine(scale=frozen_array(1.0), shift=shift)
            graph.insert_before(name, 0, graph.fresh_name(f"{name}.shift"), affine)
            FuseLinear().apply(graph, context)
