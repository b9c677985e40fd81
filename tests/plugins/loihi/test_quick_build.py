import contextlib

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import nengo
import nengo_loihi
from nengo_loihi.block import Axon, Synapse
from nengo_loihi.builder import validate
from snnc_loihi.quick_build import quick
from snnc_nengo.building import building

import snnc
from snnc import ops
from snnc.testing import chain
from tests.conftest import conv, dense
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)


def numbers(network, context):
    """Return all that is on the cores for the synapses of a network."""
    with building(), context, nengo_loihi.Simulator(network, target="sim", seed=0, progress_bar=False) as sim:
        return [
            (
                synapse.label,
                synapse.synapse_cfg.weight_exp,
                synapse.axon_to_weight_map,
                synapse.axon_compartment_bases,
                w,
                i,
            )
            for block in sim.model.blocks
            for synapse in block.synapses
            for w, i in zip(synapse.weights, synapse.indices, strict=True)
        ], sum(1 for block in sim.model.blocks)


def test_the_same_numbers_are_on_the_cores(rng):
    graph = chain(
        ops.Input(shape=(11, 11, 2)),
        conv(rng, (3, 3), 2, 16),
        ops.Relu(),
        ops.MaxPool(size=(2, 2), strides=(2, 2), padding="valid"),
        conv(rng, (2, 2), 16, 8, strides=(2, 2)),
        ops.Relu(),
        ops.Reshape(shape=(-1,)),
        dense(rng, 32, 700),
        ops.Relu(),
        dense(rng, 700, 3),
    )
    network = snnc.compile(graph, backend="loihi", verify=False, build=False).network
    (fast, cores), (slow, _) = (numbers(network, context) for context in (quick(), contextlib.nullcontext()))
    assert cores > 4  # some layers are split
    assert len(fast) == len(slow) > 50
    for mine, theirs in zip(fast, slow, strict=True):
        assert mine[-2].dtype == theirs[-2].dtype == np.int32
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_axon_may_lead_nowhere():
    with nengo.Network() as network:
        a, b = (nengo.Ensemble(n, 1, neuron_type=nengo_loihi.neurons.LoihiSpikingRectifiedLinear()) for n in (3, 1200))
        transform = nengo.Sparse((1200, 3), indices=[[0, 0], [1100, 2]], init=[0.5, 0.25])
        nengo.Connection(a.neurons, b.neurons, transform=transform, synapse=0.005)
    (fast, cores), (slow, _) = (numbers(network, context) for context in (quick(), contextlib.nullcontext()))
    assert cores == 3
    assert len(fast) == len(slow) == 2
    for mine, theirs in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(mine[-2], theirs[-2])
        np.testing.assert_array_equal(mine[-1], theirs[-1])


@pytest.mark.parametrize("atom", [0, 1, 2, -1])
def test_atoms_without_weights_are_refused_as_nengo_loihi_does(atom):
    synapse = Synapse(2)
    synapse.set_population_weights(
        np.ones((1, 2, 3)), np.arange(3)[None, None].repeat(2, axis=1), np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    )
    axon = Axon(n_axons=2)
    axon.target = synapse
    axon.set_compartment_axon_map(np.array([0, 1]), atoms=np.array([0, atom]))

    def refused():
        try:
            validate.validate_axon(axon)
        except AssertionError:
            return True
        return False

    alone = refused()
    with quick():
        assert refused() == alone == (atom not in (0, 1))
