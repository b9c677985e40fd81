"""Small graphs and their programs."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from snnc.api import Graph, LoweringContext
from snnc.registry import Registry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own
    tf = pytest.importorskip("tensorflow")

LOWERINGS = Registry.discover().lowerings_for("tensorflow")


def program(graph: Graph, seed: int = 0, dt: float = 0.001) -> Any:
    from snnc_tensorflow.backend import TensorflowBackend

    return TensorflowBackend().lower(graph, LoweringContext(LOWERINGS, dt=dt, seed=seed))
