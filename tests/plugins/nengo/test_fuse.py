"""The operators that Nengo's reference simulator gets of our network: fewer, and the same results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import nengo
import numpy as np
import pytest
from snnc_nengo.build import Built, build
from snnc_nengo.fuse import Network
from snnc_nengo.operators import Correlate, Once, Population, Product, Smooth

from snnc.api import Graph, LoweringContext, NeuronModel, Neurons, Synapse, neurons, ops
from snnc.testing import random_inputs
from tests.plugins.nengo.build import LOWERINGS, conv, dense, graph

LOWPASS = Synapse(model=neurons.Lowpass(tau=0.005))
MODELS = [
    neurons.SpikingRelu(),
    neurons.SoftResetIf(gamma=2),
    neurons.ReluRate(),
    neurons.Lif(),
    neurons.Stochastic(),
    neurons.AdaptiveLif(),
]


def close(got: np.ndarray, want: np.ndarray, *, spiking: bool = True) -> bool:
    """Return whether results are the same: products are of float32 where neurons spike, else of float64."""
    near = 1e-6 if spiking else 1e-12
    return np.allclose(got, want, rtol=near, atol=near * np.abs(want).max())


def network(model: NeuronModel, rng: np.random.Generator) -> Graph:
    """Return convolutions with and without padding and groups, a sum, filters, and scales of one and by channel."""
    scales = np.linspace(0.01, 0.02, 8).astype(np.float32)
    return graph(
        ["n3", "out"],
        x=((6, 6, 3),),
        conv=(conv(rng, (3, 3), 3, 8, padding="same"), "x"),
        n1=(Neurons(model=model, scale=0.01), "conv"),
        s1=(LOWPASS, "n1"),
        depthwise=(conv(rng, (3, 3), 8, 8, padding="same", groups=8), "s1"),
        add=(ops.Add(), "depthwise", "n1"),
        n2=(Neurons(model=model, scale=scales), "add"),
        strided=(conv(rng, (3, 3), 8, 4, strides=(2, 2)), "n2"),
        flat=(ops.Reshape(shape=(-1,)), "strided"),
        hidden=(dense(rng, 16, 12), "flat"),
        n3=(Neurons(model=model, scale=0.01), "hidden"),
        s3=(LOWPASS, "n3"),
        out=(dense(rng, 12, 5), "s3"),
    )


def built(g: Graph, kind: type[nengo.Network]) -> Built:
    made = build(g, LoweringContext(LOWERINGS, seed=1), kind=kind)
    for node, x in random_inputs(g, 1).items():
        made.inputs[node].output = x[0].ravel()
    return made


def simulated(made: Built, steps: int = 40, **options: Any) -> tuple[dict[str, np.ndarray], list[Any]]:
    with nengo.Simulator(made.network, progress_bar=False, **options) as sim:
        sim.run_steps(steps)
        return {name: sim.data[probe].copy() for name, probe in made.probes.items()}, sim.step_order


@pytest.mark.filterwarnings("ignore:invalid value encountered in log1p")
@pytest.mark.filterwarnings("ignore:Non-finite values detected")
@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_results_are_those_of_nengos_own_operators(model: NeuronModel, optimize: bool) -> None:
    g = network(model, np.random.default_rng(0))
    want, stock = simulated(built(g, nengo.Network), optimize=optimize)
    got, ours = simulated(built(g, Network), optimize=optimize)
    assert len(ours) < len(stock) or optimize
    for name, y in want.items():
        assert np.abs(y).max() > 0
        assert close(got[name], y, spiking=model.spiking), name


def test_every_layer_is_an_operator_and_the_first_is_computed_once(rng: np.random.Generator) -> None:
    _, order = simulated(built(network(neurons.SpikingRelu(), rng), Network), optimize=False)
    once = [op.operator for op in order if isinstance(op, Once)]
    counts = Counter(type(op) for op in (*order, *once))
    assert (counts[Correlate], counts[Product], counts[Population]) == (3, 2, 3)
    assert counts[Smooth] == 2
    assert [type(op) for op in once].count(Correlate) == 1
    assert [op.still for op in order if isinstance(op, Population)].count(True) == 1


def test_a_simulator_starts_afresh_and_takes_inputs_that_change(rng: np.random.Generator) -> None:
    g = network(neurons.SpikingRelu(), rng)
    made, stock = built(g, Network), built(g, nengo.Network)
    with nengo.Simulator(made.network, progress_bar=False) as sim:
        sim.run_steps(15)
        first = sim.data[made.probes["out"]].copy()
        sim.reset()
        sim.run_steps(15)
        assert np.array_equal(first, sim.data[made.probes["out"]])
    x = np.asarray(made.inputs["x"].output)
    moving: Callable[[float], Any] = lambda t: x * (t < 0.01)  # noqa: E731
    for each in (made, stock):
        each.inputs["x"].output = moving
    assert close(simulated(made)[0]["out"], simulated(stock)[0]["out"])
    assert not np.allclose(simulated(made)[0]["out"][-1], first[-1])


def test_what_is_probed_stays_readable(rng: np.random.Generator) -> None:
    seen = []
    for kind in (Network, nengo.Network):
        made = built(network(neurons.SpikingRelu(), np.random.default_rng(2)), kind)
        target = made.objects["n2"]
        with made.network:
            probes = [nengo.Probe(target, key) for key in ("input", "voltage", "output")]
        with nengo.Simulator(made.network, progress_bar=False) as sim:
            sim.run_steps(20)
            seen.append([sim.data[p].copy() for p in probes])
    for ours, stock in zip(*seen, strict=True):
        assert np.abs(stock).max() > 0
        assert close(ours, stock)


def test_a_population_may_feed_back_to_one_before_it(rng: np.random.Generator) -> None:
    outputs = []
    for kind in (Network, nengo.Network):
        made = built(network(neurons.SpikingRelu(), np.random.default_rng(3)), kind)
        with made.network:
            nengo.Connection(made.objects["n3"], made.objects["n2"][:12], synapse=0.002, transform=0.1)
        outputs.append(simulated(made)[0]["out"])
    assert close(*outputs)


@pytest.mark.parametrize("tau", [1e-5, 0.005])
def test_a_filter_too_fast_for_the_step_and_one_of_every_second_element(tau: float, rng: np.random.Generator) -> None:
    outputs = []
    for kind in (Network, nengo.Network):
        made = built(network(neurons.SpikingRelu(), np.random.default_rng(4)), kind)
        weights = np.random.default_rng(5).normal(size=(3, 3, 4, 1))
        kernel = nengo.Convolution(1, (6, 6, 4), init=weights)
        with made.network:
            seen = nengo.Node(size_in=16)
            nengo.Connection(made.objects["n1"][::2], seen, transform=kernel, synapse=tau)
            made = replace(made, probes={"seen": nengo.Probe(seen)})
        outputs.append(simulated(made, dt=0.001)[0]["seen"])
    assert np.abs(outputs[1]).max() > 0
    assert close(*outputs)
