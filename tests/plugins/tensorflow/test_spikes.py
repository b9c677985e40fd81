"""Every neuron model and synapse: TensorFlow gives the evaluator's spikes.

Weights, inputs, scales and the time step are multiples of powers of two, so that sums come out alike in whatever
order a library adds them; all models run side by side as branches of one graph, which TensorFlow builds once.
"""

from __future__ import annotations

import numpy as np
import pytest

from snnc.api import Graph, NeuronModel, Neurons, Synapse, neurons, ops, simulate
from snnc.testing import in_binary
from tests.plugins.tensorflow.build import program, tf

DT, STEPS = 2.0**-10, 80
RATES = ("relu", "sigmoid", "tanh", "lif-rate")
MODELS: list[NeuronModel] = [
    neurons.ReluRate(),
    neurons.SigmoidRate(),
    neurons.TanhRate(),
    neurons.LifRate(tau_rc=1 / 64),
    neurons.AdaptiveLifRate(tau_rc=1 / 64, inc_n=1 / 64, tau_n=0.05),
    neurons.SpikingRelu(),
    neurons.SoftResetIf(initial=0.5),
    neurons.SoftResetIf(gamma=3),
    neurons.SignedIf(gamma=2),
    neurons.SigmaDelta(),
    neurons.SigmaDelta(of=ops.Relu(max_value=0.5), unit=1 / 128),
    *(
        neurons.SigmaDelta(of=of, unit=1 / 128)
        for of in (
            ops.Shrink(threshold=0.25),
            ops.Shrink(threshold=0.25, soft=True),
            ops.Threshold(threshold=0.25, value=-0.5),
            ops.Clip(low=-1.0, high=1.0),
            ops.Function(name="sparse_plus"),
        )
    ),
    neurons.Lif(tau_rc=1 / 64),
    neurons.AdaptiveLif(tau_rc=1 / 64, inc_n=1 / 64, tau_n=0.05),
    neurons.Izhikevich(),
    *(cls(base=base, max_rate=256) for cls in (neurons.Regular, neurons.Stochastic, neurons.Poisson) for base in RATES),
]
SYNAPSES = [neurons.Lowpass(tau=0.004), neurons.Alpha(tau=0.004)]
FILTERED = [neurons.SpikingRelu(), neurons.Lif(tau_rc=1 / 64)]


def add_branch(graph, name, model, synapse=None):
    """Add a convolution and a dense layer of these neurons behind the input; both layers' values are outputs."""
    rng = np.random.default_rng(0)
    scale = model.unit_scale if model.matches_activation and not model.scale_invariant else 1 / 128
    population = Neurons(model=model, scale=scale)
    bias, kernel, weight = in_binary(rng, 4), in_binary(rng, 3, 3, 1, 4), in_binary(rng, 64, 8) * 4
    if isinstance(model, neurons.Izhikevich):
        bias, weight = 0 * bias, 4 * np.eye(64, 8, k=20, dtype=np.float32)  # nothing may be rounded elsewhere
    graph.add(f"{name} 1.linear", ops.Conv(kernel=kernel, bias=bias, strides=(1, 1), dilation=(1, 1)), ["x"])
    last = f"{name} 1"
    graph.add(last, population, [f"{name} 1.linear"])
    if synapse is not None:
        graph.add(f"{last}.filtered", Synapse(model=synapse), [last])
        last = f"{last}.filtered"
    graph.add(f"{name}.flat", ops.Reshape(shape=(-1,)), [last])
    graph.add(f"{name} 2.linear", ops.Dense(weight=weight, bias=np.tile(bias, 2)), [f"{name}.flat"])
    graph.add(f"{name} 2", population, [f"{name} 2.linear"])
    return [f"{name} 1", f"{name} 2", *([last] if synapse is not None else [])]


@pytest.fixture(scope="module")
def both():
    """Return what TensorFlow and the evaluator give for all branches."""
    graph = Graph("branches")
    graph.add("x", ops.Input(shape=(6, 6, 1)))
    outputs = [name for model in MODELS for name in add_branch(graph, repr(model), model)]
    outputs += [
        name
        for model in FILTERED
        for synapse in SYNAPSES
        for name in add_branch(graph, f"{model!r} {synapse!r}", model, synapse)
    ]
    graph.set_outputs({name: name for name in outputs})
    x = {"x": in_binary(np.random.default_rng(1), 3, 6, 6, 1) * 8}
    run = program(graph, seed=1, dt=DT).run(x, STEPS, watch=[repr(neurons.SpikingRelu()) + " 2"])
    return run, simulate(graph, x, STEPS, window=slice(STEPS // 2, STEPS), dt=DT, seed=1)


def test_every_registered_model_is_here():
    assert {type(model) for model in MODELS} == set(neurons.MODELS)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_spikes_are_the_evaluators(both, model, layer):
    got, want = (run.outputs[f"{model!r} {layer}"] for run in both)
    assert want.shape == (3, STEPS, *want.shape[2:])
    if model.spiking:
        assert len(np.unique(want)) > 1
        assert np.array_equal(got, want)
    else:
        # next to the threshold the rate of a leaky neuron is so steep that rounding shows
        assert np.abs(got - want).max() <= (1e-3 if "lif" in model.kind else 1e-5) * np.abs(want).max()


@pytest.mark.parametrize("synapse", SYNAPSES, ids=repr)
@pytest.mark.parametrize("model", FILTERED, ids=repr)
def test_filtered_spikes_are_the_evaluators(both, model, synapse):
    for layer in ("1", "2"):
        got, want = (run.outputs[f"{model!r} {synapse!r} {layer}"] for run in both)
        assert np.count_nonzero(want) > 20
        assert np.array_equal(got, want), layer
    got, want = (run.outputs[f"{model!r} {synapse!r} 1.filtered"] for run in both)
    assert np.allclose(got, want, rtol=1e-5, atol=1e-5 * want.max())


def test_means_and_totals_of_what_is_watched(both):
    run, want = both
    name = repr(neurons.SpikingRelu()) + " 2"
    y = want.outputs[name]
    assert np.allclose(run.means[name], y[:, STEPS // 2 :].mean(axis=1), rtol=1e-6)
    assert np.allclose(run.totals[name], y.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_max_pooling_of_spikes_and_scales_by_channel(decay):
    graph = Graph("pool")
    graph.add("x", ops.Input(shape=(5, 6, 3)))
    population = Neurons(model=neurons.SoftResetIf(), scale=np.float32([1 / 64, 1 / 128, 1 / 256]))
    graph.add("n", population, ["x"])
    graph.add("pool", ops.SpikingMaxPool(size=(2, 2), strides=(2, 2), decay=decay), ["n"])
    graph.add("again", population, ["pool"])
    graph.set_outputs({"pool": "pool", "again": "again"})
    x = {"x": np.abs(in_binary(np.random.default_rng(1), 4, 5, 6, 3)) * 16}
    got = program(graph, dt=DT).run(x, 40).outputs
    want = simulate(graph, x, 40, window=slice(20, 40), dt=DT).outputs
    assert np.count_nonzero(want["again"]) > 50
    for name, y in want.items():
        assert np.array_equal(got[name], y)


def test_the_twister_gives_numpys_numbers():
    from snnc_tensorflow import random

    rng = np.random.RandomState(5)
    _, key, position, *_ = rng.get_state(legacy=True)
    stream = random.TensorStream(tf.constant(key.astype(np.int64)), tf.constant(np.int64(position)))
    for shape in ((3,), (312,), (1,), (20, 50), (311,), (7, 1)):
        assert np.array_equal(stream.uniform(shape), rng.random_sample(shape))
