"""The cost of a connection on a core, as nengo-loihi counts it once the layers are split into blocks.

nengo-loihi's ``split_synapse`` keeps, of the weights of each axon, those of a block, and stores equal ones once. The
same is counted here from the same weights without building them, so that thousands of shapes can be tried.
"""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
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
        self.whole_bits = sum(_discrete_bits(int(n)) for n in counts)

    def part(self, position: Ints, size: int) -> Part:
        return self._sparse_part(position) if self.sparse else self._dense_part(position, size)

    def _dense_part(self, position: Ints, size: int) -> Part:
        rows = _different_rows(self.weights[:, position >= 0].view(np.uint32))
        return Part(np.ones(self.axons, dtype=bool), rows * _discrete_bits(size))

    def _sparse_part(self, position: Ints) -> Part:
        csr = self.weights
        kept = position[csr.indices] >= 0
        row_of = np.repeat(np.arange(self.axons), np.diff(csr.indptr))[kept]
        mixed = _mix(position[csr.indices[kept]].astype(np.uint64), csr.data[kept].view(np.uint32))
        hashes = np.zeros(self.axons, dtype=np.uint64)
        np.add.at(hashes, row_of, mixed)
        counts = np.bincount(row_of, minlength=self.axons)
        different = np.unique(np.stack([hashes[counts > 0], counts[counts > 0].astype(np.uint64)]), axis=1)[1]
        return Part(counts > 0, sum(_discrete_bits(int(n)) for n in different))


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
        self.weights = [np.ascontiguousarray(w, dtype=np.float32) for w in weights]
        entries = np.asarray(synapse.axon_to_weight_map)
        self.groups = [
            (entry, axons, self.bases[axons][:, None] + indices[entry][0][None, :])
            for entry in range(len(weights))
            if (axons := np.flatnonzero((entries == entry) & (self.bases >= 0))).size
        ]
        """(entry of the weight memory, axons that use it, their target neurons)."""
        rng = np.random.default_rng(0)
        self.factors = rng.integers(1, 1 << 62, size=max(w.shape[1] for w in weights), dtype=np.uint64) | np.uint64(1)
        self._digests: dict[tuple[int, bytes], bytes] = {}

    @property
    def fits_whole(self) -> bool:
        return self.index_bits >= 0 and not (self.pop_type == 16 and np.any(self.bases[self.bases >= 0] % 4))

    def part(self, position: Ints, size: int) -> Part:
        needed = np.zeros(self.axons, dtype=bool)
        aligned, largest = True, 0
        stored: dict[tuple[bytes, bytes], int] = {}
        for entry, axons, targets in self.groups:
            places = position[targets]
            inside = places >= 0
            reaching = inside.any(axis=1)
            if not reaching.any():
                continue
            needed[axons[reaching]] = True
            places, inside = places[reaching], inside[reaching]
            # nengo-loihi takes the lowest place as the base of the indices, as far as a base may go
            base = places[np.arange(len(places)), inside.argmax(axis=1)] % 256
            aligned = aligned and not np.any(base % 4)
            index = np.where(inside, places - base[:, None], -1)
            largest = max(largest, int(index.max()))
            hashes = ((index + 2).astype(np.uint64) * self.factors[: index.shape[1]]).sum(axis=1, dtype=np.uint64)
            for row in np.unique(hashes, return_index=True)[1]:
                kept = inside[row]
                key = (self._digest(entry, kept), index[row][kept].tobytes())
                stored[key] = self.weights[entry].shape[0] * int(kept.sum())
        code = _index_code(largest)
        bits = sum(_population_bits(n, code) for n in stored.values()) if code >= 0 else 0
        return Part(needed, bits, fits=code >= 0 and (aligned or self.pop_type != 16))

    def _digest(self, entry: int, kept: Bools) -> bytes:
        key = (entry, np.packbits(kept).tobytes())
        if key not in self._digests:
            data = np.ascontiguousarray(self.weights[entry][:, kept])
            self._digests[key] = hashlib.blake2b(data.tobytes(), digest_size=16).digest()
        return self._digests[key]


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


def _mix(index: npt.NDArray[np.uint64], bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Return a hash of pairs, whose sums tell rows apart as well as nengo-loihi's own hash does."""
    mixed = index * np.uint64(0x9E3779B97F4A7C15) + bits.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    for shift in (29, 32):  # the finaliser of splitmix64
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


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
