"""Inputs that are images, as PNG inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np

from snnc.errors import MissingExtraError
from snnc.ir.types import Array

LEAST, MOST = 8, 256
"""Pixels of a side from which on an array is taken for an image, and of the longer side of its picture at most."""


def picture(x: Array) -> str | None:
    """Return one sample's input as the address of a PNG, or None where it looks like no image.

    Args:
        x: ``(height, width)``, or with 1, 3 or 4 channels behind; any range of numbers.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim == 3 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim not in (2, 3) or min(x.shape[:2]) < LEAST or (x.ndim == 3 and x.shape[-1] not in (3, 4)):
        return None
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("report", error) from None
    low, high = float(x.min()), float(x.max())
    if low >= 0 and high <= 255:  # the usual ranges; others are stretched
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scaled = np.clip((x - low) / max(high - low, 1e-12) * 255, 0, 255).round().astype(np.uint8)
    image = Image.fromarray(scaled)
    image.thumbnail((MOST, MOST))
    data = io.BytesIO()
    image.save(data, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
