"""The cells of Sinabs: ``IAFSqueeze`` without a floor, where it does what the file says."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from sinabs.activation import MaxSpike, MembraneSubtract, SingleSpike
from sinabs.layers import IAFSqueeze

from snnc.api import neurons
from snnc_nir.description import Description, Part, Population
from snnc_nir.torch_network import Cell

Tensor: TypeAlias = Any


class IafCell(Cell):
    """``sinabs.layers.IAFSqueeze``, one step a call."""

    def __init__(self, initial: float, most: int) -> None:
        self.initial = initial
        self.module = IAFSqueeze(
            num_timesteps=1,
            spike_threshold=torch.tensor(1.0),
            spike_fn=SingleSpike if most == 1 else MaxSpike(most),
            reset_fn=MembraneSubtract(),
            min_v_mem=None,
        )

    def start(self, x: Tensor) -> None:
        self.module.init_state_with_shape(tuple(x.shape))
        self.module.v_mem = torch.full_like(x, self.initial)

    def step(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        return self.module(x), None


def cell(part: Part, described: Description) -> Cell | None:
    """Return the cell of a part, or None where Sinabs has none that does the same."""
    does = part.does
    if isinstance(does, Population) and isinstance(does.model, neurons.SoftResetIf):
        return IafCell(does.model.initial, does.model.gamma)
    return None
