import contextlib

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import nengo_loihi
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
        ops.Input(shape=(12, 12, 2)),
        conv(rng, (3, 3), 2, 16),
        ops.Relu(),
        conv(rng, (2, 2), 16, 8, strides=(2, 2)),
        ops.Relu(),
        ops.Reshape(shape=(-1,)),
        dense(rng, 200, 700),
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
