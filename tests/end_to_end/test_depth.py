"""Importing and compiling take work in proportion to the layers; function calls are counted, not seconds."""

import numpy as np
import pytest

import snnc
from tests.conftest import calls
from tests.frontend.keras_files import functional, kernel, layer, norm, source, write_h5


def residual_network(path, blocks):
    """Write a network of many conv-norm-relu6-add blocks; return its path."""
    rng = np.random.default_rng(0)
    layers, weights = [source("x", 4, 4, 2)], {}
    for k in range(blocks):
        before = f"add{k - 1}" if k else "x"
        layers += [
            layer("Conv2D", f"conv{k}", [[[before, 0, 0]]], filters=2, kernel_size=[3, 3], padding="same"),
            norm(f"norm{k}", [[[f"conv{k}", 0, 0]]]),
            layer("ReLU", f"relu{k}", [[[f"norm{k}", 0, 0]]], max_value=6.0),
            layer("Add", f"add{k}", [[[f"relu{k}", 0, 0], [before, 0, 0]]]),
        ]
        weights[f"conv{k}"] = {f"conv{k}/kernel:0": kernel(rng, 3, 3, 2, 2), f"conv{k}/bias:0": kernel(rng, 2)}
        statistics = ("gamma", "beta", "moving_mean", "moving_variance")
        weights[f"norm{k}"] = {f"norm{k}/{name}:0": np.abs(kernel(rng, 2)) for name in statistics}
    return write_h5(path, functional([["x", 0, 0]], [[f"add{blocks - 1}", 0, 0]], *layers), weights, split=50)


@pytest.mark.parametrize("step", ["import", "compile"])
def test_four_times_the_layers_are_four_times_the_work(tmp_path, step):
    counts = []
    for blocks in (30, 120):
        path = residual_network(tmp_path / f"{blocks}.h5", blocks)
        if step == "import":
            counts.append(calls(snnc.import_model, path))
        else:
            graph = snnc.import_model(path)
            assert len(graph) == 4 * blocks + 1
            counts.append(calls(snnc.compile, graph, build=False, verify=False))
    assert counts[1] < 4.6 * counts[0]
