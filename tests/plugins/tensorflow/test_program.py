"""The program: what it computes when, streams, parts of a batch, and the SavedModel."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import ClassVar

import numpy as np
import pytest

import snnc
from snnc.api import (
    DataError,
    Graph,
    LastReadOut,
    LoweringError,
    LowPassReadOut,
    MeanReadOut,
    NeuronModel,
    Neurons,
    RandomStream,
    Synapse,
    UsageError,
    neurons,
    op,
    ops,
    simulate,
)
from snnc.ops.read_out_activation import stepwise
from snnc.testing.graphs import binary_inputs, two_heads
from tests.conftest import conv, dense
from tests.plugins.tensorflow.build import LOWERINGS, program, tf

from snnc_tensorflow import export, loop, program as module  # isort: skip
from snnc_tensorflow.lowered_graph import LoweredGraph  # isort: skip
from snnc_tensorflow.plan import make_plan  # isort: skip
from snnc.api import LoweringContext  # isort: skip

STEPS = 24


@pytest.fixture(scope="module")
def network():
    """Return two convolutions with spiking neurons and filters, a branch, and a deferred softmax."""
    rng = np.random.default_rng(0)
    spiking = Neurons(model=neurons.SpikingRelu(), scale=1 / 128)
    g = Graph("network")
    g.add("image", ops.Input(shape=(8, 8, 2)))
    g.add("first", conv(rng, (3, 3), 2, 4), ["image"])
    g.add("pooled", ops.AvgPool(size=(2, 2), strides=(2, 2)), ["first"])
    g.add("n1", spiking, ["pooled"])
    g.add("f1", Synapse(model=neurons.Lowpass(tau=0.004)), ["n1"])
    g.add("second", conv(rng, (2, 2), 4, 6), ["f1"])
    g.add("n2", spiking, ["second"])
    g.add("flat", ops.Reshape(shape=(-1,)), ["n2"])
    g.add("logits", dense(rng, 24, 5), ["flat"])
    g.add("classes", ops.ReadOutActivation(activation=ops.Softmax()), ["logits"])
    g.add("side", ops.GlobalAvgPool(), ["first"])
    g.set_outputs({"classes": "classes", "logits": "logits", "n1": "n1", "side": "side"})
    return g


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).uniform(0, 1, (5, 8, 8, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def built(network):
    return program(stepwise(network), seed=2)


def test_outputs_means_and_totals_are_the_evaluators(network, built, images):
    watch = ("n1", "f1", "pooled", "second")
    got = built.run({"image": images}, STEPS, watch=watch)
    want = simulate(network, images, STEPS, window=slice(STEPS // 2, STEPS), seed=2, watch=watch)
    for table in ("outputs", "means", "totals"):
        ours, theirs = getattr(got, table), getattr(want, table)
        assert set(ours) == set(theirs)
        for name, y in theirs.items():
            assert ours[name].dtype == np.float32 and ours[name].shape == y.shape
            assert np.abs(ours[name] - y).max() <= 1e-5 * np.abs(y).max(), (table, name)


@pytest.mark.parametrize("read_out", [MeanReadOut(start=0.4), LastReadOut(), LowPassReadOut(tau=0.005)], ids=repr)
def test_the_answer_is_that_of_every_step_with_less_work(built, images, read_out):
    every = built.run({"image": images}, STEPS).outputs
    answers = built.decode({"image": images}, STEPS, read_out, 0.001)
    assert set(answers) == set(every)
    for name, y in every.items():
        assert np.allclose(answers[name], read_out(y, 0.001), rtol=1e-5, atol=1e-5 * np.abs(y).max())


@pytest.mark.parametrize("read_out", [MeanReadOut(start=0.4), LastReadOut(), LowPassReadOut(tau=0.005)], ids=repr)
@pytest.mark.parametrize("steps", [1, 2, 15])
def test_an_export_weights_the_steps_as_the_read_out_does(read_out, steps):
    got = export._weights(read_out, tf.constant(steps), 0.001)
    assert np.allclose(got, read_out.weights(steps, 0.001), rtol=1e-5)
    assert np.isclose(np.sum(got), 1)


def test_what_is_computed_once_and_what_in_every_step(network):
    machine = LoweredGraph(stepwise(network), LoweringContext(LOWERINGS))
    plan = make_plan(machine.graph, machine.lowered, (), every_step=False)
    assert plan.static == ("first", "pooled", "side")
    assert plan.driven == ("n1",)
    assert [(group.nodes, group.fused) for group in plan.groups] == [
        (("n1", "f1"), True),
        (("second",), False),
        (("n2",), True),
    ]
    assert plan.tail == ("flat", "logits")
    assert plan.summed == ("n1", "n2")
    every = make_plan(machine.graph, machine.lowered, ("flat",), every_step=True)
    assert (every.tail, every.summed) == ((), ())
    assert every.groups[-1].nodes == ("logits",)


def test_a_stream_can_be_cut_into_pieces(built, images):
    whole = built.run({"image": images}, STEPS).outputs
    state, pieces = built.start(len(images)), []
    for steps in (1, 7, STEPS - 8):
        outputs, state = built.advance({"image": images}, steps, state)
        pieces.append(outputs)
    for name, y in whole.items():
        joined = np.concatenate([p[name] for p in pieces], axis=1)
        assert np.array_equal(joined != 0, y != 0)  # all spikes; products of other numbers of rows may round otherwise
        assert np.abs(joined - y).max() <= 1e-6 * np.abs(y).max()
    changed, _ = built.advance({"image": 0 * images}, 5, state)
    on, _ = built.advance({"image": images}, 5, state)
    assert not np.array_equal(changed["logits"], on["logits"])


@pytest.mark.parametrize("steps", [1, 3, loop.CHUNK, loop.CHUNK + 1, 2 * loop.CHUNK + 3])
def test_steps_are_taken_several_at_a_time_and_the_rest_one_by_one(steps):
    rng = np.random.default_rng(1)
    g = Graph("residual")
    g.add("x", ops.Input(shape=(5, 5, 2)))
    g.add("still", conv(rng, (1, 1), 2, 50), ["x"])  # large enough for XLA, and read in every step
    g.add("n1", Neurons(model=neurons.SoftResetIf(), scale=1 / 64), ["still"])
    g.add("second", conv(rng, (1, 1), 50, 50), ["n1"])
    g.add("sum", ops.Add(), ["second", "still"])
    g.add("n2", Neurons(model=neurons.SpikingRelu(), scale=1 / 64), ["sum"])
    g.add("relu", ops.Relu(), ["still"])
    g.add("both", ops.Add(), ["n2", "relu"])
    g.set_outputs({"both": "both"})
    x = rng.uniform(-1, 1, (3, 5, 5, 2)).astype(np.float32)
    got = program(g).run({"x": x}, steps, watch=["n1", "sum"])
    want = simulate(g, x, steps, window=slice(steps // 2, steps), watch=["n1", "sum"])
    assert np.allclose(got.outputs["both"], want.outputs["both"], rtol=1e-4, atol=1e-4)
    for name in ("n1", "sum"):
        assert np.allclose(got.means[name], want.means[name], rtol=1e-4, atol=1e-4)
        assert np.allclose(got.totals[name], want.totals[name], rtol=1e-4, atol=1e-3)


def test_parts_of_a_batch_give_what_the_whole_gives(built, images, monkeypatch):
    whole = built.run({"image": images}, 8, watch=["n2"])
    monkeypatch.setattr(module, "ELEMENTS", 2 * loop.CHUNK * 6 * 6 * 4)  # two images at a time
    assert [part.stop - part.start for part, _ in built._parts({"image": images})] == [2, 2, 1]
    parts = built.run({"image": images}, 8, watch=["n2"], progress=True, jobs=2)
    for name, y in whole.outputs.items():
        assert np.allclose(parts.outputs[name], y, rtol=1e-5, atol=1e-5 * np.abs(y).max())
    assert np.allclose(parts.totals["n2"], whole.totals["n2"])


def test_a_savedmodel_runs_without_snnc(network, built, images, tmp_path):
    built.export(tmp_path, network)
    np.save(tmp_path / "x.npy", images)
    script = f"""
