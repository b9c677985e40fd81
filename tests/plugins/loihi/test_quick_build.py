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
            (synapse.synapse_cfg.weight_exp, w, i)
            for block in sim.model.blocks
            for synapse in block.synapses
            for w, i in zip(synapse.weights, synapse.indices, strict=True)
        ]


def test_the_same_numbers_are_on_the_cores(rng):
    graph = chain(
        ops.Input(shape=(7, 7, 2)),
        conv(rng, (3, 3), 2, 5),
        ops.Relu(),
        conv(rng, (2, 2), 5, 6, strides=(2, 2)),
        ops.Relu(),
        ops.Reshape(shape=(-1,)),
        dense(rng, 24, 7),
        ops.Relu(),
        dense(rng, 7, 3),
    )
    network = snnc.compile(graph, backend="loihi", verify=False, build=False).network
    fast, slow = (numbers(network, context) for context in (quick(), contextlib.nullcontext()))
    assert len(fast) == len(slow) > 50
    for (exponent, w, i), (same, v, j) in zip(fast, slow, strict=True):
        assert exponent == same
        assert w.dtype == v.dtype == np.int32
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(i, j)
