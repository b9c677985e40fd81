"""Fixtures and small models that many tests share."""

from __future__ import annotations

import cProfile
import os
import pstats
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnc import ops
from snnc.ir.graph import Graph

ROOT = Path(__file__).parent.parent

for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):  # what commands print depends on no terminal of the caller's
    os.environ.pop(name, None)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared sample models; skip where this machine has none."""
    folder = Path(os.environ.get("SNNC_SHARED", ROOT.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip("the shared sample models are not on this machine")
    return folder


@pytest.fixture(scope="session")
def example() -> Path:
    """Return the folder of the trained example model and its samples."""
    return ROOT / "examples" / "mnist"


def calls(function: Callable[..., object], *args: object, **kwargs: object) -> int:
    """Return how many function calls a call makes: what grows is counted, because time depends on the machine."""
    profile = cProfile.Profile()
    profile.runcall(function, *args, **kwargs)
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


def dense(rng: np.random.Generator, inputs: int, units: int, activation: ops.Activation | None = None) -> ops.Dense:
    return ops.Dense(weight=rng.normal(size=(inputs, units)), bias=rng.normal(size=units), activation=activation)


def conv(rng: np.random.Generator, size: tuple[int, ...], inputs: int, outputs: int, **fields: object) -> ops.Conv:
    groups = int(fields.get("groups", 1))  # type: ignore[call-overload]
    ones = (1,) * len(size)
    return ops.Conv(
        **{
            "kernel": rng.normal(size=(*size, inputs // groups, outputs)),
            "bias": rng.normal(size=outputs),
            "strides": ones,
            "dilation": ones,
            **fields,
        }
    )


def batch_norm(rng: np.random.Generator, channels: int) -> ops.BatchNorm:
    return ops.BatchNorm(
        gamma=rng.normal(size=channels),
        beta=rng.normal(size=channels),
        mean=rng.normal(size=channels),
        variance=rng.uniform(0.5, 2, size=channels),
    )


@pytest.fixture
def residual(rng: np.random.Generator) -> Graph:
    """Return a small residual network: conv-bn-relu, a branch of its own, a sum, pooling, and a dense softmax."""
    g = Graph("residual")
    g.add("image", ops.Input(shape=(6, 6, 2)))
    g.add("conv1", conv(rng, (3, 3), 2, 4, padding="same"), ["image"], layers=["conv1"])
    g.add("bn1", batch_norm(rng, 4), ["conv1"], layers=["bn1"])
    g.add("relu1", ops.Relu(), ["bn1"], layers=["relu1"])
    g.add("drop", ops.Identity(), ["relu1"], layers=["drop"])
    g.add("conv2", conv(rng, (3, 3), 4, 4, padding="same", activation=ops.Relu()), ["drop"], layers=["conv2"])
    g.add("add", ops.Add(), ["conv2", "relu1"], layers=["add"])
    g.add("relu6", ops.Relu(max_value=6.0), ["add"], layers=["relu6"])
    g.add("pool", ops.GlobalAvgPool(), ["relu6"], layers=["pool"])
    g.add("dense", dense(rng, 4, 3, ops.Softmax()), ["pool"], layers=["dense"])
    g.set_outputs({"dense": "dense"})
    return g
