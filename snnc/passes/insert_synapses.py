"""Put a synapse behind every population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.neurons import Lowpass, Neurons, Synapse, SynapseModel
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys
from snnc.text_form import build_record


@dataclass(frozen=True)
class InsertSynapses(Pass):
    """Put a synapse behind every population: whatever reads it, an output too, reads the filtered spikes.

    ``synapse`` is a time constant in seconds of a low-pass, or ``alpha{tau=0.005}``, for all or by layer.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=lif} : spikes[6,6,4]

    After ``insert-synapses{synapse=0.005}``::

        %conv = neurons(%x) {model=lif} : spikes[6,6,4]
        %conv.synapse = synapse(%conv) {model=lowpass{tau=0.005}} : rate[6,6,4]
    """

    name: ClassVar[str] = "insert-synapses"
    stage: ClassVar[Stage] = Stage.FILTER
    arguments: ClassVar[tuple[str, ...]] = ("synapse",)
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    synapse: PerLayer[float | str | SynapseModel] = None

    def apply(self, graph: Graph, context: Context) -> None:
        choice = Choice("synapse", self.synapse)
        nodes = graph.nodes(Neurons)
        choice.require_known({key for node in nodes for key in layer_keys(node.origin.layers, node.name)})
        models = {key: _model(value, context.synapses) for key, value in choice.items()}
        for node in nodes:
            key = choice.key(*layer_keys(node.origin.layers, node.name))
            model = None if key is None else models[key]
            if model is not None:
                graph.insert_after(node.name, graph.fresh_name(f"{node.name}.synapse"), Synapse(model=model))


def _model(value: object, kinds: Mapping[str, type[SynapseModel]]) -> SynapseModel | None:
    if value is None or value == "none":
        return None
    try:
        tau = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        model = build_record(kinds, "synapse", value)
        if isinstance(model, SynapseModel):
            return model
        raise UsageError(
            f"synapse: {value!r} is no synapse; give a time constant in seconds or alpha{{tau=0.005}}"
        ) from None
    if tau == 0:
        return None
    if isinstance(value, bool) or not np.isfinite(tau) or tau < 0:
        raise UsageError(f"synapse: {value!r} is not a time constant in seconds")
    return Lowpass(tau=tau)
