"""A replica of the chip in batched integer arithmetic, with the spikes of nengo-loihi's emulator.

A step is that of ``nengo_loihi.emulator`` in its strict mode. Integers live in float32 where no sum can leave the
range in which float32 holds every integer, so that BLAS and vector units do the work, and in float64 elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc.api import LoweringError
from snnc_loihi.chip_model import Arc, Population, Wiring, read_wiring
from snnc_loihi.models import LEAKS, REACH, LoihiSoftIf

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[Any]

INPUT_BITS, CURRENT_BITS = 21, 23
"""Bits without sign of a step's summed input and of the current; what is larger wraps around on the chip."""
EXACT = {np.float32: 1 << 24, np.float64: 1 << 53}
"""Below these, every integer has its own float."""
DENSE = 0.25
"""Share of weights that are not zero from which a product with a full matrix is the faster one."""
FEWEST = 8
"""Rows with the same columns, in the mean, from which on the product with blocks is the faster one."""
TOGETHER = 16
"""Parts of a matrix that are multiplied together, so that what they read stays in a cache."""
PART = 64
"""Samples of a batch that are simulated together, so that their state stays in a cache."""


class Replica:
    """A discretised model that runs without the emulator; every run starts from the same fresh state."""

    def __init__(self, model: Any) -> None:
        """Read a model.

        Args:
            model: a ``nengo_loihi.builder.Model`` built for target ``sim``: ``simulator.model``.

        Raises:
            LoweringError: it learns, is noisy, or connects anything but neurons.
        """
        self.wiring: Wiring = read_wiring(model)

    def start(self, batch: int) -> Chip:
        """Return the chip in its fresh state, for so many samples."""
        return Chip(self.wiring, batch)


class Chip:
    """The state of the chip for a batch of samples, and of the spikes on their way to it."""

    def __init__(self, wiring: Wiring, batch: int) -> None:
        """Start with nothing fired and every voltage zero."""
        self.wiring = wiring
        self.steps = 0
        self.cores = [_State(p, [a for a in wiring.arcs if a.target is p.ensemble], batch) for p in wiring.populations]
        self._fired = {core.ensemble: core.fired for core in self.cores}
        self._arriving = {e: np.zeros((e.n_neurons, batch), dtype=np.float32) for e in wiring.inputs}

    def step(self, spikes: Mapping[Any, Bools]) -> None:
        """Advance the chip by a step.

        Args:
            spikes: ``(batch, neurons)`` by ensemble on the host, in this step; the chip gets them in its next one.

        Raises:
            LoweringError: a sum leaves the chip's range; names the layer.
        """
        self.steps += 1
        arrived = {**self._fired, **self._arriving}
        inputs = [core.input(arrived) for core in self.cores]
        for core, given in zip(self.cores, inputs, strict=True):
            core.step(given, self.steps)
            self._fired[core.ensemble] = core.fired
        for ensemble in self._arriving:
            self._arriving[ensemble] = np.ascontiguousarray(spikes[ensemble].T, dtype=np.float32)


