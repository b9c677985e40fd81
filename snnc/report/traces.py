"""What a network does with single samples: spikes and outputs step by step, and activations beside spikes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.engine.answers import finish_each
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.evaluation.verify import populations
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.runnable import Runnable
from snnc.samples import Samples


@dataclass(frozen=True)
class Raster:
    """The spikes of one layer and one sample, of neurons that fire, spread over the layer."""

    layer: str
    neurons: AnyArray
    """``(shown,)``: which ones, in the order of their shape."""
    values: Array
    """``(steps, shown)``: the size of the spike in each step, 1 being a plain one, or of several together."""


@dataclass(frozen=True)
class Trace:
    """One sample's run."""

    rasters: tuple[Raster, ...]
    outputs: dict[str, Array]
    """By output, ``(steps, *shape)``: the answer after each step."""


def trace(compiled: Runnable, sample: Mapping[str, Array], steps: int, most: int) -> Trace:
    """Return what one sample does, in the engine that evaluates, with at most so many neurons of a layer.

    Args:
        compiled: the network.
        sample: a batch of one, by input name, validated.
        steps: how many steps it is shown.
        most: neurons of each layer.
    """
    recording, spikes = compiled.traced(sample, steps)
    rasters = []
    for name in [*spikes]:
        flat = spikes.pop(name).reshape(steps, -1)
        firing = np.flatnonzero(flat.any(axis=0))
        some = firing[np.linspace(0, len(firing) - 1, min(most, len(firing))).round().astype(int)]
        rasters.append(Raster(name, some, flat[:, some]))
    answers = {name: compiled.read_out.every_step(y, compiled.settings.dt) for name, y in recording.outputs.items()}
    return Trace(tuple(rasters), {name: y[0] for name, y in finish_each(compiled.graph, answers).items()})


def activations(compiled: Runnable, few: Samples, steps: int) -> Iterator[tuple[str, Array, Array]]:
    """Yield each population with its activations in rate mode, and with what its spikes say of them, flattened."""
    graph = compiled.graph
    names = populations(graph)
    window = compiled.read_out.window(steps)
    wanted = presentation(graph).mean(evaluate_nodes(graph, few.inputs, set(names)), window)
    program = compiled.engine(compiled.backend.engines[0])
    with compiled.alone(program):
        means = program.run(few.inputs, steps, watch=names).means
    for name in names:
        op = graph[name].op
        assert isinstance(op, Neurons)
        told = op.decoded(means[name], window.stop - window.start)
        yield name, wanted[name].ravel(), np.asarray(told, dtype=np.float32).ravel()
