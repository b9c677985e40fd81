"""What each spiking layer loses, and how: errors of its activations on samples that come part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.analysis.cost import Activity, Cost
from snnc.analysis.defects import by_defect
from snnc.analysis.errors import relative_rms, squares
from snnc.analysis.ideal_rates import ideal
from snnc.analysis.quantised import EMPTY, counted, quantised_graph
from snnc.analysis.stored import StoredInput
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.recording import Recording
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.samples import Samples

TRIED = 32
"""Samples that are run beside neurons without defects."""


@dataclass(frozen=True)
class LayerEvaluation:
    """One spiking population. Errors are root mean squares relative to the layer's own activations in rate mode."""

    layer: str
    neurons: int
    rate: float
    """Mean firing rate in Hz."""
    fastest: float
    """Mean rate of the fastest neuron, in Hz."""
    silent: float
    """Share of the neurons that never fired."""
    saturated: float | None
    """Share of the activations beyond what a neuron can fire; None where it has no limit."""
    spikes: float
    """Per input. A graded spike is one, whatever its size."""
    messages: float
    """Per input: how often a neuron sends something in a step, several spikes of one step together."""
    payload: int
    """Bits that say what a message is: how many spikes, of which sign or size; 1 where there is nothing to say."""
    unit_spikes: float
    """Per input: the spikes if all were of the smallest size."""
    synops: float
    """Per input: spikes times the non-zero weights that each meets."""
    clipping: float | None
    """Error of the limit alone, the layer's input being the model's."""
    quantisation: float | None
    """Error of counting in whole spikes alone, the layer's input being the model's."""
    quantised: float | None
    """Accumulated error of clipping and quantisation, of this layer and those before it."""
    timing: float | None
    """Accumulated error beyond that: due to when spikes come."""
    error: float
    """Accumulated error of the spiking network."""
    lost: dict[str, float]
    """Errors of what else the layer loses alone, by name: ``weights`` and other numbers that hardware stores in few
    bits, its input being the model's; and what its neurons lose of the input that spikes give them, such as below a
    ``floor`` or above the threshold (``overshoot``)."""


@dataclass
class _Sums:
    """Sums over the samples for one layer: two counts, then squares."""

    values: int = 0
    shown: int = 0
    """Activations: as many as values, but for sequences, of which each slice has its own."""
    beyond: int = 0
    """Activations that the neurons cannot fire."""
    activation: float = 0.0
    meant: float = 0.0
    """What the neurons stand for: the activation, or the ReLU that a bent curve approximates."""
    clipping: float = 0.0
    quantisation: float = 0.0
    quantised: float = 0.0
    timing: float = 0.0
    error: float = 0.0
    weights: float = 0.0
    tried: int = 0
    """Values beside which neurons without defects ran, and the squares of these and of what the defects cost."""
    tried_activation: float = 0.0
    defects: dict[str, float] = field(default_factory=dict)

    def relative(self, difference: float) -> float:
        """Return the root mean square of what adds up to this, relative to the activations."""
        return relative_rms(difference, self.activation, self.values)


