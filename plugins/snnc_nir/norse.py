"""The cells of Norse: ``LIFBoxCell`` with a leak too small to be there, where it does what the file says."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters
from norse.torch.module.lif_box import LIFBoxCell

from snnc.api import neurons
from snnc_nir.description import Description, Part, Population
from snnc_nir.torch_network import Cell

Tensor: TypeAlias = Any
LEAK = 2.0**-60
"""Of the voltage in a step: nothing in float32. The input is divided by it, which is exact."""


def subtract(z: Tensor, v: Tensor, reset: Tensor, threshold: Tensor) -> Tensor:
    """Return voltages less 1 for each spike z: ``threshold`` is the number before 1, as Norse fires above it only."""
    return v - z


class BoxCell(Cell):
    """``norse.torch.LIFBoxCell`` whose voltages are the state."""

    def __init__(self, initial: float) -> None:
        self.initial = initial
        self.module = LIFBoxCell(
            LIFBoxParameters(
                tau_mem_inv=torch.tensor(LEAK),
                v_leak=torch.tensor(0.0),
                v_th=torch.nextafter(torch.tensor(1.0), torch.tensor(0.0)),
                reset_method=subtract,
            ),
            dt=1.0,
        )

    def start(self, x: Tensor) -> Any:
        return LIFBoxFeedForwardState(v=torch.full_like(x, self.initial))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.module(x / LEAK, state)


def cell(part: Part, described: Description) -> Cell | None:
    """Return the cell of a part, or None where Norse has none that does the same."""
    does = part.does
    if isinstance(does, Population) and isinstance(does.model, neurons.SoftResetIf) and does.model.gamma == 1:
        return BoxCell(does.model.initial)
    return None
