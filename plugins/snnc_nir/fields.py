"""The fields of a NIR node as what they should be: every value that they may have in a file is checked here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnc.api import AnyArray, FrontendError, Shape
from snnc_nir.file import NirNode

LARGEST = 1 << 24
"""The largest size, stride or padding: what is larger is damage."""

AXES = 8
"""Of a value, without the batch."""


@dataclass(frozen=True)
class Fields:
    """The fields of one node."""

    path: Path
    name: str
    node: NirNode

    def error(self, reason: str) -> FrontendError:
        """Return the error that names the file, the node and its type."""
        return FrontendError(f"{self.path}: node {self.name!r} ({self.node.type}): {reason}")

    def array(self, field: str, ndim: int | None = None) -> AnyArray:
        """Return an array of finite numbers; of so many axes, where that is said."""
        if field not in self.node.fields:
            raise self.error(f"it has no {field}; is the file complete?")
        value = np.asarray(self.node.fields[field])
        if value.dtype.kind not in "fiub":
            raise self.error(f"its {field} is no array of numbers")
        if ndim is not None and value.ndim != ndim:
            raise self.error(f"its {field} has {value.ndim} axes, not {ndim}")
        if not value.size:
            raise self.error(f"its {field} is empty")
        if not np.isfinite(value).all() or (np.abs(value) > np.finfo(np.float32).max).any():
            raise self.error(f"its {field} holds NaN or infinite values; train or repair it")
        return value

    def sizes(self, field: str, count: int | None = None, least: int = 1) -> Shape:
        """Return whole numbers from ``least`` on; ``count`` of them, for which one may stand."""
        value = self.array(field)
        if value.ndim > 1 or (value != np.floor(value)).any():
            raise self.error(f"its {field} is no list of whole numbers")
        if (value < least).any() or (value > LARGEST).any():
            raise self.error(f"its {field} is {value.tolist()}; that must be from {least} to {LARGEST}")
        if count is not None and value.ndim and value.size != count:
            raise self.error(f"its {field} has {value.size} numbers, not {count}")
        found = tuple(int(v) for v in np.atleast_1d(value))
        return found * count if count is not None and not value.ndim else found

    def shape(self, field: str = "shape") -> Shape:
        """Return a shape, without the batch and with channels first."""
        found = self.sizes(field)
        if len(found) > AXES:
            raise self.error(f"its {field} has {len(found)} axes; no network here has more than {AXES}")
        return found

    def parameter(self, field: str, shape: Shape, default: float | None = None) -> float | AnyArray:
        """Return one number, or an array with channels last where the neurons of a shape differ."""
        if default is not None and field not in self.node.fields:
            return default
        value = self.array(field).astype(np.float64)
        try:
            whole = np.broadcast_to(value if value.ndim in (0, len(shape)) else value.reshape(shape), shape)
        except ValueError:
            raise self.error(f"its {field} has shape {value.shape}, what arrives has {shape}") from None
        first = float(whole.flat[0])
        return first if (whole == first).all() else channels_last(whole).astype(np.float32)

    def number(self, key: str, default: float | None = None) -> float | None:
        """Return a number of the node's metadata."""
        return number(self.node.metadata.get(key), default, lambda: self.error(f"its metadata {key!r} is no number"))

    def text(self, key: str) -> str | None:
        """Return a text of the node's metadata, or None."""
        value = self.node.metadata.get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(f"its metadata {key!r} is no text")
        return value


def number(value: Any, default: float | None, error: Any) -> float | None:
    """Return one finite number; raise what ``error`` returns for anything else but None."""
    if value is None:
        return default
    if isinstance(value, (str, list)) or np.size(value) != 1 or np.asarray(value).dtype.kind not in "fiub":
        raise error()
    found = float(np.asarray(value).reshape(()))
    if not math.isfinite(found):
        raise error()
    return found


def channels_last(array: AnyArray) -> AnyArray:
    """Return an array with its first axis, the channels, behind all others."""
    return np.moveaxis(array, 0, -1) if array.ndim > 1 else array


def last_shape(shape: Shape) -> Shape:
    """Return a shape with its channels behind all others."""
    return (*shape[1:], shape[0])
