"""The cost of a connection on a core, as nengo-loihi counts it once the layers are split into blocks.

nengo-loihi's ``split_synapse`` keeps, of the weights of each axon, those of a block, and stores equal ones once. The
same is counted here from the same weights without building them, so that thousands of shapes can be tried.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]

BASES = 256
"""Compartments that the base of a population axon can name; an index names those beyond."""


@dataclass(frozen=True)
class Part:
    """The resources that the neurons of one block need for a connection."""

    needed: Bools
    """``(axons,)``: those that reach a neuron of the block."""
    bits: int
    """Of synapse memory."""
    fits: bool = True
    """Whether the chip has a form for the weights: index bits, and bases of population axons of 16 bits."""


class CoreConnection(ABC):
    """All weights of a connection into an ensemble on the chip, and the axons that bring the spikes."""

    axons: int
    whole_bits: int
    """Of synapse memory, if the ensemble is not split."""

    def __init__(self, conn: Any, axon_of: Ints, slots: int) -> None:
        """Hold the connection, the axon of each source neuron (-1 for none), and output slots an axon takes."""
        self.source = conn.pre_obj.ensemble
        self.target = conn.post_obj.ensemble
        self.axon_of = axon_of
        self.slots = slots

    @abstractmethod
    def part(self, position: Ints, size: int) -> Part:
        """Return the resources of a block; ``position`` is each target neuron's place in it, or -1."""

    @property
    def fits_whole(self) -> bool:
        """Return whether the chip has a form for the weights if the ensemble is not split."""
        return True


