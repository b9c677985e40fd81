import nengo
import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import nengo_loihi
from snnc_loihi.layer_costs import Limits
from snnc_loihi.planner import plan
from snnc_loihi.tilings import Tiling, tilings

from snnc.api import LoweringError
from tests.plugins.loihi.networks import IGNORED, Handmade, built

pytestmark = pytest.mark.filterwarnings(*IGNORED)


def small_cores(monkeypatch, compartments=1024, in_axons=4096, out_axons=4096, synapse_bits=1 << 20):
    """Plan for a chip of smaller cores, so that small networks have to be cut."""
    limits = Limits(compartments, in_axons, out_axons, synapse_bits)
    monkeypatch.setattr(Limits, "of_loihi", classmethod(lambda cls: limits))


def blocks_of(model, placed):
    found = model.objs[placed.ensemble]["out"]
    return found if isinstance(found, list) else [found]


def assert_counts_are_exact(made, planned):
    """Build with the plan and compare with what nengo-loihi counts, block by block."""
    planned.apply(made.network)
    with built(made) as sim:
        assert len(sim.model.blocks) == planned.cores
        for layer in planned.layers:
            counted = [tuple(n for n, _ in b.utilization().values()) for b in blocks_of(sim.model, layer)]
            assert counted == [(b.compartments, b.in_axons, b.out_axons, b.synapse_bits) for b in layer.blocks]


def shapes(planned):
    return {layer.name: layer.block for layer in planned.layers}


def convolutions(padding="same", filters=(8, 12)):
    made = Handmade((9, 9, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, filters[0], padding=padding))])
    made.layer("second", [(first, made.conv(first, filters[1], strides=2, padding=padding))])
    return made


def test_blocks_of_a_tiling_are_in_the_order_of_nengo_loihi():
    tiling = Tiling((4, 3), (3, 2))
    assert (tiling.counts, tiling.blocks, tiling.middle) == ((2, 2), 4, 0)
    assert tiling.block_of.reshape(4, 3).tolist() == [[0, 0, 1]] * 3 + [[2, 2, 3]]
    assert tiling.sizes.tolist() == [6, 3, 2, 1]
    assert tiling.position(1).reshape(4, 3).tolist() == [[-1, -1, 0], [-1, -1, 1], [-1, -1, 2], [-1, -1, -1]]


def test_tilings_with_the_fewest_blocks_come_first():
    found = tilings((4, 4, 6), 20)
    assert found[0].blocks == 6
    assert [t.blocks for t in found] == sorted(t.blocks for t in found)
    assert all(np.prod(t.block) <= 20 for t in found)
    assert found[-1].block == (1, 1, 1)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_counts_of_convolutions_are_exact(monkeypatch, padding):
    small_cores(monkeypatch, compartments=200, in_axons=60, out_axons=300, synapse_bits=20_000)
    made = convolutions(padding)
    planned = plan(made.network)
    assert all(len(layer.blocks) > 1 for layer in planned.layers)
    assert_counts_are_exact(made, planned)


def test_counts_of_convolutions_that_are_not_cut_are_exact():
    made = convolutions()
    assert plan(made.network).cores == 2
    assert_counts_are_exact(made, plan(made.network))


def test_equal_weights_are_stored_once(monkeypatch):
    small_cores(monkeypatch, compartments=40, synapse_bits=60_000)
    made = Handmade((6, 6, 2))
    flat = nengo.Convolution(4, (6, 6, 2), kernel_size=(3, 3), padding="same", init=np.full((3, 3, 2, 4), 0.1))
    first = made.layer("first", [(made.encoder, flat)])
    weights = np.array(made.dense(first, 90).init)
    weights[:, ::3] = 0
    second = made.layer("second", [(first, nengo.Dense(weights.shape, init=weights))])
    thin = made.sparse(second, 100, density=0.02)
    made.layer("third", [(second, thin)])
    planned = plan(made.network)
    assert all(len(layer.blocks) > 1 for layer in planned.layers)
    assert_counts_are_exact(made, planned)


