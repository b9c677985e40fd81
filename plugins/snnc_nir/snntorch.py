"""The cells of snnTorch: ``Leaky`` without a leak, where it does what the file says."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import snntorch
import torch

from snnc.api import neurons
from snnc_nir.description import Description, Part, Population
from snnc_nir.torch_network import Cell

Tensor: TypeAlias = Any


class AtLeast(torch.autograd.Function):
    """1 where x >= 0, since snnTorch's own spikes are those above 0 only; the gradient is an arctangent's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the spikes."""
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Tensor:
        """Return the derivative of atan(pi x) / pi + 1/2 times that of the spikes."""
        (x,) = ctx.saved_tensors
        return above[0] / (1 + (math.pi * x) ** 2)


def at_least(x: Tensor) -> Tensor:
    """Return the spikes of voltages over the threshold."""
    return AtLeast.apply(x)


class LeakyCell(Cell):
    """``snntorch.Leaky`` that subtracts: a spike takes its threshold at the start of the next step."""

    note = "snntorch.Leaky adds the input before it subtracts the threshold: voltages differ in the last bits"

    def __init__(self, initial: float) -> None:
        self.initial = initial
        self.module = snntorch.Leaky(
            beta=1.0,
            threshold=1.0,
            spike_grad=at_least,
            init_hidden=True,
            reset_mechanism="subtract",
            reset_delay=True,
        )

    def start(self, x: Tensor) -> None:
        self.module.mem = torch.full_like(x, self.initial)

    def step(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        return self.module(x), None


def cell(part: Part, described: Description) -> Cell | None:
    """Return the cell of a part, or None where snnTorch has none that does the same."""
    does = part.does
    if isinstance(does, Population) and isinstance(does.model, neurons.SoftResetIf):
        if does.model.gamma == 1 and does.model.initial < 1:  # else the first step would begin with a reset
            return LeakyCell(does.model.initial)
    return None