class DiscreteEdge(CoreConnection):
    """A dense or a sparse transform: an axon a source neuron, weights without indices."""

    def __init__(self, conn: Any, weights: Any) -> None:
        """Hold ``(source, target)`` weights, float32, an array or a sparse matrix."""
        axon_of = np.full(conn.pre_obj.size_out, -1)
        axon_of[conn.pre_slice] = np.arange(weights.shape[0])
        super().__init__(conn, axon_of, slots=1)
        self.axons = weights.shape[0]
        self.sparse = scipy.sparse.issparse(weights)
        self.weights = weights.tocsr() if self.sparse else np.ascontiguousarray(weights)
        counts = np.diff(self.weights.indptr) if self.sparse else np.full(self.axons, weights.shape[1])
        self.whole_bits = _total(counts, _discrete_bits)

    def part(self, position: Ints, size: int) -> Part:
        return self._sparse_part(position) if self.sparse else self._dense_part(position, size)

    def _dense_part(self, position: Ints, size: int) -> Part:
        rows = _different_rows(self.weights[:, position >= 0].view(np.uint32))
        return Part(np.ones(self.axons, dtype=bool), rows * _discrete_bits(size))

    def _sparse_part(self, position: Ints) -> Part:
        sources, bits, starts = self._by_target
        targets = np.flatnonzero(position >= 0)
        counts = starts[targets + 1] - starts[targets]
        entries = np.repeat(starts[targets] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        order = np.argsort(sources[entries], kind="stable")
        rows = sources[entries][order]
        if not rows.size:
            return Part(np.zeros(self.axons, dtype=bool), 0)
        hashes = _mix(np.repeat(position[targets], counts), bits[entries])[order]
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        stored = np.diff(begins, append=len(rows))
        needed = np.zeros(self.axons, dtype=bool)
        needed[rows[begins]] = True
        different = np.unique(np.add.reduceat(hashes, begins), return_index=True)[1]
        return Part(needed, _total(stored[different], _discrete_bits))

    @functools.cached_property
    def _by_target(self) -> tuple[Ints, Hashes, Ints]:
        """Return the axon and the bits of each weight, one target after the other, and where each target's begin."""
        csc = self.weights.tocsc()
        return csc.indices.astype(np.int64), csc.data.view(np.uint32).astype(np.uint64), csc.indptr.astype(np.int64)


@dataclass(frozen=True)
class _Reach:
    """The target pixels of all axons, one axon after the other; arrays are ``(pairs,)``."""

    axon: Ints
    pixel: Ints
    weights: Ints
    """The row of ``sums`` that says what a pair weighs."""
    sums: Hashes
    """``(rows, channels + 1)``: hashes of the weights to each channel of a pixel, added up from the first."""

    def content(self, pairs: Ints, channels: slice) -> Hashes:
        """Return a hash of the weights of pairs to some channels of their pixels."""
        rows = self.sums[self.weights[pairs]]
        return rows[:, channels.stop] - rows[:, channels.start]


class PopulationEdge(CoreConnection):
    """A convolution: an axon a source pixel, weights with indices, shared by the pixels that meet the same ones."""

    def __init__(self, conn: Any, transform: Any, weights: list[Values], indices: list[Values], synapse: Any) -> None:
        """Hold what nengo-loihi's ``conv2d_loihi_weights`` gives, in a ``Synapse`` too."""
        from nengo_loihi.conv import pixel_idxs

        axon_of = np.full(conn.pre_obj.size_out, -1)
        axon_of[conn.pre_slice] = pixel_idxs(transform.input_shape)
        super().__init__(conn, axon_of, slots=2 if synapse.pop_type == 32 else 1)
        self.axons = synapse.n_axons
        self.whole_bits = synapse.bits()
        self.pop_type = synapse.pop_type
        self.bases = np.asarray(synapse.axon_compartment_bases)
        self.index_bits = synapse.synapse_cfg.idx_bits
        self.atoms = transform.input_shape.n_channels
        self.channels = transform.n_filters if transform.channels_last else 1
        self.entry_of = np.asarray(synapse.axon_to_weight_map)
        self.indices = [np.asarray(index[0], dtype=np.int64) for index in indices]
        self.contents = _contents(weights)
        self._reaches: dict[int, _Reach] = {}

    @property
    def fits_whole(self) -> bool:
        return self.index_bits >= 0 and not (self.pop_type == 16 and np.any(self.bases[self.bases >= 0] % 4))

    def part(self, position: Ints, size: int) -> Part:
        rows = position.reshape(-1, self.channels)
        pixels = np.flatnonzero((rows >= 0).any(axis=1))
        kept = np.flatnonzero(rows[pixels[0]] >= 0)
        first, last = int(kept[0]), int(kept[-1]) + 1
        places = rows[pixels, first]
        box = np.array_equal(rows[pixels, first:last], places[:, None] + np.arange(last - first))
        if not (box and size == len(pixels) * (last - first)):  # then each channel counts as a pixel of its own
            return self._part(self._reach(1), position, slice(0, 1))
        place = np.full(len(rows), -1)
        place[pixels] = places
        return self._part(self._reach(self.channels), place, slice(first, last))

    def _part(self, reach: _Reach, place: Ints, channels: slice) -> Part:
        """Return the resources of some channels of pixels that have a place in the block, others having -1."""
        needed = np.zeros(self.axons, dtype=bool)
        pairs = np.flatnonzero(place[reach.pixel] >= 0)
        if not pairs.size:
            return Part(needed, 0)
        axon, places = reach.axon[pairs], place[reach.pixel[pairs]]
        starts = np.flatnonzero(np.diff(axon, prepend=-1))
        counts = np.diff(starts, append=len(axon))
        needed[axon[starts]] = True
        # nengo-loihi takes the lowest place as the base of the indices, as far as a base may go
        base = places[starts] % BASES
        index = places - np.repeat(base, counts)
        hashes = np.add.reduceat(_mix(index, reach.content(pairs, channels)), starts)
        different = np.unique(hashes, return_index=True)[1]
        width = channels.stop - channels.start
        code = _index_code(int(index.max()) + width - 1)
        aligned = self.pop_type != 16 or not np.any(base % 4)
        if code < 0 or not aligned:
            return Part(needed, 0, fits=False)
        return Part(needed, _total(counts[different] * (width * self.atoms), lambda n: _population_bits(n, code)))

    def _reach(self, channels: int) -> _Reach:
        """Return what axons reach, so many channels taken together."""
        if channels not in self._reaches:
            sizes = [len(index) // channels for index in self.indices]
            starts = np.cumsum([0, *sizes])
            axons = [np.flatnonzero((self.entry_of == entry) & (self.bases >= 0)) for entry in range(len(sizes))]
            pixels = [self.bases[a][:, None] + i[::channels] for a, i in zip(axons, self.indices, strict=True)]
            axon = np.concatenate([np.repeat(a, n) for a, n in zip(axons, sizes, strict=True)])
            pixel = np.concatenate([p.ravel() // channels for p in pixels])
            weights = np.concatenate(
                [np.tile(np.arange(s, s + n), len(a)) for a, s, n in zip(axons, starts, sizes, strict=False)]
            )
            contents = np.concatenate([content.reshape(-1, channels) for content in self.contents])
            sums = np.zeros((len(contents), channels + 1), dtype=np.uint64)
            np.cumsum(_mix(np.arange(channels), contents), axis=1, out=sums[:, 1:])
            order = np.argsort(axon, kind="stable")
            self._reaches[channels] = _Reach(axon[order], pixel[order], weights[order], sums)
        return self._reaches[channels]


class ResetEdge(CoreConnection):
    """What takes a spike off the current of soft-reset neurons: an axon from each neuron to itself."""

    def __init__(self, ensemble: Any) -> None:
        """Hold the connections of an ensemble to itself."""
        self.source = self.target = ensemble
        self.axons = ensemble.n_neurons
        self.axon_of = np.arange(self.axons)
        self.by_population = ensemble.neuron_type.by_population
        self.slots = 2 if self.by_population else 1
        self.whole_bits = self._bits(self.axons)

    def part(self, position: Ints, size: int) -> Part:
        needed = np.zeros(self.axons, dtype=bool)
        needed[: len(position)] = position >= 0
        return Part(needed, self._bits(size))

    def _bits(self, size: int) -> int:
        if not self.by_population:
            return size * _discrete_bits(1)
        far = -(-size // BASES)
        return far * _population_bits(1, _index_code(BASES * (far - 1)))


def edge(network: Any, conn: Any, dt: float) -> CoreConnection:
    """Return the edge of a connection from neurons, on the host or the chip, to neurons on the chip.

    Weights are scaled as nengo-loihi scales them, so that those that become equal are found equal.
    """
    import nengo
    from nengo_loihi.block import Synapse
    from nengo_loihi.builder.sparse_matrix import expand_matrix, scale_matrix
    from nengo_loihi.compat import is_transform_type, sample_transform
    from nengo_loihi.conv import conv2d_loihi_weights

    amplitude = getattr(conn.pre_obj.ensemble.neuron_type, "amplitude", 1.0)
    gain = _gain(conn.post_obj.ensemble)
    sampled = sample_transform(conn, rng=np.random.RandomState(0))
    if is_transform_type(conn.transform, ("Convolution", "ConvolutionTranspose")):
        transform = conn.transform
        scaled = type(transform)(
            transform.n_filters,
            transform.input_shape,
            kernel_size=transform.kernel_size,
            strides=transform.strides,
            padding=transform.padding,
            channels_last=transform.channels_last,
            init=(sampled / dt * amplitude * gain[0]).astype(nengo.rc.float_dtype),
            **_output_shape(transform),
        )
        weights, indices, entries, bases = conv2d_loihi_weights(scaled)
        synapse = Synapse(int(np.prod(transform.input_shape.spatial_shape)))
        synapse.set_population_weights(weights, indices, entries, bases, pop_type=network.config[conn].pop_type)
        return PopulationEdge(conn, transform, weights, indices, synapse)
    matrix = scale_matrix(expand_matrix(sampled, (conn.post_obj.size_in, conn.size_in)), 1.0 / dt)
    matrix = scale_matrix(scale_matrix(matrix, amplitude).astype(nengo.rc.float_dtype).T, gain)
    return DiscreteEdge(conn, matrix.astype(np.float32))


def _output_shape(transform: Any) -> dict[str, Any]:
    """Return what only a transposed convolution takes: its output may be one of several that fit."""
    from nengo_loihi.compat import is_transform_type

    return {"output_shape": transform.output_shape} if is_transform_type(transform, "ConvolutionTranspose") else {}


def _gain(ensemble: Any) -> npt.NDArray[np.float64]:
    gain = np.asarray(ensemble.gain) if isinstance(ensemble.gain, (int, float, np.ndarray)) else np.ones(1)
    return np.broadcast_to(gain.astype(np.float64), ensemble.n_neurons)


def _different_rows(bits: npt.NDArray[np.uint32]) -> int:
    """Return how many rows differ."""
    rows = len(bits)
    label = np.zeros(rows, dtype=np.int64)
    for column in bits.T:  # the first column tells random weights apart
        value = np.unique(column, return_inverse=True)[1].ravel()
        different, label = np.unique(label * rows + value, return_inverse=True)
        label = label.ravel()
        if len(different) == rows:
            return rows
    return int(label.max(initial=-1)) + 1


def _contents(weights: list[Values]) -> list[Hashes]:
    """Return a hash of each column of matrices of weights, ``(columns,)``; equal matrices are looked at once."""
    found: dict[bytes, Hashes] = {}
    keys = []
    for matrix in weights:
        bits = np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
        keys.append(bits.tobytes())
        if keys[-1] not in found:
            found[keys[-1]] = _mix(np.arange(len(bits))[:, None], bits).sum(axis=0, dtype=np.uint64)
    return [found[key] for key in keys]


def _mix(index: Ints, bits: npt.NDArray[Any]) -> Hashes:
    """Return a hash of pairs, whose sums tell rows apart as well as nengo-loihi's own hash does."""
    mixed = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed + bits.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    for shift in (29, 32):  # the finaliser of splitmix64
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def _total(sizes: Ints, bits: Callable[[int], int]) -> int:
    """Return the bits of entries of so many weights each."""
    return sum(int(n) * bits(int(size)) for size, n in zip(*np.unique(sizes, return_counts=True), strict=True))


@functools.cache
def _discrete_bits(weights: int) -> int:
    from nengo_loihi.block import SynapseConfig

    return int(SynapseConfig(compression=3, fanout_type=1, n_synapses=63, weight_bits=7).bits_per_axon(weights))


@functools.cache
def _population_bits(weights: int, index_code: int) -> int:
    from nengo_loihi.block import SynapseConfig

    config = SynapseConfig(compression=0, idx_bits=index_code, fanout_type=1, n_synapses=63, weight_bits=7)
    return int(config.bits_per_axon(weights))


def _index_code(largest: int) -> int:
    """Return the chip's code for the number of bits of an index, -1 if it has none so long."""
    from nengo_loihi.block import SynapseConfig

    bits = int(np.ceil(np.log2(largest + 1)))
    return next((code for code, has in enumerate(SynapseConfig.INDEX_BITS_MAP) if has >= bits), -1)
