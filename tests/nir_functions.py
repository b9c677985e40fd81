"""Functions of the executor of NIR files that keep nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special


def plain_relu(attrs: dict[str, Any]) -> bool:
    """Return whether a neuron that wraps an activation wraps max(x, 0)."""
    of = attrs.get("of", {"op": "relu", "attrs": {}})
    return (
        of["op"] == "relu"
        and not any(of["attrs"].get(name) for name in ("negative_slope", "threshold"))
        and (of["attrs"].get("max_value") is None)
    )


def activation(kind: str, attrs: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Return an activation of snnc."""
    if kind == "relu":
        top, slope, threshold = attrs.get("max_value"), attrs.get("negative_slope", 0), attrs.get("threshold", 0)
        return np.where(x >= threshold, x if top is None else np.minimum(x, top), slope * (x - threshold))
    known: dict[str, Callable[[], np.ndarray]] = {
        "sigmoid": lambda: special.expit(x),
        "tanh": lambda: np.tanh(x),
        "swish": lambda: x * special.expit(x),
        "gelu": lambda: x * special.ndtr(x),
        "elu": lambda: np.where(x > 0, x, attrs.get("alpha", 1.0) * np.expm1(np.minimum(x, 0))),
        "softplus": lambda: np.logaddexp(x, 0),
        "softsign": lambda: x / (1 + np.abs(x)),
    }
    if kind not in known:
        raise ValueError(f"the activation {kind!r} is unknown here")
    return known[kind]()


def windows(x: np.ndarray, padding: list[tuple[int, int]], size: list[int], stride: list[int]) -> np.ndarray:
    """Return ``(batch, channels, *places, *size)``: what a window sees at each place."""
    padded = np.pad(x, [(0, 0), (0, 0), *padding])
    axes = tuple(range(2, 2 + len(size)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, size, axis=axes)
    return seen[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