def test_population_axons_of_16_bits_take_multiples_of_four_channels(monkeypatch):
    small_cores(monkeypatch, synapse_bits=30_000)
    made = convolutions(filters=(12, 20))
    for conn in made.network.connections:
        made.network.config[conn].pop_type = 16
    planned = plan(made.network)
    assert all(block[2] % 4 == 0 for block in shapes(planned).values())
    assert any(block[2] < layer.shape[2] for block, layer in zip(shapes(planned).values(), planned.layers, strict=True))
    assert_counts_are_exact(made, planned)


def test_channels_that_are_no_multiple_of_four_do_not_go_with_16_bits():
    made = convolutions(filters=(8, 6))
    made.network.config[made.network.connections[-1]].pop_type = 16
    shape = (5, 5, 6)
    made.network.config[made.network.ensembles[-1]].block_shape = nengo_loihi.BlockShape((5, 5, 3), shape)
    with pytest.raises(LoweringError, match="layer 'second': population axons of 16 bits need a multiple of 4"):
        plan(made.network)


def test_branches_that_join_a_loop_and_a_layer_with_two_readers(monkeypatch):
    small_cores(monkeypatch, compartments=50, in_axons=150, out_axons=150)
    made = Handmade((5, 5, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 4))])
    same = nengo.Dense((100, 100), init=1.005)
    joined = made.layer("joined", [(first, made.conv(first, 4)), (first, same)])
    made.layer("other", [(first, made.conv(first, 3, strides=2))])
    loop = made.layer("loop", [(joined, made.sparse(joined, 60, density=0.3))])
    with made.network:
        nengo.Connection(loop.neurons, loop.neurons, transform=made.dense(loop, 60))
    planned = plan(made.network)
    assert [layer.name for layer in planned.layers] == ["first", "joined", "other", "loop"]
    assert_counts_are_exact(made, planned)


def test_two_layers_that_feed_each_other(monkeypatch):
    small_cores(monkeypatch, compartments=30, out_axons=90)
    made = Handmade((10,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 50))])
    second = made.layer("second", [(first, made.dense(first, 70))])
    with made.network:
        nengo.Connection(second.neurons, first.neurons, transform=made.dense(second, 50))
    planned = plan(made.network)
    assert_counts_are_exact(made, planned)
    assert max(b.out_axons for layer in planned.layers for b in layer.blocks) <= 90


def test_a_transposed_convolution_and_a_layer_that_only_feeds_one():
    made = Handmade((12,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 32))])
    kernel = made.rng.normal(size=(3, 3, 2, 8))
    up = nengo.transforms.ConvolutionTranspose(
        8, (4, 4, 2), kernel_size=(3, 3), strides=(2, 2), padding="same", init=kernel
    )
    made.layer("second", [(first, up)])
    planned = plan(made.network)
    assert [layer.shape for layer in planned.layers] == [(4, 4, 2), (7, 7, 8)]
    assert_counts_are_exact(made, planned)


def test_a_layer_is_cut_finer_where_the_one_before_has_no_room(monkeypatch):
    made = convolutions()
    small_cores(monkeypatch, compartments=100)
    easy = plan(made.network)
    small_cores(monkeypatch, compartments=100, out_axons=60)
    hard = plan(made.network)
    assert hard.cores > easy.cores
    assert max(b.out_axons for layer in hard.layers for b in layer.blocks) <= 60
    assert_counts_are_exact(made, hard)


def test_a_block_shape_that_the_user_chose_stays(monkeypatch):
    made = convolutions()
    first = made.network.ensembles[1]
    made.network.config[first].block_shape = nengo_loihi.BlockShape((3, 9, 4), (9, 9, 8))
    planned = plan(made.network)
    assert shapes(planned)["first"] == (3, 9, 4)
    assert_counts_are_exact(made, planned)


