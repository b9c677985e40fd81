"""How good a spiking network is on labelled samples, and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnc.backend import Recording, readout_window
from snnc.calibration import Samples
from snnc.errors import DataError
from snnc.ir.evaluate import evaluate
from snnc.ir.fanout import fan_out
from snnc.ir.graph import Graph
from snnc.ir.neurons import Neurons
from snnc.ir.readout import Deferred
from snnc.ir.types import AnyArray, Array
from snnc.measure import agreement, classes
from snnc.verify import finished


@dataclass(frozen=True)
class Evaluation:
    """Accuracies are shares of the samples; spikes and synaptic operations are means over them."""

    samples: int
    steps: int
    accuracy: float
    """Of the read-out after all steps."""
    accuracy_by_step: tuple[float, ...]
    """Of the read-out after 1, 2, … steps."""
    model_accuracy: float
    """Of the imported model on the same samples."""
    agreement: float
    """Share of samples for which network and model choose the same class."""
    rates: dict[str, float]
    """Mean firing rate of each spiking layer, in Hz."""
    spikes: float
    """Spikes per input."""
    synops: float
    """Synaptic operations per input: every spike times the non-zero weights that it meets."""

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return asdict(self)


def evaluation(
    source: Graph, graph: Graph, samples: Samples, recording: Recording, steps: int, dt: float, read_out: float
) -> Evaluation:
    """Return the evaluation of a recorded run with every population watched.

    Raises:
        DataError: there are no labels, or the model's output is no choice among classes.

    """
    labels = samples.labels
    if labels is None:
        raise DataError("evaluation needs labels: put them into the .npz as 'y', one class a sample")
    output = source.outputs[0]
    y = recording.outputs[output]
    if y.ndim != 3 or y.shape[-1] < 2:
        raise DataError(f"output {output!r} of shape {y.shape[2:]} is no choice among classes, so it has no accuracy")
    if labels.min() < 0 or labels.max() >= y.shape[-1]:
        raise DataError(f"labels run from {labels.min()} to {labels.max()}, the model has {y.shape[-1]} classes")
    wanted = evaluate(source, samples.inputs)[output]
    by_step = prefix_readouts(y, read_out)
    if isinstance(graph[graph.output_nodes[output]].op, Deferred):
        flat = finished(graph, output, by_step.reshape(-1, *by_step.shape[2:]).astype(np.float32))
        by_step = flat.reshape(by_step.shape)
    spikes = _spikes(graph, recording, dt)
    behind = fan_out(graph)
    seconds = steps * dt
    return Evaluation(
        samples=len(samples),
        steps=steps,
        accuracy=float(np.mean(classes(by_step[:, -1]) == labels)),
        accuracy_by_step=tuple(float(a) for a in np.mean(classes(by_step) == labels[:, None], axis=0)),
        model_accuracy=float(np.mean(classes(wanted) == labels)),
        agreement=agreement(by_step[:, -1], wanted) or 0.0,
        rates={name: float(count.mean() / seconds) for name, count in spikes.items()},
        spikes=float(sum(count.sum() for count in spikes.values())),
        synops=float(sum((count * behind[name]).sum() for name, count in spikes.items())),
    )


def prefix_readouts(y: Array, read_out: float) -> Array:
    """Return what the read-out would give after each number of steps: ``(batch, steps, classes)`` to the same."""
    sums = np.concatenate([np.zeros_like(y[:, :1], dtype=np.float64), np.cumsum(y, axis=1, dtype=np.float64)], axis=1)
    readouts = []
    for t in range(1, y.shape[1] + 1):
        window = readout_window(t, read_out)
        readouts.append((sums[:, window.stop] - sums[:, window.start]) / (window.stop - window.start))
    return np.stack(readouts, axis=1)


def _spikes(graph: Graph, recording: Recording, dt: float) -> dict[str, AnyArray]:
    """Return the mean number of spikes per input of each neuron, by spiking population."""
    spikes = {}
    for node in graph:
        if isinstance(node.op, Neurons) and node.op.model.spiking:
            units = np.asarray(node.op.scale, dtype=np.float64) / dt  # what one spike adds in its step
            spikes[node.name] = recording.totals[node.name].mean(axis=0, dtype=np.float64) / units
    return spikes