import sys, numpy as np, tensorflow as tf
loaded = tf.saved_model.load({str(tmp_path)!r})
x = tf.constant(np.load({str(tmp_path / "x.npy")!r}))
saved = dict(mean=loaded.signatures["serving_default"](image=x, steps=tf.constant({STEPS}))["classes"])
saved["every"] = loaded.signatures["every_step"](image=x[:3], steps=tf.constant(4))["classes"]
state = loaded.start(5)
for steps in (3, 5):
    done = loaded.advance({{"image": x}}, state, steps)
    state = done["state"]
saved["last"] = done["outputs"]["logits"]
assert not [name for name in sys.modules if name.startswith("snnc")]
np.savez({str(tmp_path / "y.npz")!r}, **saved)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, cwd=tmp_path, capture_output=True)
    want = built.run({"image": images}, STEPS).outputs["logits"]
    softmax = ops.Softmax()
    with np.load(tmp_path / "y.npz") as got:
        assert np.allclose(got["mean"], softmax.evaluate(want[:, STEPS // 2 :].mean(axis=1)), atol=1e-5)
        every = softmax.evaluate(want[:3, :4].reshape(12, 5)).reshape(3, 4, 5)
        assert np.allclose(got["every"], every, atol=1e-5)
        assert np.allclose(got["last"], want[:, 3:8], rtol=1e-5, atol=1e-4)


def test_an_export_holds_all_that_is_applied_to_the_read_out(tmp_path):
    model = two_heads()
    c = snnc.compile(model, backend="tensorflow", neurons="soft-reset-if", scale=64, verify=False)
    assert len(c.graph.nodes(ops.ReadOutActivation)) == 3
    x, folder = binary_inputs(model), tmp_path / "saved"
    c.export(folder)
    saved = tf.saved_model.load(str(folder)).signatures
    given = {"x": tf.constant(x["x"]), "steps": tf.constant(STEPS)}
    for signature, want in (("every_step", c.run(x, STEPS)), ("serving_default", c.predict(x, STEPS))):
        assert list(want) == ["both", "first", "logits"]
        got = saved[signature](**given)
        for name, y in want.items():
            assert np.allclose(got[name], y, atol=1e-5)


def test_a_slice_of_a_sequence_is_presented_in_every_step(tmp_path):
    rng = np.random.default_rng(0)
    g = Graph("stream")
    g.add("x", ops.Input(shape=(3,), dt=0.001))
    g.add("dense", dense(rng, 3, 4), ["x"])
    g.add("n", Neurons(model=neurons.SoftResetIf(), scale=1 / 64), ["dense"])
    g.add("delayed", ops.DelayLine(taps=2), ["n"])
    g.add("flat", ops.Reshape(shape=(8,)), ["delayed"])
    g.add("out", dense(rng, 8, 2), ["flat"])
    g.add("linear", dense(rng, 3, 2), ["x"])
    g.set_outputs({"out": "out", "linear": "linear", "x": "x"})
    x = rng.normal(size=(4, 30, 3)).astype(np.float32) * 100
    built = program(g)
    want = simulate(g, x, 30, window=slice(15, 30)).outputs
    got = built.run({"x": x}, 30).outputs
    answers = built.decode({"x": x}, 30, MeanReadOut(), 0.001)
    first, state = built.advance({"x": x[:, :11]}, 11, built.start(4))
    rest, _ = built.advance({"x": x[:, 11:]}, 19, state)
    built.export(tmp_path, g)
    saved = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](x=tf.constant(x))
    for name, y in want.items():
        near = {"rtol": 1e-5, "atol": 1e-5 * np.abs(y).max()}
        assert np.allclose(got[name], y, **near)
        assert np.array_equal(np.concatenate([first[name], rest[name]], axis=1), got[name])
        assert np.allclose(answers[name], y[:, 15:].mean(axis=1), **near)
        assert np.allclose(saved[name], answers[name], **near)
    with pytest.raises(DataError, match="30 slices"):
        built.advance({"x": x}, 7, built.start(4))


@op
class Leaves(NeuronModel):
    """Neurons of a plugin: every other wanted spike is lost."""

    kind: ClassVar[str] = "leaves"
    spiking: ClassVar[bool] = True

    def can_replace(self, activation):
        return False

    def response(self, xp, current):
        return xp.maximum(current, 0) / 2

    def start(self, shape, rng):
        return {"sum": np.zeros(shape, np.float32), "count": np.zeros(shape, np.int32)}

    def rule(self, xp, drive, state, dt):
        total = state["sum"] + drive * dt
        spikes = xp.floor(total / 2)
        return spikes, {"sum": total - 2 * spikes, "count": state["count"] + 1}


@op
class Chance(neurons.ReluLike):
    """Random neurons of a plugin."""

    kind: ClassVar[str] = "chance"
    spiking: ClassVar[bool] = True
    draws: str = "uniform"
    each: bool = False

    def start(self, shape, rng):
        return {"luck": RandomStream(1, each=self.each)}

    def rule(self, xp, drive, state, dt):
        stream = state["luck"]
        if self.draws == "poisson":
            return stream.poisson(xp.abs(drive * dt)), state
        first, second = stream.uniform(drive.shape[1:]), stream.uniform(drive.shape[1:])
        return xp.astype(first * second < xp.astype(drive * dt, first.dtype), drive.dtype), state


@op
class Halves(neurons.RateNeurons):
    """Rate neurons of a plugin."""

    kind: ClassVar[str] = "halves"

    def can_replace(self, activation):
        return False

    def response(self, xp, current):
        return current / 2


def alone(model):
    graph = Graph("alone")
    graph.add("x", ops.Input(shape=(6,)))
    graph.add("n", Neurons(model=model, scale=1 / 64), ["x"])
    graph.set_outputs({"n": "n"})
    return graph


@pytest.mark.parametrize("model", [Leaves(), Halves(), Chance()], ids=repr)
def test_neurons_of_a_plugin_run_and_are_exported(model, tmp_path):
    graph, x = alone(model), np.float32(np.arange(12).reshape(2, 6) - 2)
    built = program(graph)
    want = simulate(graph, x, 40, window=slice(20, 40)).outputs["n"]
    assert np.count_nonzero(want) > 40
    assert np.array_equal(built.run({"x": x}, 40).outputs["n"], want)
    built.export(tmp_path, graph)
    saved = tf.saved_model.load(str(tmp_path)).signatures["every_step"](x=tf.constant(x), steps=tf.constant(40))
    assert np.array_equal(saved["n"], want)


def test_what_cannot_run_says_so(built, images, tmp_path):
    x = {"x": np.zeros((2, 6), np.float32)}
    with pytest.raises(LoweringError, match="leave out each=True"):
        program(alone(Chance(each=True))).run(x, 2)
    with pytest.raises(LoweringError, match="start the stream with each=True"):
        program(alone(Chance(draws="poisson"))).run(x, 2)
    drawn = program(alone(Chance(draws="poisson", each=True)))
    assert not drawn.run(x, 2).outputs["n"].any()
    with pytest.raises(UsageError, match="cannot export: n "):
        drawn.export(tmp_path, drawn.graph)
    with pytest.raises(UsageError, match="cannot watch 'n3'"):
        built.run({"image": images}, 2, watch=["n3"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rate_neurons_are_keras_to_1e_5():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = pytest.importorskip("keras").layers if tf.__version__ >= "2.16" else tf.keras.layers
        keras = tf.keras
    keras.utils.set_random_seed(1)
    x = image = layers.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = a = layers.ReLU()(x)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Add()([x, a])
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(6, 3, strides=2, activation="swish")(x)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.Dense(4, activation="softmax")(x))
    c = snnc.compile(model, backend="tensorflow", neurons="relu", verify=False)
    data = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype(np.float32)
    want = model(data).numpy()
    assert np.abs(c.predict(data) - want).max() <= 1e-5 * np.abs(want).max()
    assert c.backend.engines[0] == "program"
    assert c.verify(data).passed


def test_the_command_line_exports_a_savedmodel_and_nothing_else(example, tmp_path, capsys):
    from snnc import cli

    model = str(example / "mnist_cnn.keras")
    folder, out = tmp_path / "compiled", tmp_path / "saved"
    options = ["--scale", "100", "--no-verify", "-o", str(folder)]
    assert cli._run(["compile", model, "--backend", "tensorflow", *options]) == 0
    assert cli._run(["export", str(folder), "-o", str(out)]) == 0
    assert (out / "saved_model.pb").is_file()
    assert cli._run(["export", str(folder), "-o", str(out)]) == 0  # a SavedModel is replaced
    assert cli._run(["export", str(folder), "-o", str(example)]) == 2
    assert "not a SavedModel, so it is not replaced" in capsys.readouterr().err
    assert cli._run(["compile", model, *options]) == 0
    assert cli._run(["export", str(folder), "-o", str(out)]) == 2
    assert "--backend tensorflow" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "saved"]
