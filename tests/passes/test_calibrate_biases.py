import numpy as np

from snnc import neurons, ops
from snnc.engine.rate import evaluate_nodes
from snnc.engine.read_out import MeanReadOut
from snnc.engine.simulate import simulate
from snnc.passes.calibrate_biases import CalibrateBiases
from snnc.testing import apply, chain, random_inputs
from tests.conftest import conv, dense


def network(rng, model, scale):
    population = neurons.Neurons(model=model, scale=scale)
    return chain(
        ops.Input(shape=(6, 6, 2)),
        conv(rng, (3, 3), 2, 4),
        population,
        conv(rng, (3, 3), 4, 4),
        population,
        ops.Reshape(shape=(-1,)),
        dense(rng, 16, 3),
        names=["x", "conv", "first", "conv_b", "second", "flat", "out"],
    )


def means_by_channel(graph, samples, name, steps):
    run = simulate(graph, samples, steps, window=slice(0, steps), watch=[name])
    return run.means[name].mean(axis=(0, 1, 2))


def test_the_spiking_means_come_closer_to_those_in_rate_mode(rng):
    """Nengo's spiking ReLU rectifies jumping currents, so its means are too large before the correction."""
    before = network(rng, neurons.SpikingRelu(), scale=0.01)
    samples = random_inputs(before, 24)
    after = apply(CalibrateBiases(), before, samples=samples, steps=20, read_out=MeanReadOut(start=0.0))
    wanted = evaluate_nodes(before, samples, {"second"})["second"].mean(axis=(0, 1, 2))
    errors = [np.abs(means_by_channel(g, samples, "second", 20) - wanted).max() for g in (before, after)]
    assert errors[1] < 0.7 * errors[0]


def test_only_biases_change(rng):
    before = network(rng, neurons.SoftResetIf(), scale=0.001)
    after = apply(CalibrateBiases(), before, samples=random_inputs(before, 8), steps=8, read_out=MeanReadOut(start=0.0))
    assert [n.op.kind for n in after] == [n.op.kind for n in before]
    kernels = [[n.op.kernel for n in g if isinstance(n.op, ops.Conv)] for g in (before, after)]
    biases = [[n.op.bias for n in g if isinstance(n.op, ops.Conv)] for g in (before, after)]
    assert all(np.array_equal(a, b) for a, b in zip(*kernels, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(*biases, strict=True))


def test_a_network_without_spikes_is_left_alone(rng):
    before = network(rng, neurons.ReluRate(), scale=1.0)
    assert apply(CalibrateBiases(), before, samples=random_inputs(before, 8)) == before


def test_made_up_samples_change_no_bias(rng):
    before = network(rng, neurons.SpikingRelu(), scale=0.01)
    after = apply(CalibrateBiases(), before, samples=random_inputs(before, 8), steps=8, made=True)
    assert after == before
