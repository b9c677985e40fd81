import numpy as np
import pytest

from snnc import neurons, ops
from snnc.ops.causal import Running
from snnc.passes.base import Context
from snnc.passes.pipeline import run
from snnc.passes.warn_of_collapse import WarnOfCollapse
from snnc.testing import chain
from tests.conftest import dense

LOWPASS = neurons.Synapse(model=neurons.Lowpass(tau=0.005))


def notes(*middle, **context):
    told = Context(**context)
    before = chain(*middle)
    after, journal = run(before, [WarnOfCollapse()], told)
    assert after == before
    assert not journal[0].changed
    return told.notes


def spiking(model):
    return neurons.Neurons(model=model)


@pytest.mark.parametrize(
    "model", [neurons.SpikingRelu(), neurons.Regular(), neurons.Stochastic(), neurons.Poisson()], ids=repr
)
def test_neurons_that_rectify_unfiltered_spikes_are_named_with_the_remedy(model, rng):
    layers = [ops.Input(shape=(4,)), spiking(model), dense(rng, 4, 4), spiking(model), dense(rng, 4, 4), spiking(model)]
    (note,) = notes(*layers)
    assert note.startswith("the neurons of neurons_1, neurons_2 rectify the current of every step")
    assert note.endswith("use soft-reset-if neurons, a synapse, or level 2")


@pytest.mark.parametrize("model", [neurons.SoftResetIf(), neurons.Lif(), neurons.Regular(base="tanh")], ids=repr)
def test_neurons_that_do_not_rectify_are_fine(model, rng):
    first = spiking(neurons.SpikingRelu())
    assert notes(ops.Input(shape=(4,)), first, dense(rng, 4, 4), spiking(model)) == []


def test_one_spiking_layer_a_filter_or_calibration_is_fine(rng):
    relu = spiking(neurons.SpikingRelu())
    assert notes(ops.Input(shape=(4,)), dense(rng, 4, 4), relu, dense(rng, 4, 4)) == []
    assert notes(ops.Input(shape=(4,)), relu, LOWPASS, dense(rng, 4, 4), relu, LOWPASS) == []
    assert notes(ops.Input(shape=(4,), dt=0.001), relu, Running(), dense(rng, 4, 4), relu) == []
    samples = {"input": np.zeros((1, 4), np.float32)}
    assert notes(ops.Input(shape=(4,)), relu, dense(rng, 4, 4), relu, samples=samples) == []


def test_max_pooling_that_stays_behind_spikes_is_never_silent(rng):
    pool = ops.MaxPool(size=(2,), strides=(2,))
    relu = spiking(neurons.SpikingRelu())
    (note,) = notes(ops.Input(shape=(4, 1)), pool, relu, dense(rng, 1, 1), pool, ops.GlobalMaxPool())
    assert note.startswith("max pooling behind spiking neurons (max-pool_1, global-max-pool) takes the maximum of ever")
    assert notes(ops.Input(shape=(4, 1)), pool, spiking(neurons.ReluRate()), pool) == []
