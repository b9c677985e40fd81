import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.placement_queries import on_chip

import snnc
from snnc.api import LoweringError, Neurons, Synapse, UsageError, ops
from snnc.ops.causal import Running
from tests.plugins.loihi.graphs import conv, dense, random, row
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)
STEPS = 30


def digits(shape, count=12, low=0.0):
    return np.random.default_rng(0).uniform(low, 1, (count, *shape)).astype(np.float32)


def relu():
    return ops.Relu()


def image_model(*head):
    flat = ops.Reshape(shape=(-1,))
    return row(
        (6, 6, 1), conv(3, 1, 4), relu(), conv(2, 4, 6), relu(), flat, dense(54, 12), relu(), dense(12, 3), *head
    )


def compiled(graph, low=0.0, **options):
    (name,) = graph.inputs
    x = digits(graph[name].type.shape, count=32, low=low)
    return snnc.compile(graph, backend="loihi", calibration=x, verify=False, **options), x


def populations(c):
    return [node.name for node in c.graph if isinstance(node.op, Neurons)]


def both(c, x, steps=STEPS):
    """Return what both engines record with every population watched."""
    watch = populations(c)
    return [
        c.program.using(engine).run({c.source.inputs[0]: x}, steps, watch=watch) for engine in ("replica", "emulator")
    ]


def assert_same(c, x, steps=STEPS):
    replica, emulator = both(c, x, steps)
    for name in populations(c):
        np.testing.assert_array_equal(replica.totals[name], emulator.totals[name])
        np.testing.assert_allclose(replica.means[name], emulator.means[name], atol=1e-3)
        assert emulator.totals[name].any()
    for name, y in emulator.outputs.items():
        np.testing.assert_allclose(replica.outputs[name], y, atol=1e-4 * np.abs(y).max())


def test_replica_and_emulator_give_the_same_spikes_and_outputs():
    c, x = compiled(image_model())
    assert_same(c, x[:3])


def test_signed_inputs_and_a_softmax():
    c, x = compiled(image_model(ops.Softmax()), low=-1.0)
    assert_same(c, x[:2])
    assert c.predict(x[:4]).sum(axis=-1) == pytest.approx(1, abs=1e-5)


def test_outputs_come_close_to_the_models():
    c, x = compiled(image_model())
    wanted, got = c.source.evaluate(x)["y"], c.predict(x, 100)
    assert np.sqrt(np.mean((got - wanted) ** 2)) < 0.15 * np.sqrt(np.mean(wanted**2))


def test_every_sample_starts_afresh():
    c, x = compiled(image_model())
    for engine in ("replica", "emulator"):
        run = c.program.using(engine).run
        together, alone = run({"x": x[:3]}, 15).outputs["y"], run({"x": x[2:3]}, 15).outputs["y"]
        np.testing.assert_array_equal(together[2], alone[0])
    again = c.program.using("emulator").run({"x": x[:1]}, 15).outputs["y"]
    np.testing.assert_array_equal(again[0], together[0])


def test_the_first_layer_on_the_host():
    c, x = compiled(image_model(), low=-1.0, passes=["loihi-encode{how=first-layer}"])
    assert_same(c, x[:2])
    assert populations(c) == ["relu", "relu_1", "relu_2"]


def test_a_host_between_two_parts_of_the_chip():
    graph = row((8,), dense(8, 12), relu(), ops.Max(axes=(0,), keepdims=True), dense(1, 5), relu(), dense(5, 2))
    c, x = compiled(graph, passes=["loihi-place{islands=true}"])
    assert any("in the middle" in note for note in c.notes)
    assert_same(c, x[:2])


def test_biases_that_differ_by_position():
    shifted = ops.Affine(scale=np.ones(4, dtype=np.float32), shift=np.full(4, 0.3, dtype=np.float32))
    graph = row((6, 6, 1), conv(3, 1, 4), relu(), shifted, conv(3, 4, 4, padding="same"), relu(), ops.GlobalAvgPool())
    c, x = compiled(graph)
    assert "shift" in [node.op.kind for node in c.graph]
    assert_same(c, x[:2])


def test_a_convolution_that_gives_the_output_is_on_the_host():
    c, x = compiled(row((6, 6, 1), conv(3, 1, 4), relu(), conv(1, 4, 2)))
    assert_same(c, x[:2])


def test_what_a_core_is_not_is_refused_by_name():
    with pytest.raises(LoweringError, match=r"dt cannot be 0\.002; say --dt 0\.001"):
        compiled(image_model(), dt=0.002)
    with pytest.raises(LoweringError, match="takes spikes only"):
        compiled(image_model(), skip=["loihi-encode"])
    with pytest.raises(LoweringError, match="its scale is not in the weights"):
        compiled(image_model(), skip=["loihi-write-scales"])
    with pytest.raises(snnc.SnncError, match="no layer can be on the chip"):
        compiled(image_model(), neurons="soft-reset-if")


def test_the_chip_itself_needs_its_library():
    c, x = compiled(image_model())
    with pytest.raises(LoweringError, match="needs Intel's NxSDK, and there is none here; use the engine 'replica'"):
        c.evaluate(x[:2], np.zeros(2), engine="loihi")


def stream(*tail):
    """Return a temporal model with a branch, so that its paths differ in length."""
    graph = row((5,), dense(5, 12), relu(), dense(12, 12), relu(), dt=0.001)
    graph.add("sum", ops.Add(), ["relu", "relu_1"])
    previous = "sum"
    for op in tail or (dense(12, 3),):
        previous = graph.add(graph.fresh_name("tail"), op, [previous]).name
    graph.set_outputs({"y": previous})
    return graph