def test_a_plan_of_the_same_layers_is_taken_again_without_a_search(monkeypatch):
    small_cores(monkeypatch, compartments=100)
    first = plan(convolutions().network)
    made = convolutions()
    monkeypatch.setattr("snnc_loihi.planner._search", None)
    again = plan(made.network, like=first)
    assert shapes(again) == shapes(first)
    assert_counts_are_exact(made, again)


def test_a_plan_that_does_not_fit_any_more_or_is_of_other_layers_is_made_anew(monkeypatch):
    small_cores(monkeypatch, compartments=100)
    old = plan(convolutions().network)
    small_cores(monkeypatch, compartments=100, out_axons=60)
    made = convolutions()
    hard = plan(made.network, like=old)
    assert shapes(hard) == shapes(plan(convolutions().network)) != shapes(old)
    small_cores(monkeypatch, compartments=100)
    other = convolutions(filters=(8, 16))
    assert shapes(plan(other.network, like=old)) == shapes(plan(convolutions(filters=(8, 16)).network))


def test_a_dense_layer_of_too_many_inputs_names_the_limit_and_the_remedy():
    made = Handmade((6000,))
    made.layer("dense", [(made.encoder, made.dense(made.encoder, 10))])
    expected = (
        r"layer 'dense' does not fit a core: a single neuron needs 6000 input axons, and a core has 4096 "
        r"\(1904 too many\); make what feeds it smaller, as pooling or a stride before it does: 'encoder' has 6000"
    )
    with pytest.raises(LoweringError, match=expected):
        plan(made.network)


def test_weights_that_take_too_much_memory(monkeypatch):
    small_cores(monkeypatch, synapse_bits=1000)
    made = Handmade((5, 5, 8))
    made.layer("conv", [(made.encoder, made.conv(made.encoder, 4, kernel=5))])
    with pytest.raises(LoweringError, match=r"layer 'conv' .* take \d+ bits of synapse memory, and a core has 1000 \("):
        plan(made.network)


def test_too_many_output_axons(monkeypatch):
    small_cores(monkeypatch, compartments=8, out_axons=10)
    made = Handmade((10,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 5))])
    made.layer("second", [(first, made.dense(first, 100))])
    expected = r"layer 'first' .* needs 13 output axons, and a core has 10 \(3 too many\), .* 'second' on 13 cores"
    with pytest.raises(LoweringError, match=expected):
        plan(made.network)


def test_more_cores_than_the_chips_have(monkeypatch):
    small_cores(monkeypatch, compartments=4)
    made = Handmade((10,))
    made.layer("large", [(made.encoder, made.dense(made.encoder, 600))])
    planned = plan(made.network)
    assert (planned.cores, planned.chips) == (150, 2)
    assert plan(made.network, chips=2).cores == 150
    with pytest.raises(
        LoweringError,
        match=r"needs 150 cores, 22 more than 1 chip\(s\) have; .*chips=2.*, of which 'large' takes most \(150 cores\)",
    ):
        plan(made.network, chips=1)


def big_convolutions():
    made = Handmade((32, 32, 4))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 64, strides=2, padding="valid"))])
    second = made.layer("second", [(first, made.conv(first, 96, padding="valid"))])
    made.layer("third", [(second, made.conv(second, 128, strides=2, padding="valid"))])
    return made


def big_perceptron():
    made = Handmade((784,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 2000))])
    made.layer("second", [(first, made.dense(first, 1500))])
    return made


def test_a_perceptron_that_nengo_loihi_cannot_split_is_placed():
    planned = plan(big_perceptron().network)
    assert planned.cores == 40
    assert max(b.synapse_bits for layer in planned.layers for b in layer.blocks) <= 1 << 20


@pytest.mark.slow
def test_convolutions_that_nengo_loihi_cannot_split_are_placed():
    made = big_convolutions()
    with pytest.raises(nengo.exceptions.BuildError, match="exceeded max"):
        built(made)
    planned = plan(made.network)
    assert planned.cores == 45
    assert_counts_are_exact(made, planned)
