"""Spikes of the neurons on the host that encode the input, batched."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def encode(rates: npt.NDArray[Any], steps: int, dt: float) -> npt.NDArray[np.bool_]:
    """Return where ``nengo.SpikingRectifiedLinear`` neurons that start at zero fire.

    v += max(rate, 0) dt; a spike for v >= 1, of which what is above 1 stays. The chip takes one spike a step at most:
    rates end at 1 / dt.

    Args:
        rates: ``(batch, neurons)``, constant input in Hz.
        steps: how many steps.
        dt: seconds a step.

    Returns:
        ``(batch, steps, neurons)``.
    """
    drive = np.maximum(rates, 0).astype(np.float64) * dt
    voltage = np.zeros_like(drive)
    fired = np.zeros((len(rates), steps, rates.shape[1]), dtype=bool)
    for t in range(steps):
        voltage += drive
        whole = np.floor(voltage)
        voltage -= whole
        fired[:, t] = whole > 0
    return fired
