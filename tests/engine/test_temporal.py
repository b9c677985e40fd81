"""Temporal graphs: evaluated slice by slice, run one slice a step."""

from __future__ import annotations

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.fan_out import fan_out
from snnc.engine import rate as evaluate
from snnc.engine.presentation import is_temporal, presentation
from snnc.engine.read_out import LastReadOut, MeanReadOut
from snnc.engine.simulate import simulate
from snnc.errors import DataError, ShapeError
from snnc.ir.graph import Graph
from snnc.ops.causal import DelayLine, LastStep, Running
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.testing import chain
from tests.conftest import conv, dense

X = ops.Input(shape=(3,), dt=0.002)


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 6, 3)).astype(np.float32)


@pytest.fixture
def graph(rng):
    names = ["x", "hidden", "run", "last", "y"]
    found = chain(X, dense(rng, 3, 4, ops.Relu()), Running(), LastStep(), dense(rng, 4, 2), names=names)
    found.set_outputs({"y": "y", "hidden": "hidden"})
    return found


def test_a_graph_is_temporal_by_its_inputs(graph, rng):
    assert is_temporal(graph)
    assert presentation(graph).seconds == 0.002
    assert presentation(graph).length is None
    assert not is_temporal(chain(ops.Input(shape=(3,)), dense(rng, 3, 2)))
    with pytest.raises(ShapeError, match="positive dt and length"):
        ops.Input(shape=(3,), dt=0.0).infer()


def test_every_slice_is_evaluated_with_what_came_before(graph, x):
    got = graph.evaluate(x)
    hidden = np.stack([graph["hidden"].op.evaluate(x[:, t]) for t in range(6)], axis=1)
    np.testing.assert_allclose(got["hidden"], hidden, rtol=1e-5, atol=1e-6)
    for t in range(6):
        want = graph["y"].op.evaluate(hidden[:, : t + 1].mean(axis=1))
        np.testing.assert_allclose(got["y"][:, t], want, rtol=1e-4, atol=1e-5)


def test_parts_of_a_batch_give_the_same(graph, x, monkeypatch):
    whole = graph.evaluate(x)["y"]
    monkeypatch.setattr(evaluate, "part_of_batch", lambda *_: 1)
    np.testing.assert_allclose(graph.evaluate(x)["y"], whole, rtol=1e-6)


def test_without_neurons_running_is_evaluating(graph, x):
    ran = simulate(graph, x, 6, window=slice(2, 6), watch=["hidden"])
    for name, y in graph.evaluate(x).items():
        np.testing.assert_allclose(ran.outputs[name], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ran.means["hidden"], ran.outputs["hidden"][:, 2:].mean(1), rtol=1e-5)


def test_neurons_fire_for_the_slice_of_the_step(rng):
    model = neurons.SpikingRelu()
    dt = 1 / 1024
    graph = chain(ops.Input(shape=(2,), dt=dt), neurons.Neurons(model=model), names=["x", "n"])
    x = np.zeros((1, 8, 2), dtype=np.float32)
    x[0, 2, 0], x[0, 5, 1] = 3 / dt, 2 / dt
    y = simulate(graph, x, 8, window=slice(0, 8), dt=dt).outputs["n"][0] * dt
    assert (y[2, 0], y[5, 1], y.sum()) == (3, 2, 5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((5, 3), r"needs shape \(batch, time, 3\)"), ((5, 4, 2), r"needs shape"), ((5, 0, 3), "no slices")],
)
def test_data_that_are_no_sequences_are_refused(graph, shape, message):
    with pytest.raises(DataError, match=message):
        graph.evaluate(np.zeros(shape))


