"""Neurons, a synapse and a read-out of plugins run wherever ours do, with nothing but their classes."""

import types
from typing import ClassVar

import numpy as np
import pytest

import snnc
from snnc import cli
from snnc.api import Graph, MeanReadOut, NeuronModel, ReadOut, SynapseModel, hookimpl, neurons, op, ops, simulate
from snnc.registry import Registry
from snnc.testing import check_neuron
from tests import models

from snnc_example.neurons import BoundedIf  # isort: skip


@op
class Euler(SynapseModel):
    """y += dt / tau (x - y)."""

    kind: ClassVar[str] = "euler"
    tau: float

    def start(self, shape):
        return {"y": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp, x, state, dt):
        y = state["y"]
        return y, {"y": y + (dt / self.tau) * (x - y)}


@op
class Tail(ReadOut):
    """The mean of the last steps."""

    kind: ClassVar[str] = "tail"
    count: int = 10

    def every_step(self, y, dt):
        return np.stack([y[:, max(t + 1 - self.count, 0) : t + 1].mean(axis=1) for t in range(y.shape[1])], axis=1)


def plugin():
    def synapses():
        return [Euler]

    def read_outs():
        return [Tail]

    module = types.SimpleNamespace()
    module.snnc_register_synapses, module.snnc_register_read_outs = hookimpl(synapses), hookimpl(read_outs)
    return module


@pytest.fixture(scope="module")
def graph():
    """Return a model of numbers in binary, so that sums are exact in whatever order they are added."""
    rng = np.random.default_rng(0)
    graph = Graph("small")
    graph.add("x", ops.Input(shape=(16,)))
    weights = [np.round(rng.normal(size=shape) * 8) / 16 for shape in ((16, 24), (24, 8))]
    for name, source, weight in zip(("first", "second"), ("x", "first"), weights, strict=True):
        dense = ops.Dense(weight=weight, bias=weight[0], activation=ops.Relu())
        graph.add(name, dense, [source], layers=[name])
    graph.set_outputs({"second": "second"})
    return graph


DT, STEPS = 2.0**-10, 60
X = np.random.default_rng(1).integers(0, 9, size=(3, 16)).astype(np.float32) / 4


def compiled(graph, backend, **options):
    return snnc.compile(graph, backend=backend, scale=128, dt=DT, steps=STEPS, verify=False, level=1, **options)


def in_numpy(c):
    return simulate(c.graph, X, STEPS, window=slice(0, STEPS), dt=DT, seed=c.settings.seed).outputs["second"]


@pytest.mark.parametrize("backend", ["nengo", "nengo-dl", "tensorflow"])
def test_spikes_of_the_example_plugins_neurons_are_equal_everywhere(backend):
    pytest.importorskip({"nengo": "nengo", "nengo-dl": "nengo_dl"}.get(backend, "tensorflow"))
    check_neuron(BoundedIf(floor=0.5), backends=[backend])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_savedmodel_of_them_gives_the_same(graph, tmp_path):
    tf = pytest.importorskip("tensorflow")
    c = compiled(graph, "tensorflow", neurons="bounded-if{floor=0.5}")
    assert c.graph["first"].op.model == BoundedIf(floor=0.5)
    want = in_numpy(c)
    assert np.count_nonzero(want) > 100
    assert np.array_equal(c.program.run({"x": X}, STEPS).outputs["second"], want)
    c.export(tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved")).signatures["every_step"]
    assert np.array_equal(loaded(x=tf.constant(X), steps=tf.constant(STEPS))["second"], want)


def test_the_command_line_finds_them(tmp_path, rng):
    layers = [models.input_layer(3), models.dense_layer("first", 4, "relu"), models.dense_layer("out", 2)]
    weights = {"dense": [rng.normal(size=(3, 4)), np.zeros(4)], "dense_1": [rng.normal(size=(4, 2)), np.zeros(2)]}
    path = models.write_keras(tmp_path / "model.keras", models.sequential(layers), weights)
    options = ["--neurons", "bounded-if{floor=2}", "--no-verify", "-o", str(tmp_path / "out")]
    assert cli._run(["compile", str(path), *options]) == 0
    assert snnc.load(tmp_path / "out").graph["first"].op.model == BoundedIf(floor=2.0)


@pytest.mark.parametrize("backend", ["nengo", "nengo-dl", "tensorflow"])
def test_a_synapse_and_a_read_out_of_a_plugin_run_everywhere(graph, backend, tmp_path):
    pytest.importorskip({"nengo": "nengo", "nengo-dl": "nengo_dl"}.get(backend, "tensorflow"))
    registry = Registry.discover([("mine", plugin())])
    chosen = {"synapse": "euler{tau=0.00390625}", "read_out": "tail{count=16}", "registry": registry}
    c = compiled(graph, backend, neurons="soft-reset-if", **chosen)
    assert c.graph["first.synapse"].op.model == Euler(tau=1 / 256)
    assert c.read_out == Tail(count=16)
    want = in_numpy(c)
    got = c.program.run({"x": X}, STEPS).outputs["second"]
    assert np.count_nonzero(want[:, -1]) > 5
    assert np.allclose(got, want, rtol=1e-5, atol=1e-5)
    assert np.allclose(c.predict(X), want[:, -16:].mean(axis=1), rtol=1e-4, atol=1e-4)
    c.save(tmp_path / "out")
    assert snnc.load(tmp_path / "out", registry=registry).graph == c.graph
    with pytest.raises(snnc.SnncError, match="unknown synapse kind 'euler'"):
        snnc.load(tmp_path / "out")


def test_windows_are_those_of_the_mean_unless_a_read_out_says_otherwise():
    assert Tail().window(10) == MeanReadOut().window(10)
    assert issubclass(BoundedIf, neurons.ReluLike) and issubclass(BoundedIf, NeuronModel)
