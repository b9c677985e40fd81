"""Correct the value of a spike by the outputs of the chip's layers on samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.api import (
    AnyArray,
    Context,
    Graph,
    Pass,
    Stage,
    decoder_of,
    evaluate_nodes,
    fuse_linear,
    presentation,
    refitted,
    samples_for,
    with_ideal_rates,
)
from snnc_loihi.ops import affine
from snnc_loihi.placement_queries import populations, synapse_of


@dataclass(frozen=True)
class Calibrate(Pass):
    """Give each channel of a layer the factor and the shift for which its spikes come closest to the model.

    Neurons of the chip fire less than they are driven to, by half a step of every interval and by what a spike brings
    above the threshold. Layer by layer in order, those before being corrected already, r is what the spikes of the
    window say on samples, and a the activation in the model: sum(a r) / sum(r r) is the factor of least squared error,
    and the shift makes the means equal. Both become weights and biases of what reads the layer.

    Before::

        %x = input() {shape=(8,8,1)} : rate[8,8,1]
        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if scale=0.01} : spikes[6,6,4]
        %conv.synapse = synapse(%conv) {model=lowpass{tau=0.002}} : rate[6,6,4]
        %next.linear = conv(%conv.synapse) {kernel=f32[3,3,4,8] ...} : rate[4,4,8]
        %next = neurons(%next.linear) {model=loihi-signed-if scale=0.01} : spikes[4,4,8]

    After::

        %conv.linear = conv(%x) {kernel=f32[3,3,1,4] ...} : rate[6,6,4]
        %conv = neurons(%conv.linear) {model=loihi-signed-if scale=0.01} : spikes[6,6,4]
        %conv.synapse = synapse(%conv) {model=lowpass{tau=0.002}} : rate[6,6,4]
        %next.linear = conv(%conv.synapse) {kernel=f32[3,3,4,8] ...} : rate[4,4,8]  ; loihi-calibrate
        %next = neurons(%next.linear) {model=loihi-signed-if scale=0.01} : spikes[4,4,8]
        %next.worth = affine(%next) {scale=f32[8] shift=f32[8]} : spikes[4,4,8]
    """

    name: ClassVar[str] = "loihi-calibrate"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    default: ClassVar[bool] = True
    level: ClassVar[int] = 2
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    needs_calibration: ClassVar[bool] = True
    measured: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        model = context.model or with_ideal_rates(graph)
        decoders = {node.name: decoder_of(graph, node) for node in populations(graph)}
        aims = {name: name if decoder is None else decoder.name for name, decoder in decoders.items()}
        least = max((samples_for(decoder) for decoder in decoders.values() if decoder is not None), default=0)
        sweep = context.sweep(graph, least)
        every = evaluate_nodes(model, sweep.inputs, {aim for aim in aims.values() if aim in model})
        wanted = presentation(model).mean(every, context.window)
        for name, aim in aims.items():
            decoder = decoders[name]
            if aim not in model:
                continue
            if decoder is not None:
                graph.replace(aim, refitted(decoder.op, sweep.mean(name), wanted[aim]))
                continue
            factor, shift = _least_squares(sweep.mean(name), wanted[aim])
            graph.insert_after(synapse_of(graph, name), graph.fresh_name(f"{name}.worth"), affine(factor, shift))
            fuse_linear(graph)


def _least_squares(given: AnyArray, wanted: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return (factor, shift), one number a channel; a silent channel keeps the factor 1."""
    axes = tuple(range(wanted.ndim - 1))
    given = given.astype(np.float64)
    power = (given * given).sum(axis=axes)
    factor = np.where(power > 0, (given * wanted).sum(axis=axes) / np.where(power > 0, power, 1), 1.0)
    return factor, np.mean(wanted - factor * given, axis=axes)
