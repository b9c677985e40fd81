"""What batch normalisation says of activations, and made-up inputs that are brought to it."""

from dataclasses import replace

import numpy as np
import pytest

from snnc import ops
from snnc.analysis.expected import Statistics, expected_activations, expected_ranges, fit, known_statistics
from snnc.neurons import Neurons, SignedIf
from snnc.passes.fold_batch_norm import FoldBatchNorm
from snnc.testing import apply, chain
from tests.conftest import batch_norm, conv, dense

SPIKE = Neurons(model=SignedIf())


def trained(rng):
    """Return a model of two normalised layers whose statistics are those of its data, and the data."""
    data = rng.uniform(0, 1, size=(64, 8, 8, 2)).astype(np.float32)
    graph = chain(
        *(ops.Input(shape=(8, 8, 2)), conv(rng, (3, 3), 2, 4), batch_norm(rng, 4), SPIKE),
        *(conv(rng, (3, 3), 4, 6), batch_norm(rng, 6), SPIKE, ops.GlobalAvgPool(), dense(rng, 6, 3)),
        names=["x", "conv", "norm", "a", "conv_b", "norm_b", "b", "pool", "out"],
    )
    for name in ("norm", "norm_b"):
        (before,) = graph.sources(name)
        graph.set_outputs({"y": before})
        y = graph.evaluate(data)["y"]
        graph.replace(name, replace(graph[name].op, mean=y.mean((0, 1, 2)), variance=y.var((0, 1, 2))))
    graph.set_outputs({"out": "out"})
    return graph, data


def largest(graph, data, name):
    graph = graph.copy()
    graph.set_outputs({"y": name})
    return graph.evaluate(data)["y"].max(axis=(0, 1, 2))


def test_the_statistics_before_and_behind_each_normalisation_are_those_of_the_data(rng):
    graph, data = trained(rng)
    known = known_statistics(graph)
    assert set(known) == {"conv", "norm", "conv_b", "norm_b"}
    for name, statistics in known.items():
        graph.set_outputs({"y": name})
        y = graph.evaluate(data)["y"]
        assert np.allclose(y.mean((0, 1, 2)), statistics.mean, atol=1e-3 * np.abs(statistics.mean).max())
        assert np.allclose(y.std((0, 1, 2)), statistics.deviation, rtol=1e-2)


@pytest.mark.parametrize("factor", [1, 1 / 255, 255])
def test_ranges_are_those_of_the_models_own_data_whatever_the_inputs_are_scaled_by(rng, factor):
    graph, data = trained(rng)
    known = known_statistics(graph)
    folded = apply(FoldBatchNorm(), graph)
    assert "conv" not in folded
    other = rng.uniform(0, factor, size=data.shape).astype(np.float32)
    ranges = expected_ranges(folded, {"a", "b"}, {"x": other}, known)
    for name in ("a", "b"):
        wanted = largest(graph, data, name)
        assert np.allclose(ranges[name], np.maximum(wanted, 0.3 * wanted.max()), rtol=0.3)
    if factor != 1:
        plain = expected_ranges(folded, {"a"}, {"x": other}, {})["a"]
        assert not np.allclose(plain, ranges["a"], rtol=0.5)


def test_what_is_rectified_stays_so(rng):
    graph, data = trained(rng)
    known = {"a": Statistics(np.full(4, 2.0), np.full(4, 1.0))}
    ((_, _, gives),) = expected_activations(graph, {"a"}, {"x": data}, known)
    assert gives.min() == 0
    assert np.allclose(np.sqrt((gives**2).mean((0, 1, 2))), np.sqrt(5), rtol=1e-4)


def test_a_layer_with_few_values_a_channel_has_one_range_for_all(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 5), SPIKE, names=["x", "linear", "out"])
    x = rng.uniform(size=(50, 4)).astype(np.float32)
    ranges = expected_ranges(graph, {"out"}, {"x": x}, {})
    assert ranges["out"] == graph.evaluate(x)["out"].max()


@pytest.mark.parametrize("bias", [-50.0, 0.0])
def test_a_silent_population_gets_the_spread_of_what_it_reads_or_one(rng, bias):
    layer = ops.Dense(weight=np.eye(3) * (bias != 0), bias=np.full(3, bias))
    graph = chain(ops.Input(shape=(3,)), layer, SPIKE, names=["x", "linear", "out"])
    x = rng.uniform(size=(20, 3)).astype(np.float32)
    found = expected_ranges(graph, {"out"}, {"x": x}, {})["out"]
    assert found == pytest.approx(1.0 if bias == 0 else x.max() - x.min(), rel=1e-3)


def test_the_fit_is_one_where_inputs_are_the_models_own_and_says_by_how_much_they_are_wrong(rng):
    graph, data = trained(rng)
    right, small = fit(graph, "x", {"x": data}), fit(graph, "x", {"x": data / 100})
    assert right.name == "norm"
    assert right.ratio == pytest.approx(1, rel=0.05)
    assert small.ratio == pytest.approx(100, rel=0.05)
    assert right.distance < 0.1 < small.distance
    assert fit(chain(ops.Input(shape=(2,)), dense(rng, 2, 2), names=["x", "out"]), "x", {"x": data}) is None
