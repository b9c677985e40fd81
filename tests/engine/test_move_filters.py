import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine.move_filters import move_filters
from snnc.engine.simulate import simulate
from snnc.testing import assert_same_outputs, chain, kinds
from tests.conftest import conv, dense

SPIKING = neurons.Neurons(model=neurons.SoftResetIf(), scale=0.01)
LOWPASS = neurons.Synapse(model=neurons.Lowpass(tau=0.004))


def flattened(rng):
    return chain(
        ops.Input(shape=(4, 3)),
        SPIKING,
        LOWPASS,
        ops.Reshape(shape=(12,)),
        dense(rng, 12, 5),
        names=["x", "n", "s", "flat", "y"],
    )


def test_a_filter_goes_behind_a_layer_that_gives_fewer_values(rng):
    before = flattened(rng)
    after = before.copy()
    move_filters(after, ())
    assert kinds(after) == ["input", "neurons", "reshape", "dense", "synapse", "affine"]
    assert list(after.output_nodes.values()) == ["y"]
    assert_same_outputs(before, after)


def test_the_outputs_of_every_step_stay(rng, monkeypatch):
    before = flattened(rng)
    x = rng.normal(size=(3, 4, 3)).astype(np.float32)
    moved = simulate(before, x, 30, window=slice(0, 30), watch=["n", "flat", "y"])
    monkeypatch.setattr("snnc.engine.simulate.move_filters", lambda graph, keep: None)
    plain = simulate(before, x, 30, window=slice(0, 30), watch=["n", "flat", "y"])
    assert np.abs(plain.outputs["y"]).max() > 1
    assert np.allclose(moved.outputs["y"], plain.outputs["y"], atol=1e-4)
    for name, mean in plain.means.items():
        assert np.allclose(moved.means[name], mean, atol=1e-4), name


def test_a_filter_goes_behind_everything_that_shortens_its_vector(rng, monkeypatch):
    before = chain(
        ops.Input(shape=(4, 4, 2)),
        SPIKING,
        LOWPASS,
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        conv(rng, (2, 2), 2, 3),
        ops.GlobalAvgPool(),
        names=["x", "n", "s", "pool", "conv", "y"],
    )
    after = before.copy()
    move_filters(after, ())
    assert kinds(after) == ["input", "neurons", "avg-pool", "conv", "synapse", "affine", "global-avg-pool"]
    assert_same_outputs(before, after)
    x = rng.normal(size=(3, 4, 4, 2)).astype(np.float32)
    moved = simulate(before, x, 30, window=slice(0, 30), watch=["n", "y"])
    monkeypatch.setattr("snnc.engine.simulate.move_filters", lambda graph, keep: None)
    plain = simulate(before, x, 30, window=slice(0, 30), watch=["n", "y"])
    assert np.abs(plain.outputs["y"]).max() > 0.1
    assert np.allclose(moved.outputs["y"], plain.outputs["y"], atol=1e-4)


def relu6(shift=0.0, tau=0.004):
    """Return a ReLU6 of two populations, with filters behind them, and a convolution behind that."""
    graph = chain(ops.Input(shape=(4, 4, 8)), SPIKING, LOWPASS, names=["x", "n1", "s1"])
    graph.add("in2", ops.Affine(scale=np.float32(1), shift=np.float32(-1)), ["x"])
    graph.add("n2", SPIKING, ["in2"])
    graph.add("s2", neurons.Synapse(model=neurons.Lowpass(tau=tau)), ["n2"])
    graph.add("out2", ops.Affine(scale=np.float32(-1), shift=np.float32(shift)), ["s2"])
    graph.add("y", ops.Add(), ["s1", "out2"])
    graph.set_outputs({"y": "y"})
    return graph


def test_a_sum_is_filtered_instead_of_its_summands(rng, monkeypatch):
    before = relu6()
    before.add("z", conv(rng, (1, 1), 8, 2), ["y"])
    before.set_outputs({"z": "z"})
    after = before.copy()
    move_filters(after, ())
    assert kinds(after) == ["input", "neurons", "affine", "neurons", "affine", "add", "conv", "synapse", "affine"]
    assert_same_outputs(before, after)
    x = rng.uniform(0, 3, size=(3, 4, 4, 8)).astype(np.float32)
    moved = simulate(before, x, 30, window=slice(0, 30), watch=["n1", "n2"])
    monkeypatch.setattr("snnc.engine.simulate.move_filters", lambda graph, keep: None)
    plain = simulate(before, x, 30, window=slice(0, 30), watch=["n1", "n2"])
    assert np.abs(plain.outputs["z"]).max() > 1
    assert np.allclose(moved.outputs["z"], plain.outputs["z"], atol=1e-4)


@pytest.mark.parametrize("keep", [["s1"], ["out2"], ["y"]])
def test_summands_that_are_watched_stay_filtered(keep):
    graph = relu6()
    move_filters(graph, keep)
    assert graph == relu6()


def test_summands_that_are_filtered_otherwise_or_shifted_stay():
    for fields in ({"shift": 1.0}, {"tau": 0.002}):
        graph = relu6(**fields)
        move_filters(graph, ())
        assert graph == relu6(**fields)
    read = relu6()
    read.set_outputs({"y": "y", "s1": "s1"})
    after = read.copy()
    move_filters(after, ())
    assert after == read


def test_a_layer_without_a_bias_becomes_the_filter_itself(rng):
    before = chain(
        ops.Input(shape=(4, 4, 2)),
        SPIKING,
        LOWPASS,
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        names=["x", "n", "s", "y"],
    )
    after = before.copy()
    move_filters(after, ())
    assert [(node.name, node.op.kind) for node in after][2:] == [("y.weighted", "avg-pool"), ("y", "synapse")]
    kept = before.copy()
    move_filters(kept, ["s"])
    assert kept == before


@pytest.mark.parametrize("keep", [["s"], ["flat"]])
def test_what_is_watched_stays_as_it_is(keep, rng):
    graph = flattened(rng)
    move_filters(graph, keep)
    assert graph == flattened(np.random.default_rng(0))


def test_filters_stay_in_front_of_layers_that_give_more_and_of_what_is_not_linear(rng):
    wide = conv(rng, (1, 1), 2, 8)
    pool = ops.MaxPool(size=(2, 2), strides=(2, 2))
    for behind in (wide, pool, SPIKING):
        before = chain(ops.Input(shape=(4, 4, 2)), SPIKING, LOWPASS, behind)
        after = before.copy()
        move_filters(after, ())
        assert after == before


def test_filters_that_several_layers_read_stay(rng):
    before = chain(ops.Input(shape=(6,)), SPIKING, LOWPASS, dense(rng, 6, 2), names=["x", "n", "s", "a"])
    before.add("b", dense(rng, 6, 2), ["s"])
    before.set_outputs({"a": "a", "b": "b"})
    after = before.copy()
    move_filters(after, ())
    assert after == before
