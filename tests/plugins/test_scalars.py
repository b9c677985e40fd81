"""Tensors without an axis, one number a sample, compile at every level for every backend."""

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.ir.graph import Graph

BACKENDS = ("nengo", "nengo-dl", "tensorflow", "loihi")


def scalar_model() -> Graph:
    """Return a model of one number, with a nonlinearity on a number inside."""
    rng, graph = np.random.default_rng(0), Graph("scalar")
    graph.add("x", ops.Input(shape=()))
    graph.add("vector", ops.Reshape(shape=(1,)), ["x"], layers=["vector"])
    hidden = ops.Dense(weight=rng.normal(size=(1, 12)), bias=rng.uniform(size=12), activation=ops.Relu())
    graph.add("hidden", hidden, ["vector"], layers=["hidden"])
    graph.add("mean", ops.Mean(axes=(0,)), ["hidden"], layers=["mean"])
    graph.add("gate", ops.Swish(), ["mean"], layers=["gate"])
    graph.add("gated", ops.Reshape(shape=(1,)), ["gate"], layers=["gated"])
    graph.add("y", ops.Dense(weight=rng.normal(size=(1, 2)), bias=rng.normal(size=2)), ["gated"], layers=["y"])
    graph.set_outputs({"y": "y"})
    return graph


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_number_a_sample_is_as_good_an_input_as_a_vector(backend: str, level: int) -> None:
    if backend == "loihi":
        pytest.importorskip("nengo_loihi")
    elif backend != "nengo":
        pytest.importorskip("tensorflow")
        pytest.importorskip("nengo_dl") if backend == "nengo-dl" else None
    graph, x = scalar_model(), np.random.default_rng(1).uniform(-1, 1, size=256).astype(np.float32)
    scale = None if level == 2 or backend == "loihi" else 1000.0
    compiled = snnc.compile(graph, backend=backend, level=level, scale=scale, calibration=x if level == 2 else None)
    want, got = graph.evaluate({"x": x})["y"], compiled.predict(x, None if level == 2 else 400)
    assert got.shape == want.shape
    if level == 2 or backend != "loihi":  # whose scale nothing has measured at lower levels
        assert np.sqrt(np.mean((got - want) ** 2)) < 0.2 * want.std()
    if level == 2:
        assert compiled.report["spiking"] == "passed"
