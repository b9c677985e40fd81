"""NengoDL gives what snnc's own evaluator and Nengo give, whatever the minibatches."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

from snnc_nengo_dl.backend import NengoDlBackend
from snnc_nengo_dl.program import NengoDlProgram, good_minibatch
from snnc_tensorflow.program import equal_parts

from snnc.api import Graph, LoweringContext, Neurons, Synapse, UsageError, neurons, ops
from snnc.registry import Registry
from snnc.testing import random_inputs
from tests.plugins.nengo import build
from tests.plugins.nengo.build import conv, dense, graph, relative_errors

REGISTRY = Registry.discover()
LOWERINGS = REGISTRY.lowerings_for("nengo-dl")
OTHERS = {"tensorflow": REGISTRY.lowerings_for("tensorflow")}
SPIKING = Neurons(model=neurons.SpikingRelu(), scale=0.01)
LOWPASS = Synapse(model=neurons.Lowpass(tau=0.005))


def program(graph: Graph, minibatch: int = 0, seed: int = 0) -> NengoDlProgram:
    return NengoDlBackend(minibatch=minibatch).lower(graph, LoweringContext(LOWERINGS, seed=seed, others=OTHERS))


def cnn(rng: np.random.Generator, neuron: Neurons = SPIKING) -> Graph:
    """Return a network with a filter, pooling, a branch that skips a layer, and a node on the host."""
    return graph(
        ["probabilities", "n_1"],
        x=((6, 6, 2),),
        conv=(conv(rng, (3, 3), 2, 4, padding="same"), "x"),
        n=(neuron, "conv"),
        s=(LOWPASS, "n") if neuron.model.spiking else (ops.Identity(), "n"),
        pool=(ops.AvgPool(size=(2, 2), strides=(2, 2)), "s"),
        conv_1=(conv(rng, (3, 3), 4, 4, padding="same"), "pool"),
        add=(ops.Add(), "conv_1", "pool"),
        n_1=(neuron, "add"),
        flat=(ops.Reshape(shape=(-1,)), "n_1"),
        dense=(dense(rng, 36, 3), "flat"),
        probabilities=(ops.Softmax(), "dense"),
    )


def test_a_network_of_rate_neurons_is_the_graph(rng: np.random.Generator) -> None:
    network = cnn(rng, build.RELU)
    inputs = random_inputs(network, 3)
    ran = program(network).run(inputs, 2).outputs
    assert max(relative_errors({k: y[:, -1] for k, y in ran.items()}, network.evaluate(inputs)).values()) < 1e-6


def test_spikes_and_watched_sums_are_those_of_nengo(rng: np.random.Generator) -> None:
    network = cnn(rng)
    inputs = random_inputs(network, 5)
    want = build.program(network).run(inputs, 20, watch=["n", "n_1", "pool"])
    got = program(network, minibatch=2).run(inputs, 20, watch=["n", "n_1", "pool"])
    assert np.array_equal(np.round(got.totals["n"] * 0.1), np.round(want.totals["n"] * 0.1))
    assert want.totals["n_1"].max() > 0
    for table in ("outputs", "means", "totals"):
        assert max(relative_errors(getattr(got, table), getattr(want, table)).values()) < 1e-5


def test_minibatches_are_as_equal_as_can_be(rng: np.random.Generator) -> None:
    for batch, most, want in ((50, 48, [25, 25]), (48, 48, [48]), (7, 3, [3, 3, 1]), (1, 64, [1])):
        x = rng.random((batch, 2))
        parts = list(equal_parts({"x": x}, most))
        assert [part.stop - part.start for part, _ in parts] == want
        assert {len(samples["x"]) for _, samples in parts} == {want[0]}
        for part, samples in parts:
            assert np.array_equal(samples["x"][: part.stop - part.start], x[part])
    assert good_minibatch(cnn(rng)) == 64


def test_unusable_settings_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(UsageError, match="minibatch must be positive"):
        NengoDlBackend(minibatch=-1)
    with pytest.raises(UsageError, match="cannot watch 'conv': it is part of a connection"):
        program(cnn(rng)).run({"x": np.zeros((1, 6, 6, 2))}, 2, watch=["conv"])


@pytest.mark.parametrize("scale", [1 - 5e-6, 1.0, 1 + 5e-6])
def test_a_factor_of_nearly_one_is_not_one(scale: float) -> None:
    g = graph(
        ["n"],
        x=((16, 4),),
        affine=(ops.Affine(scale=np.full(4, scale), shift=np.zeros(4)), "x"),
        n=(build.RELU, "affine"),
    )
    x = random_inputs(g, 2)
    got = program(g).run(x, 1).outputs["n"][:, 0]
    assert np.allclose(got, np.maximum(x["x"] * np.float32(scale), 0), rtol=3e-7, atol=0)


@pytest.mark.filterwarnings("ignore:No GPU support detected")
def test_a_network_of_the_reference_backend_runs_in_nengodl_with_its_operators(rng: np.random.Generator) -> None:
    import nengo
    import nengo_dl

    g = cnn(rng)
    made = build.program(g)
    made.network.nodes[0].output = random_inputs(g, 1)["x"].ravel()
    with nengo.Simulator(made.network, progress_bar=False) as reference:
        reference.run_steps(12)
    with nengo_dl.Simulator(made.network, progress_bar=False) as sim:
        sim.run_steps(12)
    for probe in made.network.all_probes:
        want = reference.data[probe]
        assert np.allclose(sim.data[probe], want, atol=1e-4 * np.abs(want).max())
