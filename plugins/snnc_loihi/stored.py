"""What drives each population by the numbers that the chip stores: weights of 8 bits, thresholds, biases, decays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.api import AnyArray, Array, NeuronModel, Neurons, Shape, StoredInput
from snnc_loihi import models
from snnc_loihi.hybrid import ExternalReplica


def stored_inputs(replica: ExternalReplica) -> dict[str, StoredInput]:
    """Return how the chip computes the mean input of each of its populations, by its node's name."""
    wiring = replica.replica.wiring
    names = {ensemble: name for name, ensemble in {**replica.chip, **replica.encoders}.items()}
    found: dict[str, StoredInput] = {}
    for population in wiring.populations:
        name = names.get(population.ensemble)
        if name is None:
            continue  # a clock
        op = replica.graph[name].op
        assert isinstance(op, Neurons)
        arcs = [arc for arc in wiring.arcs if arc.target is population.ensemble]
        sources = {names[a.source]: a.weights for a in arcs if a.source in names and a.source is not a.target}
        steady = np.zeros(len(population.bias))
        for arc in arcs:
            if arc.source not in names:  # a clock, which fires in each step
                steady += np.asarray(arc.weights.sum(axis=1)).ravel()
        if isinstance(op.model, models.LoihiSoftIf):
            (reset,) = (a.weights.diagonal() for a in arcs if a.source is a.target)
            unit = -1 / reset
            bias = steady * unit  # the register is part of the threshold
        else:
            share = 1 / population.threshold
            if isinstance(op.model, models.HardResetIf):
                share = share * op.model.threshold
            else:
                share = share * _lasts(population.decay_voltage)
            unit, bias = share * _lasts(population.decay_current), (population.bias + steady) * share
        shape = replica.graph[name].type.shape
        found[name] = _Stored(tuple(sources), tuple(sources.values()), bias, unit, op.model, shape, replica.dt)
    return found


@dataclass(frozen=True)
class _Stored(StoredInput):
    """Sums of weights in the integers of the chip, as an input of the graph's node."""

    sources: tuple[str, ...]
    weights: Sequence[Any]
    bias: AnyArray
    """Of a step, in thresholds, ``(neurons,)``."""
    unit: AnyArray
    """The thresholds that a weight of one comes to."""
    model: NeuronModel
    shape: Shape
    dt: float

    def __call__(self, values: Mapping[str, Array]) -> Array:
        total = np.zeros((len(self.unit), len(next(iter(values.values())))))
        for source, weights in zip(self.sources, self.weights, strict=True):
            fired = values[source].reshape(total.shape[1], -1).astype(np.float64) * self.dt
            total += weights @ fired.T
        drive = (total * self.unit[:, None] + self.bias[:, None]).T
        current = drive if isinstance(self.model, models.LoihiLif) else drive / self.dt
        given: Array = ((current - self.model.offset) / self.model.gain).reshape(-1, *self.shape).astype(np.float32)
        return given


def _lasts(stays: AnyArray) -> AnyArray:
    """Return what all steps together see of one, of which so many parts of 4096 stay each time."""
    found: AnyArray = 4096 / (4096 - stays.astype(np.float64))
    return found
