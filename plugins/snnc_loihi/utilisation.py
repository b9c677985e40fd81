"""The use of the chip by a built model: core by core, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnc_loihi.board import BoardFit
from snnc_loihi.chip_model import ensembles_of
from snnc_loihi.layer_costs import Limits
from snnc_loihi.neuron_types import RESET


@dataclass(frozen=True)
class CoreUse:
    """A core, and the resources that the block on it takes."""

    chip: int
    core: int
    layer: str
    compartments: int
    in_axons: int
    out_axons: int
    synapse_bits: int

    def shares(self, limits: Limits) -> dict[str, float]:
        """Return how much of each of its resources is taken, 0 to 1."""
        return {name: getattr(self, name) / limit for name, limit in asdict(limits).items()}


@dataclass(frozen=True)
class LayerUse:
    """A layer: its cores together, and how well the chip's numbers hold its weights."""

    layer: str
    cores: int
    neurons: int
    in_axons: int
    out_axons: int
    synapse_bits: int
    fullest: float
    """How much is taken of the scarcest resource of its fullest core, 0 to 1."""
    scarcest: str
    """Which resource that is."""
    weight_bits: float
    """Bits, sign included, that the chip has for a weight of the median size; 8 for the largest."""
    weight_range: float
    """The largest weight over the median one: cores scale all weights by the largest."""
    floor: float
    """The membrane's lowest voltage in units of the threshold, as the chip rounds it."""


@dataclass(frozen=True)
class Utilisation:
    """A model on a board."""

    limits: Limits
    cores: tuple[CoreUse, ...]
    layers: tuple[LayerUse, ...]
    between_chips: float
    """Share of the traffic between cores that leaves its chip."""
    warnings: tuple[str, ...]
    """What hardware may refuse, or do otherwise than the emulator."""

    @property
    def chips(self) -> int:
        """Return the number of chips."""
        return 1 + max((core.chip for core in self.cores), default=-1)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "chips": self.chips,
            "cores": len(self.cores),
            "between_chips": self.between_chips,
            "layers": [asdict(layer) for layer in self.layers],
            "blocks": [asdict(core) for core in self.cores],
            "limits": asdict(self.limits),
            "warnings": list(self.warnings),
        }


def utilisation(model: Any, board: BoardFit) -> Utilisation:
    """Return the use of its chips by a discretised model."""
    limits = Limits.of_loihi()
    ensembles = ensembles_of(model)
    cores = tuple(
        CoreUse(c, i, ensembles[block].label, *(int(used) for used, _ in block.utilization().values()))
        for c, chip in enumerate(board.chips)
        for i, block in enumerate(chip)
    )
    blocks: dict[Any, list[Any]] = {}
    for block, ensemble in ensembles.items():
        blocks.setdefault(ensemble, []).append(block)
    layers = tuple(
        _layer(ensemble.label, found, [c for c in cores if c.layer == ensemble.label], limits)
        for ensemble, found in blocks.items()
    )
    return Utilisation(limits, cores, layers, board.between_chips, board.warnings)


def _layer(name: str, blocks: list[Any], cores: Iterable[CoreUse], limits: Limits) -> LayerUse:
    cores = list(cores)
    worst: Mapping[str, float] = max((core.shares(limits) for core in cores), key=lambda s: max(s.values()))
    scarcest = max(worst, key=lambda resource: worst[resource])
    bits, spread = _precision(blocks)
    compartment = blocks[0].compartment
    return LayerUse(
        layer=name,
        cores=len(cores),
        neurons=sum(core.compartments for core in cores),
        in_axons=sum(core.in_axons for core in cores),
        out_axons=sum(core.out_axons for core in cores),
        synapse_bits=sum(core.synapse_bits for core in cores),
        fullest=worst[scarcest],
        scarcest=scarcest,
        weight_bits=bits,
        weight_range=spread,
        floor=float(compartment.vmin) / float(compartment.vth.max()),
    )


def _precision(blocks: list[Any]) -> tuple[float, float]:
    """Return (bits for the median weight that is not zero, sign included; largest weight over median weight)."""
    levels, sizes = [], []
    for block in blocks:
        for synapse in (s for s in block.synapses if not (s.label or "").startswith(RESET)):
            weights = np.abs(np.concatenate([w.ravel() for w in synapse.weights])).astype(np.float64)
            weights = weights[weights > 0]
            # a weight is a whole number of these: all have a sign, so that the last of 8 bits is always zero
            levels.append(weights / 2.0 ** (synapse.synapse_cfg.real_weight_exp + synapse.synapse_cfg.shift_bits))
            sizes.append(weights / block.discretize_info["v_scale"])
    level, size = np.concatenate([*levels, []]), np.concatenate([*sizes, []])
    if not level.size:
        return 0.0, 1.0
    return float(1 + np.log2(np.median(level) + 1)), float(size.max() / np.median(size))
