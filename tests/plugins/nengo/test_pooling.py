"""Max pooling in spiking networks: what Nengo runs is what numpy runs, and the sum is the largest sum."""

from __future__ import annotations

import nengo
import numpy as np
import pytest
from snnc_nengo.host import HostFunction
from snnc_nengo.operators import Once

import snnc
from snnc.api import Graph, Neurons, Synapse, evaluate_nodes, neurons, ops, simulate
from snnc.ops.kernels.convolve import pool
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.testing import chain, random_inputs
from tests.plugins.nengo.build import RELU, conv, dense, graph, program

STEPS = 40
SPIKING = Neurons(model=neurons.SoftResetIf(initial=0.5), scale=1 / 256)
POOL = SpikingMaxPool(size=(2, 2), strides=(2, 2), padding="same")


@pytest.fixture
def network(rng: np.random.Generator) -> Graph:
    return graph(
        ["y", "pool"],
        x=((5, 5, 2),),
        conv=(conv(rng, (3, 3), 2, 4, padding="same"), "x"),
        n=(SPIKING, "conv"),
        pool=(POOL, "n"),
        conv_1=(conv(rng, (2, 2), 4, 3), "pool"),
        pool_1=(SpikingMaxPool(size=(2, 2), strides=(1, 1)), "conv_1"),  # of currents, with a bias
        n_1=(SPIKING, "pool_1"),
        flat=(ops.Reshape(shape=(-1,)), "n_1"),
        y=(dense(rng, 3, 3), "flat"),
    )


def test_the_sum_is_at_every_step_the_largest_sum_of_the_inputs(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 5, 5, 3, 30)).astype(np.float32)
    kind = ops.Input(shape=(5, 5, 3)).infer()
    state = {name: np.repeat(value[None], 2, axis=0) for name, value in POOL.start((kind,), rng).items()}
    total = np.zeros((2, 3, 3, 3), np.float32)
    for t in range(30):
        total += POOL.step(state, 0.001, x[..., t])
        want = pool(x[..., : t + 1].sum(axis=-1), (2, 2), (2, 2), "same", maximum=True)
        assert np.allclose(total, want, atol=1e-5)


def test_spikes_of_a_pool_are_spikes(network: Graph) -> None:
    y = simulate(network, random_inputs(network, 4), STEPS, window=slice(0, STEPS)).outputs["pool"]
    unit = SPIKING.scale / 0.001
    assert np.count_nonzero(y) > 100
    assert np.allclose(y / unit, np.round(y / unit), atol=1e-4)
    assert y.min() > -1e-4
    assert y.max() < 1.001 * unit


def test_nengo_gives_what_numpy_gives_for_every_sample_and_number_of_processes(network: Graph) -> None:
    x = random_inputs(network, 6)
    want = simulate(network, x, STEPS, window=slice(20, STEPS)).outputs
    for jobs in (1, 2):
        got = program(network).run(x, STEPS, jobs=jobs).outputs
        for name, y in want.items():
            assert np.abs(got[name] - y).max() < 1e-5 * np.abs(y).max(), name


def test_the_network_starts_anew_in_nengos_own_simulator(network: Graph) -> None:
    x = random_inputs(network, 1)
    want = program(network).run(x, STEPS).outputs["y"][0]
    again = program(network).network
    again.nodes[0].output = x["x"][0].ravel()
    with nengo.Simulator(again, progress_bar=False) as sim:
        for _ in range(2):
            sim.run_steps(STEPS)
            (probe,) = (p for p in again.all_probes if p.label == "y")
            assert np.abs(sim.data[probe] - want).max() < 1e-4 * np.abs(want).max()
            sim.reset()


def test_a_pool_in_front_of_the_first_neurons_is_computed_once_a_sample(rng: np.random.Generator) -> None:
    def pools_of(sim: nengo.Simulator) -> list[bool]:
        """Return, for each pool, whether it is computed once."""
        inner = [(getattr(op, "operator", op), isinstance(op, Once)) for op in sim.step_order]
        return [once for op, once in inner if isinstance(getattr(op, "fn", None), HostFunction)]

    g = chain(ops.Input(shape=(6, 6, 1)), conv(rng, (3, 3), 1, 2), ops.MaxPool(size=(2, 2), strides=(2, 2)), SPIKING)
    with nengo.Simulator(program(g).network, progress_bar=False, optimize=False) as sim:
        assert pools_of(sim) == [True]
    g = chain(ops.Input(shape=(6, 6, 1)), SPIKING, ops.MaxPool(size=(2, 2), strides=(2, 2)))
    with nengo.Simulator(program(g).network, progress_bar=False, optimize=False) as sim:
        assert pools_of(sim) == [False]


@pytest.mark.parametrize("model", [neurons.SoftResetIf(initial=0.5), neurons.SpikingRelu(), neurons.Regular()])
def test_the_mean_comes_closer_to_the_maximum_than_that_of_every_step(model: neurons.NeuronModel) -> None:
    rng = np.random.default_rng(2)
    population = Neurons(model=model, scale=1 / 200)
    errors = []
    for pooling in (ops.MaxPool(size=(2, 2), strides=(2, 2)), SpikingMaxPool(size=(2, 2), strides=(2, 2))):
        g = chain(ops.Input(shape=(8, 8, 4)), population, pooling, names=["x", "n", "p"])
        x = rng.uniform(0, 1, size=(8, 8, 8, 4)).astype(np.float32)
        means = simulate(g, x, 100, window=slice(0, 100), watch=["p"]).means["p"]
        errors.append(float(np.abs(means - evaluate_nodes(g, {"x": x}, ["p"])["p"]).mean()))
    assert errors[1] < 0.1 * errors[0]


def test_a_model_with_max_pooling_compiles_to_a_spiking_network_as_good(rng: np.random.Generator) -> None:
    pool = ops.MaxPool(size=(2, 2), strides=(2, 2))
    relu = ops.Relu()
    g = chain(
        ops.Input(shape=(10, 10, 1)),
        *(conv(rng, (3, 3), 1, 6), relu, pool),
        *(conv(rng, (3, 3), 6, 8), relu, ops.GlobalMaxPool(), dense(rng, 8, 4)),
        names=["x", "c1", "r1", "p1", "c2", "r2", "p2", "y"],
    )
    x = rng.uniform(0, 1, size=(32, 10, 10, 1)).astype(np.float32)
    for level in (0, 1):
        c = snnc.compile(g, level=level, neurons="soft-reset-if", scale=200, steps=60, read_out=0.2, verify=False)
        assert [n.op.kind for n in c.graph].count("max-pool") == level
        got, want = c.predict(x), g.evaluate(x)["y"]
        assert np.abs(got - want).max() < 0.15 * np.abs(want).max()
        assert np.mean(got.argmax(1) == want.argmax(1)) > 0.9


def test_synapses_and_rate_neurons_pass_a_pool(rng: np.random.Generator) -> None:
    g = chain(ops.Input(shape=(4, 4, 2)), SPIKING, Synapse(model=neurons.Lowpass(tau=0.003)), POOL, RELU)
    x = random_inputs(g, 2)
    got = program(g).run(x, STEPS, jobs=1).outputs
    want = simulate(g, x, STEPS, window=slice(0, STEPS)).outputs
    for name, y in want.items():
        assert np.abs(got[name] - y).max() < 1e-5 * np.abs(y).max()
