"""Modules of PyTorch that run snnc's own rules, for what no library has: read from the same lines as numpy's."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from snnc.api import AnyArray, Causal, Op, RandomStream, Shape, State, Synapse, for_batch
from snnc_nir.description import Part, Population
from snnc_nir.torch_namespace import TORCH

Tensor: TypeAlias = Any


class Rule(torch.nn.Module):
    """A population, a filter or another op of snnc, by its own rule: ``forward(x, state)`` gives ``(y, state)``.

    ``does`` says which. Tensors are ``(batch, channels, *space)``; the state has snnc's arrays, channels last.
    """

    def __init__(self, part: Part, dt: float) -> None:
        """Take what a part of a file does."""
        super().__init__()
        self.does, self.dt, self.first, self.own = part.does, dt, part.start, part.own

    def start(self, x: Tensor) -> dict[str, Any]:
        """Return the state before the first step, for a batch of such inputs."""
        if not isinstance(self.does, (Population, Synapse, Causal)):
            return for_batch(self.first or {}, len(x))
        return {
            name: _Stream(value.fresh(), x)
            if isinstance(value, RandomStream)
            else _tensor(value, x).expand(len(x), *value.shape)
            for name, value in (self.first or {}).items()
        }

    def forward(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Return the output of a step, and the state after it."""
        shape = x.shape
        y, state = self._step(channels_last(x, self.own), state)
        return channels_first(y, tuple(shape[1:])), state

    def _step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        does = self.does
        if isinstance(does, Population):
            current = x * _tensor(does.factor, x)
            drive = does.model.drive(TORCH, current + does.offset if does.offset else current, self.dt)
            y, state = does.model.rule(TORCH, drive, state, self.dt)
            return y * _tensor(does.height, x), state
        if isinstance(does, Synapse):
            return does.model.rule(TORCH, x, state, self.dt)
        if isinstance(does, Causal) and type(does).rule is not Causal.rule:
            return does.rule(TORCH, does.drive(TORCH, x), state)
        return self._in_numpy(does, x, state)

    def _in_numpy(self, op: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what an op gives that numpy alone can compute."""
        array = np.ascontiguousarray(x.detach().cpu().numpy())
        y = op.evaluate(array) if self.first is None else op.step(state, self.dt, array)
        return torch.tensor(np.asarray(y, dtype=np.float32), device=x.device), state

    def extra_repr(self) -> str:
        """Return what is computed."""
        return str(self.does.model if isinstance(self.does, Population) else self.does)


class _Stream:
    """A random stream whose numbers are tensors."""

    def __init__(self, stream: RandomStream, like: Tensor) -> None:
        self.stream, self.like = stream, like.new_zeros(())

    def uniform(self, shape: Shape) -> Tensor:
        """Return numbers from 0 to 1 for one sample, to be used for each."""
        return torch.as_tensor(self.stream.uniform(tuple(shape)), device=self.like.device)

    def poisson(self, mean: Tensor) -> Tensor:
        """Return Poisson counts for means ``(batch, *shape)``."""
        return torch.as_tensor(self.stream.poisson(mean.detach().cpu().numpy()), device=self.like.device)


def channels_last(x: Tensor, own: Shape) -> Tensor:
    """Return ``(batch, channels, *space)`` as ``(batch, *own)``, channels last; a vector is in that order already."""
    return x.movedim(1, -1).reshape(len(x), *own)


def channels_first(x: Tensor, shape: Shape) -> Tensor:
    """Return ``(batch, *own)`` as the file has it, ``(batch, *shape)``: channels first, or all in one vector."""
    vector = x.ndim == 1 or all(n == 1 for n in shape[1:])
    return (x if vector else x.movedim(-1, 1)).reshape(len(x), *shape)


def _tensor(value: AnyArray | float, like: Tensor) -> Tensor:
    return torch.as_tensor(np.array(value, dtype=np.float32), device=like.device)


__all__ = ["Op", "Rule", "channels_first", "channels_last"]
