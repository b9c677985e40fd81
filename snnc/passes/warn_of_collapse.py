"""Warn of layers in which spikes are going to be misread, with the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc import ops
from snnc.analysis.carried import wraps_ops
from snnc.engine.presentation import is_temporal
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.neurons import NeuronModel, Neurons, RatesToSpikes, SignedIf, SpikingRelu, Synapse
from snnc.ops.causal import Filter, Running
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.spiking_max_pool import behind_spikes


@dataclass(frozen=True)
class WarnOfCollapse(Pass):
    """Note which choices are known to make a spiking network collapse, and refuse one that cannot work; change nothing.

    A neuron that rectifies the current of every step forgets what inhibits in steps without excitation, so that
    unfiltered spikes make it fire too much: E[relu(J)] >= relu(E[J]), more so with every layer (Nengo's spiking
    ReLU does so). The maximum of every step of a pool is too large for the same reason.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %first = neurons(%x) {model=spiking-relu scale=0.01} : spikes[4]
        %second.linear = dense(%first) {weight=f32[4,2] ...} : spikes[2]
        %second = neurons(%second.linear) {model=spiking-relu scale=0.01} : spikes[2]

    After::

        %first = neurons(%x) {model=spiking-relu scale=0.01} : spikes[4]
        %second.linear = dense(%first) {weight=f32[4,2] ...} : spikes[2]
        %second = neurons(%second.linear) {model=spiking-relu scale=0.01} : spikes[2]
    """

    name: ClassVar[str] = "warn-of-collapse"
    stage: ClassVar[Stage] = Stage.FILTER
    after: ClassVar[tuple[str, ...]] = ("insert-synapses",)
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def apply(self, graph: Graph, context: Context) -> None:
        signed = [n.name for n in graph.nodes(Neurons) if isinstance(n.op.model, SignedIf)]
        if signed and is_temporal(graph):
            raise UsageError(
                f"layer {signed[0]!r}: signed-if remembers all spikes of a sample, and a stream never ends; use "
                "soft-reset-if neurons for temporal models"
            )
        pools = [n.name for n in behind_spikes(graph) if isinstance(n.op, (ops.MaxPool, ops.GlobalMaxPool))]
        if pools and not wraps_ops(graph):
            context.note(
                f"max pooling behind spiking neurons ({', '.join(pools)}) takes the maximum of every step, which is "
                "too large; use the pass spiking-max-pool, or max-to-average"
            )
        if context.samples is None:
            misread = rectifying(graph)
            if misread:
                context.note(
                    f"the neurons of {', '.join(misread)} rectify the current of every step, and read unfiltered "
                    "spikes: they fire too much, more so with every layer; use soft-reset-if neurons, a synapse, or "
                    "level 2"
                )


def rectifying(graph: Graph) -> list[str]:
    """Return the populations that rectify each step's current, which spikes make that no filter has smoothed."""
    raw: set[str] = set()
    found = []
    for node in graph:
        op = node.op
        fed = not raw.isdisjoint(graph.sources(node.name))
        if isinstance(op, Neurons):
            if fed and _rectifies(op.model):
                found.append(node.name)
            fed = op.model.spiking or fed
        if fed and not isinstance(op, (Synapse, Filter, Running)):
            raw.add(node.name)
    return found


def _rectifies(model: NeuronModel) -> bool:
    return isinstance(model, SpikingRelu) or (isinstance(model, RatesToSpikes) and model.base == "relu")