def test_sequences_have_one_length_which_the_model_may_fix(rng, x):
    graph = Graph()
    for name in "ab":
        graph.add(name, ops.Input(shape=(3,), dt=0.001))
    graph.add("sum", ops.Add(), ["a", "b"])
    graph.set_outputs({"sum": "sum"})
    with pytest.raises(DataError, match="different numbers of slices"):
        graph.evaluate({"a": x, "b": x[:, :3]})
    fixed = chain(ops.Input(shape=(3,), dt=0.001, length=4), dense(rng, 3, 2))
    assert presentation(fixed).length == 4
    with pytest.raises(DataError, match="sequences of 4 slices, got 6"):
        fixed.evaluate(x)


def test_steps_other_than_the_slices_are_refused(graph, x):
    assert presentation(graph).steps({"x": x}, None, 30) == 6
    with pytest.raises(DataError, match="the sequences have 6 slices, so leave steps out or say 6, not 30"):
        simulate(graph, x, 30, window=slice(0, 30))


def test_outputs_behind_a_last_step_are_of_that_step(graph, x):
    shown = presentation(graph)
    assert shown.of_last_step == {"y"}
    every = graph.evaluate(x)
    as_given = shown.as_keras(every)
    np.testing.assert_array_equal(as_given["y"], every["y"][:, -1])
    assert as_given["hidden"] is every["hidden"]
    np.testing.assert_array_equal(shown.read_out(every, LastReadOut(), 0.001)["hidden"], every["hidden"][:, -1])
    np.testing.assert_allclose(shown.mean(every, MeanReadOut().window(6))["y"], every["y"][:, 3:].mean(1), rtol=1e-6)


@pytest.mark.parametrize(
    ("ops_", "wanted"),
    [
        ([ops.Relu(), Running(), LastStep(), ops.Softmax()], True),
        ([ops.Relu(), Running(), LastStep(), ops.Relu()], False),
        ([ops.Relu(), LastStep()], False),
        ([ops.Relu(), DelayLine(taps=2), LastStep()], False),
        ([ops.Relu(), Running()], False),
    ],
)
def test_the_last_step_says_it_all_where_something_gathers_the_spikes(ops_, wanted):
    assert presentation(chain(X, *ops_)).answers_at_the_end is wanted


def test_a_spike_is_read_by_every_tap_in_its_turn(rng):
    graph = chain(X, DelayLine(taps=3), ops.Reshape(shape=(-1,)), dense(rng, 9, 4), names=["x", "line", "flat", "y"])
    assert (fan_out(graph)["x"] == 12).all()


def test_a_convolution_sees_one_slice(rng):
    graph = chain(ops.Input(shape=(5, 4, 2), dt=0.001), conv(rng, (2, 2), 2, 3), names=["x", "conv"])
    x = rng.normal(size=(2, 3, 5, 4, 2)).astype(np.float32)
    y = graph.evaluate(x)["conv"]
    assert y.shape == (2, 3, 4, 3, 3)
    np.testing.assert_allclose(y[:, 1], graph["conv"].op.evaluate(x[:, 1]), rtol=1e-5, atol=1e-6)


def test_a_pool_that_forgets_passes_the_largest_of_the_recent_sums(rng):
    pool = SpikingMaxPool(size=(3,), strides=(3,), decay=0.5)
    graph = chain(ops.Input(shape=(3, 1), dt=0.001), pool, names=["x", "pool"])
    x = rng.integers(0, 2, size=(2, 9, 3, 1)).astype(np.float32)
    y = simulate(graph, x, 9, window=slice(0, 9)).outputs["pool"][:, :, 0, 0]
    sums, largest = np.zeros((2, 3)), np.zeros(2)
    for t in range(9):
        sums = 0.5 * sums + x[:, t, :, 0]
        np.testing.assert_allclose(y[:, t], sums.max(axis=1) - 0.5 * largest, atol=1e-6)
        largest = sums.max(axis=1)
    with pytest.raises(ShapeError, match="between 0 and 1"):
        chain(ops.Input(shape=(3, 1)), SpikingMaxPool(size=(3,), strides=(3,), decay=1.5))