class _State:
    """One ensemble: ``(neurons, batch)`` arrays of whole numbers."""

    def __init__(self, population: Population, arcs: list[Arc], batch: int) -> None:
        self.ensemble, self.name = population.ensemble, population.name
        self.bounds = _Bounds.of(population, arcs)
        kind = self.kind = self.bounds.kind
        self.weights = [(a.source, _matrix(a.weights, kind)) for a in arcs]
        self.threshold, self.bias, self.lowest, self.highest = (
            x[:, None].astype(kind)
            for x in (population.threshold, population.bias, population.lowest, population.highest)
        )
        self.stay_current = population.decay_current[:, None] / 4096
        self.stay_voltage = population.decay_voltage[:, None] / 4096
        self.refractory = population.refractory[:, None]
        shape = (len(population.bias), batch)
        self.current, self.voltage, self.fired = (np.zeros(shape, dtype=kind) for _ in range(3))
        self.resting = np.zeros(shape, dtype=np.int64)
        self._scratch = np.empty(shape, dtype=kind)
        self._room = 0.0

    def input(self, arrived: Mapping[Any, Values]) -> Values:
        """Return the summed weights of the spikes that arrive."""
        given: Values | None = None
        for source, weights in self.weights:
            product = weights @ arrived[source].astype(self.kind, copy=False)
            given = product if given is None else np.add(given, product, out=given)
        return np.zeros_like(self.current) if given is None else given

    def step(self, given: Values, t: int) -> None:
        """Take in a step's input; leave ``fired``."""
        current, voltage = self.current, self.voltage
        if self.bounds.input:
            self._require(given, INPUT_BITS, "input of a step", t)
        _decay(current, self.stay_current, self._scratch)
        current += given
        if self.bounds.current:
            self._require_current(t)
        _decay(voltage, self.stay_voltage, self._scratch)
        voltage += current
        voltage += self.bias
        np.maximum(voltage, self.lowest, out=voltage)
        np.minimum(voltage, self.highest, out=voltage)
        if self.bounds.refractory:
            voltage[self.resting > 0] = 0
        fires = voltage > self.threshold
        np.copyto(voltage, 0, where=fires)
        if self.bounds.refractory:
            self.resting = np.maximum(np.where(fires, self.refractory, self.resting) - 1, 0)
        self.fired = fires.astype(self.kind)

    def _require_current(self, t: int) -> None:
        """Look at the currents in the steps in which they can be too large by now: they grow by so much in each."""
        self._room -= self.bounds.most
        if self._room < 0:
            self._require(self.current, CURRENT_BITS, "current", t)
            self._require(self.current + self.bias, CURRENT_BITS, "current with its bias", t)
            self._room = (1 << CURRENT_BITS) - float(np.abs(self.current).max() + np.abs(self.bias).max())

    def _remedy(self, bits: int) -> str:
        model = getattr(self.ensemble.neuron_type, "model", None)
        if not isinstance(model, LoihiSoftIf) or bits == INPUT_BITS or model.reach >= REACH:
            return "lower the firing rates of the layers that feed it"
        wider = f"loihi-soft-if{{reach={min(8 * model.reach, REACH)} leak={LEAKS[-1]}}}"
        return f"show samples for fewer steps, or let its neurons hold more: neurons {wider} for it or all"

    def _require(self, values: Values, bits: int, what: str, t: int) -> None:
        limit = 1 << bits
        if values.max() >= limit or values.min() < -limit:
            worst = values.flat[np.argmax(np.abs(values))]
            raise LoweringError(
                f"layer {self.name!r}: the {what} reaches {worst:.0f} at step {t}, but the chip holds {bits} bits and "
                f"a sign (at most {limit - 1}); {self._remedy(bits)}"
            )


@dataclass(frozen=True)
class _Bounds:
    """What can happen at all, so that only that is checked in each step."""

    kind: Any
    """The float type that holds every number exactly."""
    input: bool
    """Whether all neurons that feed it at once would overflow."""
    current: bool
    most: float
    """How much the current can grow in a step."""
    refractory: bool

    @classmethod
    def of(cls, population: Population, arcs: list[Arc]) -> _Bounds:
        most = np.zeros(len(population.bias))
        finest = 1 << 20
        for arc in arcs:
            most += np.asarray(abs(arc.weights).sum(axis=1, dtype=np.float64)).ravel()
            if arc.weights.nnz:
                together = int(np.bitwise_or.reduce(np.abs(arc.weights.data)))
                finest = min(finest, together & -together or finest)
        input_ = bool((most >= 1 << INPUT_BITS).any())
        stays = population.decay_current / 4096
        currents = np.minimum(most, 1 << INPUT_BITS) / (1 - stays) + np.abs(population.bias)
        deepest = np.abs(population.lowest).max(initial=0) + (1 << CURRENT_BITS)
        # a sum of multiples of 2^k is exact up to 2^k times the limit
        fits = most.max(initial=0) < EXACT[np.float32] * finest and deepest < EXACT[np.float32]
        return cls(
            kind=np.float32 if fits else np.float64,
            input=input_,
            current=bool((currents >= 1 << CURRENT_BITS).any()),
            most=float(most.max(initial=0)),
            refractory=bool((population.refractory > 1).any()),
        )


class Diagonal:
    """A matrix of which each row has the weight of its own neuron alone."""

    def __init__(self, weights: Values) -> None:
        """Take the weights, ``(neurons,)``."""
        self.weights = weights[:, None]

    def __matmul__(self, x: Values) -> Values:
        product: Values = self.weights * x
        return product


