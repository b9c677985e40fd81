import pytest

from snnc import neurons, ops
from snnc.errors import PassError
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.passes.base import Context
from snnc.passes.drop_identities import DropIdentities
from snnc.passes.fuse_linear import FuseLinear
from snnc.passes.pipeline import run
from snnc.passes.scale_rates import ScaleRates
from snnc.passes.spiking_max_pool import SpikingMaxPooling
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import conv

SPIKING = neurons.Neurons(model=neurons.SpikingRelu())
RATES = neurons.Neurons(model=neurons.ReluRate())
POOL = ops.MaxPool(size=(2, 2), strides=(2, 1), padding="same")


def test_pools_behind_spikes_are_swapped_however_far_behind(rng):
    synapse = neurons.Synapse(model=neurons.Lowpass(tau=0.01))
    before = chain(
        ops.Input(shape=(6, 6, 2)), SPIKING, POOL, synapse, conv(rng, (2, 2), 2, 3), RATES, ops.GlobalMaxPool()
    )
    after = apply(SpikingMaxPooling(), before)
    assert after["max-pool"].op == SpikingMaxPool(size=(2, 2), strides=(2, 1), padding="same")
    assert str(after["max-pool"].type) == "spikes[3,6,2]"
    assert kinds(after)[-2:] == ["spiking-max-pool", "reshape"]
    assert after.inferred("global-max-pool") == before["global-max-pool"].type
    assert_same_outputs(before, after)


@pytest.mark.parametrize(
    ("shape", "kinds_after"), [((1, 1, 4), ["spiking-max-pool"]), ((2, 2), ["spiking-max-pool", "reshape"])]
)
def test_a_global_pool_in_front_of_another_shape_needs_none_of_its_own(shape, kinds_after):
    layers = [ops.Input(shape=(6, 6, 4)), SPIKING, ops.GlobalMaxPool(), ops.Reshape(shape=shape)]
    before = chain(*layers)
    after, _ = run(before, [FuseLinear(), DropIdentities(), SpikingMaxPooling()], Context())
    assert kinds(after) == ["input", "neurons", *kinds_after]
    assert list(after.output_nodes.values()) == ["reshape"]
    assert_same_outputs(before, after)


def test_pools_of_a_temporal_model_forget():
    after = apply(SpikingMaxPooling(), chain(ops.Input(shape=(6, 6, 2), dt=0.001), SPIKING, POOL))
    assert after["max-pool"].op == SpikingMaxPool(size=(2, 2), strides=(2, 1), padding="same", decay=0.9)


@pytest.mark.parametrize("first", [RATES, ops.Relu(), POOL])
def test_pools_of_what_does_not_spike_stay(first, rng):
    before = chain(ops.Input(shape=(6, 6, 2)), first, POOL, SPIKING, conv(rng, (1, 1), 2, 2))
    assert apply(SpikingMaxPooling(), before) == before


def test_a_later_pass_must_not_bring_one_back():
    class Back(ScaleRates):
        name = "back"

        def apply(self, graph, context):
            graph.replace("max-pool", POOL)

    before = chain(ops.Input(shape=(6, 6, 2)), SPIKING, POOL)
    with pytest.raises(PassError, match="spiking-max-pool: node 'max-pool' pools spikes step by step"):
        run(before, [SpikingMaxPooling(), Back()], Context())