def low_pass(size):
    tau, initial = np.full(size, 0.2, np.float32), np.zeros(size, np.float32)
    return ops.Filter(op=ops.TimeFilter(tau=tau, initial=initial, dt=0.05))


def double():
    return ops.Dense(weight=np.full((1, 1), 2, np.float32), bias=np.zeros(1, np.float32))


def held(count, slices, each, seed=0):
    """Return sequences that stay the same for a few slices."""
    x = np.random.default_rng(seed).uniform(0, 1, (count, -(-slices // each), 5)).astype(np.float32)
    return x.repeat(each, axis=1)[:, :slices]


TAILS = {
    "every slice": (),
    "mean so far": (dense(12, 3), Running()),
    "filter of a core": (low_pass(12), dense(12, 6), relu(), low_pass(6), dense(6, 3)),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_of_sequences_emulator_and_replica_give_the_same_in_every_step(tail):
    c = snnc.compile(stream(*tail), backend="loihi", calibration=held(32, 40, 20, seed=1), verify=False)
    x = held(2, 40, 20)
    assert_same(c, x, 40)
    traced = c.trace(x[:1])
    np.testing.assert_allclose(
        sum(y.sum() for y in traced.values()), c.evaluate(x[:1], c.source.evaluate(x[:1])["y"]).spikes
    )


def test_outputs_stand_beside_their_slices():
    graph = row((1,), double(), relu(), double(), relu(), double(), dt=0.001)
    c = snnc.compile(graph, backend="loihi", scale=1000, passes=["loihi-read-out{tau=0}"], verify=False)
    assert c.program.lags["dense_2"] == 3
    assert any("3 steps for 'y'" in note for note in c.notes)
    x = np.zeros((1, 30, 1), np.float32)
    x[:, 12:17] = 1  # of which every slice makes every neuron fire
    for engine in ("replica", "emulator"):
        y = c.program.using(engine).run({"x": x}, 30).outputs["y"]
        np.testing.assert_array_equal(y != 0, x != 0)
        np.testing.assert_array_equal(c.program.using(engine).run({"x": x[:, :15]}, 15).outputs["y"], y[:, :15])


FLAT = ops.Reshape(shape=(-1,))
CELL = ops.Cell(op=ops.SimpleRnn(kernel=random(12, 4), recurrent=random(4, 4), bias=random(4)))
WHERE = {
    "delay line first": (row((5,), ops.DelayLine(taps=3), FLAT, dense(15, 12), relu(), dense(12, 3), dt=0.001), 1),
    "delay line between": (
        row((5,), dense(5, 4), relu(), ops.DelayLine(taps=3), FLAT, dense(12, 12), relu(), dense(12, 3), dt=0.001),
        1,
    ),
    "filter first": (row((5,), low_pass(5), dense(5, 12), relu(), dense(12, 3), dt=0.001), 1),
    "filter last": (row((5,), dense(5, 12), relu(), low_pass(12), dense(12, 3), dt=0.001), 1),
    "filter between": (stream(*TAILS["filter of a core"]), 3),
    "cell last": (row((5,), dense(5, 12), relu(), dense(12, 12), relu(), CELL, dense(4, 3), dt=0.001), 2),
}


@pytest.mark.parametrize(("graph", "layers"), WHERE.values(), ids=WHERE)
def test_what_of_a_stream_is_on_the_chip(graph, layers):
    c = snnc.compile(graph, backend="loihi", calibration=held(32, 40, 20, seed=1), verify=False)
    assert sum(on_chip(node) for node in c.graph) == layers
    x = held(2, 40, 20)
    got, wanted = (c.engine(name).run({"x": x}, 40).outputs["y"] for name in ("replica", "emulator"))
    np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())


def test_temporal_models_have_settings_of_their_own_and_a_slice_a_step_whatever_their_dt():
    c = snnc.compile(row((5,), dense(5, 4), relu(), dense(4, 2), dt=0.05), backend="loihi", verify=False)
    assert c.settings.dt == 0.001
    assert {n.op.model.kind for n in c.graph.nodes(Neurons)} == {"loihi-encoder", "loihi-signed-if"}
    filters = {n.name: n.op.model.tau for n in c.graph.nodes(Synapse)}
    assert filters == {"relu.filtered": 0.01}


def test_neurons_that_remember_for_long_are_refused_for_what_changes():
    with pytest.raises(snnc.SnncError, match="'relu': loihi-soft-if .* remember .*; use loihi-signed-if"):
        snnc.compile(stream(), backend="loihi", neurons="loihi-soft-if", verify=False)


def test_only_neurons_can_be_watched():
    c, x = compiled(image_model())
    with pytest.raises(UsageError, match="cannot watch"):
        c.program.run({"x": x[:1]}, 2, watch=["conv"])
    assert set(c.network_map) >= {"relu", "conv"}


def test_an_artifact_runs_as_what_was_compiled(tmp_path):
    c, x = compiled(image_model())
    c.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    np.testing.assert_array_equal(again.run(x[:2])["y"], c.run(x[:2])["y"])
    assert c.run(x[:2])["y"].shape[1] == 60


def test_without_samples_a_note_says_what_was_assumed():
    c = snnc.compile(image_model(), backend="loihi", verify=False)
    assert any("between 0 and 1" in note for note in c.notes)
    assert c.run(digits((6, 6, 1), 2), 10)["y"].shape == (2, 10, 3)