class FewColumns:
    """A matrix for few of the neurons that it could read, such as one that brings biases."""

    def __init__(self, columns: Ints, weights: Values) -> None:
        """Take the columns and their weights, ``(rows, columns)``."""
        self.columns, self.weights = columns, weights

    def __matmul__(self, x: Values) -> Values:
        product: Values = self.weights @ x[self.columns]
        return product


class Blocks:
    """A sparse matrix as full ones: rows that have weights for the same columns, as the neurons of a position do.

    BLAS multiplies them ten times as fast as single weights.
    """

    def __init__(self, shape: tuple[int, int], parts: list[tuple[Ints, Ints, Values]]) -> None:
        """Take (rows, columns, full matrix) of each part; other rows are zero.

        Parts with the same matrix, as positions of a convolution have, are multiplied together.
        """
        self.shape = shape
        alike: dict[tuple[bytes, tuple[int, ...]], list[tuple[Ints, Ints, Values]]] = {}
        for part in parts:
            alike.setdefault((part[2].tobytes(), part[2].shape), []).append(part)
        self.parts = [
            (np.stack([rows for rows, _, _ in some]), np.stack([columns for _, columns, _ in some]), some[0][2])
            for found in alike.values()
            for some in (found[i : i + TOGETHER] for i in range(0, len(found), TOGETHER))
        ]
        """(rows, columns, matrix): ``(parts, r)``, ``(parts, c)``, ``(r, c)``."""
        self._whole = sum(rows.size for rows, _, _ in self.parts) == shape[0]

    def __matmul__(self, x: Values) -> Values:
        y = (np.empty if self._whole else np.zeros)((self.shape[0], x.shape[1]), dtype=x.dtype)
        for rows, columns, weights in self.parts:
            y[rows] = weights @ x[columns]
        return y


def as_blocks(weights: Any) -> Blocks | None:
    """Return a ``scipy.sparse.csr_matrix`` as blocks, or None where too few rows have the same columns."""
    weights.sort_indices()
    lengths = np.diff(weights.indptr)
    marks = np.random.default_rng(0).integers(1 << 62, size=weights.shape[1])
    running = np.concatenate([[0], np.cumsum(marks[weights.indices])])  # wraps around, and so do its differences
    keys = running[weights.indptr[1:]] - running[weights.indptr[:-1]]
    order = np.lexsort((keys, lengths))
    same = (np.diff(keys[order]) == 0) & (np.diff(lengths[order]) == 0)
    groups = [g for g in np.split(order, np.flatnonzero(~same) + 1) if len(g) and lengths[g[0]]]
    if len(groups) * FEWEST > weights.shape[0]:
        return None
    parts = []
    for rows in groups:
        entries = weights.indptr[rows][:, None] + np.arange(lengths[rows[0]])
        columns = weights.indices[entries]
        if (columns != columns[0]).any():
            return None
        parts.append((rows, columns[0], weights.data[entries]))
    return Blocks(weights.shape, parts)


def _matrix(weights: Any, kind: Any) -> Any:
    """Return a ``scipy.sparse.csr_matrix`` in the form whose product is the fastest."""
    weights = weights.astype(kind)
    columns = np.unique(weights.indices)
    if weights.nnz > DENSE * weights.shape[0] * max(len(columns), 1):
        return FewColumns(columns, weights[:, columns].toarray())
    if weights.shape[0] == weights.shape[1] == weights.nnz and (weights.tocoo().row == weights.tocoo().col).all():
        return Diagonal(weights.diagonal())
    return as_blocks(weights) or weights


def _decay(values: Values, stay: npt.NDArray[np.float64], scratch: Values) -> None:
    """Let whole numbers decay in place, rounded towards zero; ``scratch`` is as large as they are."""
    first = float(stay.flat[0]) if stay.size else 1.0
    if np.all(stay == first):
        if first == 1:
            return
        if 0 < first < 1 and np.log2(1 - first) % 1 == 0:  # in whole numbers, so that every float holds them exactly
            np.abs(values, out=scratch)
            scratch *= 1 - first
            np.ceil(scratch, out=scratch)
            np.copysign(scratch, values, out=scratch)
            values -= scratch
            return
        if first == 0 or np.log2(first) % 1 == 0:  # exact in any float
            values *= values.dtype.type(first)
            np.trunc(values, out=values)
            return
    values[...] = np.trunc(values * stay)
