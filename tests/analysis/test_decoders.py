import numpy as np
import pytest

from snnc import ops
from snnc.analysis.decoders import decoder_of, refitted, samples_for
from snnc.neurons import Neurons, SoftResetIf, Synapse
from snnc.neurons.synapses import Lowpass
from snnc.testing import chain

NEURONS = Neurons(model=SoftResetIf(), scale=0.001)


def decoder(channels=2, neurons=3, seed=0):
    rng = np.random.default_rng(seed)
    return ops.Conv(
        kernel=rng.normal(size=(1, neurons, channels)).astype(np.float32),
        bias=rng.normal(size=channels).astype(np.float32),
        strides=(1,),
        dilation=(1,),
        groups=channels,
    )


def rates(samples=500, neurons=6, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, (samples, 1, neurons)).astype(np.float32)


def test_weights_and_constants_are_found_again():
    true, r = decoder(seed=2), rates()
    found = refitted(decoder(), r, true.evaluate(r))
    np.testing.assert_allclose(found.kernel, true.kernel, atol=0.05)
    np.testing.assert_allclose(found.evaluate(r), true.evaluate(r), atol=0.03)


def test_means_are_right_whatever_the_ridge():
    r = rates()
    wanted = np.random.default_rng(0).normal(3, 1, (500, 1, 2)).astype(np.float32)
    np.testing.assert_allclose(
        refitted(decoder(), r, wanted).evaluate(r).mean(axis=(0, 1)), wanted.mean(axis=(0, 1)), rtol=1e-4
    )


def test_a_silent_neuron_keeps_its_weight():
    r = rates()
    r[..., 1] = 0
    before = decoder()
    after = refitted(before, r, decoder(seed=2).evaluate(r))
    assert after.kernel[0, 1, 0] == pytest.approx(before.kernel[0, 1, 0], abs=1e-6)
    assert abs(after.kernel[0, 0, 0] - before.kernel[0, 0, 0]) > 0.05


def test_decoders_are_found_behind_populations_and_filters():
    ends = ops.Input(shape=(1, 6)), NEURONS, decoder()
    for graph in (chain(*ends), chain(*ends[:2], Synapse(model=Lowpass(tau=0.002)), ends[2])):
        (population,) = graph.nodes(Neurons)
        found = decoder_of(graph, population)
        assert found is not None and found.op == decoder()
        assert samples_for(found) == 4096


def test_layers_are_no_decoders():
    pointwise = ops.Conv(
        kernel=np.ones((1, 6, 2), dtype=np.float32), bias=np.zeros(2, dtype=np.float32), strides=(1,), dilation=(1,)
    )
    graph = chain(ops.Input(shape=(1, 6)), NEURONS, pointwise)
    assert decoder_of(graph, graph.nodes(Neurons)[0]) is None
    graph = chain(ops.Input(shape=(1, 6)), NEURONS)
    assert decoder_of(graph, graph.nodes(Neurons)[0]) is None
