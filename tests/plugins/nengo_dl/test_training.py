"""What NengoDL trains comes back into the graph, so that the same model then compiles to any backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

import nengo
import nengo_dl
import tensorflow as tf
from snnc_nengo_dl.training import WEIGHTED

import snnc
from snnc.api import Array, Graph, Neurons, Op, Synapse, UsageError, neurons, ops
from tests.conftest import conv, dense
from tests.plugins.nengo.build import RELU, graph

TARGET = 250.0
"""Hz."""
SCALE = 128.0
"""Hz for an activation of 1; a power of two, so that it rounds nothing."""


def stripes(rng: np.random.Generator, count: int) -> tuple[Array, np.ndarray]:
    """Return noisy images of horizontal and vertical stripes, and which they are."""
    y = rng.integers(2, size=count)
    bars = np.zeros((6, 6))
    bars[::2] = 1
    x = np.where(y[:, None, None] == 1, bars, bars.T) + rng.normal(scale=0.2, size=(count, 6, 6))
    return x[..., None].astype(np.float32), y


def untrained(rng: np.random.Generator) -> Graph:
    g = Graph("stripes")
    g.add("image", ops.Input(shape=(6, 6, 1)))
    g.add("conv", conv(rng, (3, 3), 1, 4, activation=ops.Relu()), ["image"], layers=["conv"])
    g.add("flat", ops.Reshape(shape=(-1,)), ["conv"], layers=["flat"])
    g.add("logits", dense(rng, 64, 2), ["flat"], layers=["logits"])
    g.set_outputs({"logits": "logits"})
    return g


@dataclass
class Trained:
    before: snnc.Compiled
    after: snnc.Compiled
    x: Array
    y: np.ndarray
    logits: Array
    """Of the trained network, with rates in place of spikes."""
    biases: Array
    """Of the ensemble."""


@pytest.fixture(scope="module")
def trained() -> Trained:
    rng = np.random.default_rng(0)
    x, y = stripes(rng, 256)
    c = snnc.compile(untrained(rng), backend="nengo-dl", neurons="soft-reset-if", scale=SCALE, verify=False)
    output, image = c.network.probes[0], c.network_map["image"]
    with c.network:
        rates = nengo.Probe(c.network_map["conv"])
        nengo_dl.configure_settings(learning_phase=True)
    with nengo_dl.Simulator(c.network, minibatch_size=64, progress_bar=False, device="/cpu:0") as sim:
        loss = {output: tf.losses.SparseCategoricalCrossentropy(from_logits=True), rates: "mse"}
        sim.compile(optimizer=tf.optimizers.Adam(0.03), loss=loss, loss_weights={output: 1.0, rates: 0.5})
        shown = x.reshape(256, 1, -1)
        wanted = {output: y.reshape(256, 1, 1), rates: np.full((256, 1, 64), TARGET / SCALE)}
        sim.fit({image: shown}, wanted, epochs=60, verbose=0)
        logits = sim.predict({image: shown}, verbose=0)[output][:, 0]
        return Trained(c, c.absorb(sim), x, y, logits, sim.data[c.network_map["conv"].ensemble].bias)


def test_the_trained_graph_is_the_trained_network(trained: Trained) -> None:
    got = trained.after.source.evaluate(trained.x)["logits"]
    assert np.abs(got - trained.logits).max() < 1e-5 * np.abs(trained.logits).max()
    assert np.array_equal(trained.after.graph.evaluate(trained.x)["logits"], got)
    assert not np.allclose(trained.before.source.evaluate(trained.x)["logits"], got, rtol=0.1)


def test_neurons_of_a_channel_keep_one_bias(trained: Trained) -> None:
    by_channel = trained.biases.reshape(-1, 4)
    assert np.array_equal(by_channel, np.broadcast_to(by_channel[0], by_channel.shape))
    (holder,) = (node.op for node in trained.after.graph if isinstance(node.op, ops.Conv))
    assert np.allclose(holder.bias * SCALE, by_channel[0], rtol=1e-6)


def test_the_trained_model_compiles_to_nengo_with_its_accuracy_and_rates(trained: Trained) -> None:
    c = snnc.compile(trained.after.source, backend="nengo", neurons="soft-reset-if", scale=SCALE, steps=60)
    found = c.evaluate(trained.x, trained.y)
    assert found.model_accuracy == found.accuracy == 1.0
    assert abs(found.rates["conv"] - TARGET) < 50 < TARGET - trained.before.evaluate(trained.x, trained.y).rates["conv"]
    assert c.report is not None and c.report["rewrite_error"] < 1e-6


def test_verify_and_artifacts_are_of_the_trained_graph(trained: Trained, tmp_path) -> None:
    assert trained.after.verify(trained.x[:4], 20).rewrite_error == 0
    trained.after.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    assert again.graph == trained.after.graph
    assert np.array_equal(
        again.source.evaluate(trained.x)["logits"], trained.after.source.evaluate(trained.x)["logits"]
    )


def test_an_untrained_network_gives_the_graph_back_bit_for_bit(rng: np.random.Generator) -> None:
    c = snnc.compile(untrained(rng), backend="nengo-dl", scale=30.0, synapse=0.005, verify=False)
    with nengo_dl.Simulator(c.network, progress_bar=False, device="/cpu:0") as sim:
        assert c.program.absorb(sim) == {}


def test_absorb_takes_only_an_open_simulator_of_its_network(rng: np.random.Generator) -> None:
    c, other = (snnc.compile(untrained(rng), backend="nengo-dl", verify=False) for _ in range(2))
    with nengo_dl.Simulator(other.network, progress_bar=False, device="/cpu:0") as sim:
        with pytest.raises(UsageError, match="another network"):
            c.absorb(sim)
    with pytest.raises(UsageError, match="closed"):
        other.absorb(sim)
    with pytest.raises(UsageError, match=r"takes a nengo_dl\.Simulator, not int"):
        c.absorb(1)
    with pytest.raises(UsageError, match="cannot be trained"):
        snnc.compile(untrained(rng), verify=False).absorb(sim)


def test_a_bias_belongs_to_the_op_that_alone_feeds_the_neurons(rng: np.random.Generator) -> None:
    g = graph(
        ["out"],
        x=((4,),),
        a=(dense(rng, 4, 4), "x"),
        s=(Synapse(model=neurons.Lowpass(tau=0.01)), "a"),
        n=(RELU, "s"),
        b=(dense(rng, 4, 4), "n"),
        m=(RELU, "b"),
        both=(ops.Add(), "b", "m"),
        k=(Neurons(model=neurons.Lif()), "both"),
        c=(dense(rng, 4, 2), "k"),
        d=(dense(rng, 2, 2), "c"),
        out=(ops.Identity(), "d"),
    )
    program = snnc.compile(g, backend="nengo-dl", level=0, verify=False, skip=["drop-identities"]).program
    assert [(bias.op, bias.reader) for bias in program.trainable.biases] == [("a", "n"), ("c", "c"), ("d", "out")]


SHIFTED = ops.Affine(scale=np.float32(2.0), shift=np.float32(-1.0))
FAMILIES = {
    "padding of a shifted image": [SHIFTED, ("conv", {"padding": "same"}), RELU, ("dense", 4)],
    "a map of outputs": [("conv", {}), Neurons(model=neurons.SoftResetIf(), scale=0.01), ("conv", {"padding": "same"})],
    "separable": [("conv", {"groups": 2, "padding": "same"}), ("conv", {"padding": "same"}), RELU, ("dense", 4)],
    "rates of leaky neurons": [("conv", {}), Neurons(model=neurons.LifRate(), scale=0.01), ("dense", 4)],
    "an activation on the host": [SHIFTED, ("conv", {"padding": "same"}), ops.Elu(alpha=1.0), ("dense", 4)],
    "several linear layers": [("dense", 3), ("dense", 4), RELU, ("dense", 2)],
}


def family(rng: np.random.Generator, layers: list[Any]) -> Graph:
    """Return a graph of layers one behind the other; biases are zero, as they are before training."""
    g = Graph("family")
    g.add("x", ops.Input(shape=(4, 4, 2)))
    last = "x"
    for i, layer in enumerate(layers):
        name, shape = f"l{i}", g[last].type.shape
        if isinstance(layer, Op):
            g.add(name, layer, [last], layers=[name])
        elif layer[0] == "conv":
            op = conv(rng, (2, 2), shape[-1], 4, **layer[1])
            g.add(name, type(op)(**{**op.attrs(), "bias": np.zeros(4)}), [last], layers=[name])
        else:
            g.add(f"{name}.flat", ops.Reshape(shape=(-1,)), [last], layers=[name])
            op = dense(rng, int(np.prod(shape)), layer[1])
            g.add(name, type(op)(**{**op.attrs(), "bias": np.zeros(layer[1])}), [f"{name}.flat"], layers=[name])
        last = name
    g.set_outputs({"y": last})
    return g


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_trained_comes_back_whatever_the_network(name: str, rng: np.random.Generator) -> None:
    g = family(rng, FAMILIES[name])
    c = snnc.compile(g, backend="nengo-dl", level=0, verify=False)
    x = rng.uniform(size=(8, 4, 4, 2)).astype(np.float32)
    shown, image, output = x.reshape(8, 1, -1), c.network_map["x"], c.network.probes[0]
    with c.network:
        nengo_dl.configure_settings(learning_phase=True)
    with nengo_dl.Simulator(c.network, minibatch_size=8, progress_bar=False, device="/cpu:0") as sim:
        before = sim.predict({image: shown}, verbose=0)[output][:, 0]
        assert np.abs(before - g.evaluate(x)["y"].reshape(8, -1)).max() < 1e-5 * np.abs(before).max()
        sim.compile(optimizer=tf.optimizers.SGD(0.01), loss={output: "mse"})
        sim.fit({image: shown}, {output: rng.normal(size=(8, 1, before.shape[1]))}, epochs=5, verbose=0)
        after = sim.predict({image: shown}, verbose=0)[output][:, 0]
        absorbed = c.absorb(sim).graph
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
    assert np.abs(absorbed.evaluate(x)["y"].reshape(8, -1) - after).max() < 1e-5 * np.abs(after).max()
    layers = [node.op for node in absorbed if type(node.op) in WEIGHTED]
    assert all(np.any(op.bias) for op in layers) or name == "an activation on the host"