class Layers:
    """The errors of the activations of each spiking layer, which samples are added to part by part."""

    def __init__(
        self, graph: Graph, steps: int, window: slice, dt: float, stored: Mapping[str, StoredInput] = EMPTY
    ) -> None:
        """Hold the graph that runs; see ``evaluation``."""
        self.graph, self.steps, self.window, self.dt = graph, steps, window, dt
        self.spiking = {n.name: n.op for n in graph if isinstance(n.op, Neurons) and n.op.model.spiking}
        self.sums = {name: _Sums() for name in self.spiking}
        # counting says what becomes of an activation that does not change
        self.shown = presentation(graph)
        self.stored = EMPTY if self.shown.temporal else stored
        self.counted = None if self.shown.temporal else quantised_graph(graph, steps, dt, stored)
        # what counts follows the input, not the bend of a curve
        self.bent = {name: of for name, op in self.spiking.items() if (of := ideal(op)) is not op}
        self.left = 0 if self.shown.temporal else TRIED

    def add(self, samples: Samples, recording: Recording) -> None:
        """Add samples and their recording."""
        before = {source for name in self.bent for source in self.graph.sources(name)}
        every = evaluate_nodes(self.graph, samples.inputs, {*self.spiking, *before})
        twins = {} if self.counted is None else evaluate_nodes(self.counted, samples.inputs, set(self.spiking))
        for name, op in self.spiking.items():
            sums, values = self.sums[name], every[name]
            means = op.decoded(recording.means[name], self.window.stop - self.window.start)
            wanted = self._mean(name, values)
            sums.values += wanted.size
            sums.activation += squares(wanted)
            sums.error += squares(means - wanted)
            if name in twins:
                sums.quantised += squares(twins[name] - wanted)
                sums.timing += squares(means - twins[name])
            if name in self.stored:
                sums.weights += squares(self._mean(name, op.evaluate(self.stored[name](every))) - wanted)
            if name in self.bent:
                values = self.bent[name].evaluate(*(every[source] for source in self.graph.sources(name)))
                wanted = self._mean(name, values)
            sums.meant += squares(wanted)
            found = counted(op, values, self.steps, self.dt)
            if found is None:
                continue
            reached, said = found
            sums.shown += values.size
            sums.beyond += int(np.count_nonzero(reached != values))
            sums.clipping += squares(self._mean(name, reached) - wanted)
            if not self.shown.temporal:
                sums.quantisation += squares(said - reached)  # of what is within the limit
        self._try(samples, every)

    def _try(self, samples: Samples, every: Mapping[str, Array]) -> None:
        """Run the first samples beside neurons without defects."""
        few = {name: x[: self.left] for name, x in samples.inputs.items()}
        if not self.left:
            return
        for name, cost in by_defect(self.graph, few, self.steps, window=self.window, dt=self.dt).items():
            sums, activation = self.sums[name], every[name][: self.left]
            sums.tried += activation.size
            sums.tried_activation += squares(activation)
            for defect, difference in cost.items():
                sums.defects[defect] = sums.defects.get(defect, 0.0) + difference
        self.left -= min(self.left, len(samples))

    def rows(self, activity: Activity, spent: Cost) -> tuple[LayerEvaluation, ...]:
        """Return one row a layer."""
        return tuple(self._row(name, op, activity, spent) for name, op in self.spiking.items())

    def _row(self, name: str, op: Neurons, activity: Activity, spent: Cost) -> LayerEvaluation:
        sums, limits, steady = self.sums[name], op.model.count_limits, not self.shown.temporal
        known = bool(sums.shown)
        by_neuron = activity.spikes(name, op, self.dt)
        return LayerEvaluation(
            layer=name,
            neurons=by_neuron.size,
            rate=float(by_neuron.mean() / (self.steps * self.dt)),
            fastest=float(by_neuron.max() / (self.steps * self.dt)),
            silent=float(np.mean(by_neuron == 0)),
            saturated=sums.beyond / sums.shown if known and not (limits and np.isinf(limits[1])) else None,
            spikes=float(by_neuron.sum()),
            messages=activity.messages_of(name),
            payload=op.model.payload,
            unit_spikes=float(activity.sizes(name, op, self.dt).sum()) / op.model.smallest,
            synops=spent.synops_by_layer[name],
            clipping=relative_rms(sums.clipping, sums.meant, sums.values) if known else None,
            quantisation=relative_rms(sums.quantisation, sums.meant, sums.values) if known and steady else None,
            quantised=None if self.counted is None else sums.relative(sums.quantised),
            timing=None if self.counted is None else sums.relative(sums.timing),
            error=sums.relative(sums.error),
            lost=self._lost(name, sums),
        )

    def _lost(self, name: str, sums: _Sums) -> dict[str, float]:
        """Return the errors that only some networks have, by name."""
        return {
            **({"weights": sums.relative(sums.weights)} if name in self.stored else {}),
            **{k: relative_rms(v, sums.tried_activation, sums.tried) for k, v in sums.defects.items()},
        }

    def _mean(self, name: str, values: Array) -> Array:
        return self.shown.mean({name: values}, self.window)[name]
