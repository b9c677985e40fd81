import numpy as np
import pytest
from snnc_loihi.passes.merge_linear import MergeLinear

from snnc.api import Graph, Neurons, PassError, Synapse, neurons, ops
from snnc.ops import resample
from snnc.testing import apply, assert_same_outputs, kinds, random_inputs
from tests.plugins.loihi.graphs import chip, conv, dense, encoder, random, row

CHIP_OPS = (ops.Conv, ops.Dense, ops.SparseMap)


def merged(graph):
    after = apply(MergeLinear(), graph)
    # rates from 0 to 500 Hz, so that the curve of the neurons counts
    inputs = {name: 300 * np.abs(x) for name, x in random_inputs(graph).items()}
    assert_same_outputs(graph, after, inputs, tolerance=2e-5)
    return after


def maps(graph, population):
    """Return the ops that a population reads through, without those that move nothing."""
    (feed,) = graph.sources(population)
    found, todo = [], [feed]
    while todo:
        node = graph[todo.pop()]
        if isinstance(node.op, Neurons):
            continue
        if not isinstance(node.op, (ops.Reshape, ops.Add, ops.Shift)):
            found.append(node.op)
        todo += graph.sources(node.name)
    return found


def spread_affine(channels):
    return ops.Affine(scale=random(channels, low=0.5), shift=random(channels))


IMAGES = {
    "pool": (ops.AvgPool(size=(2, 2), strides=(2, 2)), conv(3, 3, 4)),
    "overlapping pool": (ops.AvgPool(size=(3, 3), strides=(2, 2)), conv(2, 3, 4)),
    "pool, then padded": (ops.AvgPool(size=(2, 2), strides=(2, 2)), conv(3, 3, 4, padding="same")),
    "padding": (ops.ZeroPad(padding=((1, 1), (1, 1))), conv(3, 3, 4)),
    "uneven padding": (ops.ZeroPad(padding=((0, 1), (0, 1))), conv(3, 3, 4, strides=2)),
    "torch padding": (ops.ZeroPad(padding=((1, 1), (1, 1))), conv(3, 3, 4, strides=2)),
    "dilation": (conv(2, 3, 4, dilation=2),),
    "groups": (conv(3, 3, 6, groups=3),),
    "depthwise, pointwise": (conv(3, 3, 3, groups=3, padding="same"), conv(1, 3, 5)),
    "batch norm": (spread_affine(3), conv(3, 3, 4)),
    "two in a row": (conv(2, 3, 4), conv(2, 4, 2)),
}


@pytest.mark.parametrize("steps", IMAGES.values(), ids=IMAGES)
def test_image_layers_become_one_plain_convolution(steps):
    after = merged(row((8, 8, 3), encoder(), *steps, chip()))
    (op,) = maps(after, "b")
    assert isinstance(op, ops.Conv) and op.groups == 1 and set(op.dilation) == {1}
    assert op.padding in ("valid", "same")


def test_what_is_plain_already_stays():
    graph = row(
        (8, 8, 3), encoder(), conv(3, 3, 4, padding="same"), chip(), ops.Reshape(shape=(-1,)), dense(256, 5), chip()
    )
    after = merged(graph)
    assert kinds(after) == kinds(graph)
    assert after["conv"].op == graph["conv"].op and after["dense"].op == graph["dense"].op


@pytest.mark.parametrize(
    ("shape", "steps", "kind"),
    [
        ((8, 8, 3), (ops.AvgPool(size=(2, 2), strides=(2, 2)), ops.Reshape(shape=(-1,)), dense(48, 5)), ops.Dense),
        ((8, 8, 3), (ops.GlobalAvgPool(), dense(3, 5)), ops.Dense),
        ((8, 8, 3), (ops.AvgPool(size=(3, 3), strides=(3, 3), padding="same"), dense(3, 5)), ops.SparseMap),
        ((4, 4, 3), (ops.Permute(order=(1, 0, 2)), ops.Reshape(shape=(-1,)), dense(48, 5)), ops.Dense),
        ((8, 8, 3), (ops.Repeat(times=(2, 2, 1)), conv(3, 3, 4)), ops.SparseMap),
        ((4, 4, 3), (ops.Resize(size=(8, 8)),), ops.SparseMap),
        ((9, 9, 3), (resample.crop((9, 9, 3), ((1, 1), (1, 1), (0, 0))), conv(2, 3, 4)), ops.SparseMap),
        ((6, 3), (conv(3, 3, 4, rank=1),), ops.Conv),
        ((6, 3), (conv(3, 3, 4, rank=1, padding=((2, 0),)),), ops.Conv),
        ((4, 4, 4, 2), (conv(2, 2, 2, rank=3),), ops.SparseMap),
        ((6, 3), (dense(3, 4),), ops.Conv),
        ((6, 3), (ops.Mean(axes=(0,)), dense(3, 4)), ops.Dense),
        ((8, 8, 16), (conv(3, 16, 16, groups=16),), ops.SparseMap),
        ((24,), (ops.Reshape(shape=(4, 6)), conv(2, 6, 3, rank=1)), ops.Conv),
    ],
    ids=str,
)
def test_other_layers_become_one_map(shape, steps, kind):
    (op,) = maps(merged(row(shape, encoder(), *steps, chip())), "b")
    assert isinstance(op, kind)


def test_a_transposed_convolution_is_a_sparse_map():
    up = ops.ConvTranspose(
        kernel=random(2, 2, 4, 3), bias=random(4), strides=(2, 2), dilation=(1, 1), crops=((0, 0), (0, 0))
    )
    (op,) = maps(merged(row((4, 4, 3), encoder(), up, chip())), "b")
    assert isinstance(op, ops.SparseMap)


def branched(join, *after, wide=4):
    graph = row((6, 6, 3), encoder(), conv(3, 3, 4, padding="same"), chip(), name="branches")
    graph.add("c1", conv(3, 4, wide, padding="same"), ["b"])
    graph.add("left", chip(), ["c1"])
    graph.add("join", join, ["b", "left"])
    previous = "join"
    for op in after:
        previous = graph.add(graph.fresh_name(op.kind), op, [previous]).name
    graph.add("last", chip(), [previous])
    graph.set_outputs({"y": "last"})
    return graph


def test_a_sum_is_a_connection_a_branch():
    after = merged(branched(ops.Add()))
    (feed,) = after.sources("last")
    assert after.sources(feed) == ("b", "left")


def test_a_concatenation_is_a_map_a_branch_with_its_part_of_the_kernel():
    found = maps(merged(branched(ops.Concatenate(), conv(3, 10, 5), wide=6)), "last")
    assert sorted(op.kernel.shape for op in found) == [(3, 3, 4, 5), (3, 3, 6, 5)]


def test_what_two_populations_read_is_written_for_each():
    graph = row((6,), encoder(), dense(6, 4), name="leaky")
    graph.add("minus", ops.Affine(scale=-np.ones(1), shift=np.zeros(1)), ["dense"])
    graph.add("up", chip(), ["dense"])
    graph.add("down", chip(), ["minus"])
    graph.add("join", ops.Add(), ["up", "down"])
    graph.set_outputs({"y": "join"})
    after = merged(graph)
    assert len(maps(after, "up")) == len(maps(after, "down")) == 1
    assert after.sole_reader(after.sources("down")[0]) == "down"


def test_a_wide_matrix_becomes_a_convolution_with_one_position():
    graph = row((16, 16, 20), encoder(), ops.Reshape(shape=(-1,)), dense(16 * 16 * 20, 3), chip())
    (op,) = maps(merged(graph), "b")
    assert isinstance(op, ops.Conv) and op.kernel.shape == (16, 16, 20, 3)


def test_different_constants_at_positions_are_added_behind():
    # zeros around a convolution do not see the shift of a batch normalisation before it
    graph = row((6, 6, 3), encoder(), spread_affine(3), conv(3, 3, 4, padding="same"), chip())
    after = merged(graph)
    assert [node.op.kind for node in after].count("shift") == 1


def test_a_graph_without_populations_of_the_chip_stays():
    graph: Graph = row((6,), dense(6, 4), ops.Tanh(), dense(4, 2))
    assert apply(MergeLinear(), graph) == graph


def lowpass(tau):
    return Synapse(model=neurons.Lowpass(tau=tau))


def filters(graph, population):
    """Return the time constants of the filters right before a population, by what they filter."""
    above = graph.ancestors([population]) - graph.ancestors(["a"])
    return {graph.sources(n)[0]: graph[n].op.model.tau for n in above if isinstance(graph[n].op, Synapse)}


def test_one_filter_a_layer_the_slower_one():
    graph = row((6,), encoder(), dense(6, 4), chip(), lowpass(0.002), name="skip")
    graph.add("c", dense(4, 3), ["synapse"])
    graph.add("d", dense(6, 3), ["a"])
    graph.add("join", ops.Add(), ["c", "d"])
    graph.add("last", chip(), ["join"])
    graph.set_outputs({"y": "last"})
    assert filters(merged(graph), "last") == {"a": 0.002, "b": 0.002}


def test_a_filter_behind_linear_ops_goes_in_front_of_them():
    graph = row((6,), encoder(), dense(6, 4), lowpass(0.005), dense(4, 3), chip())
    assert filters(merged(graph), "b") == {"a": 0.005}


def test_two_filters_in_a_row_are_refused():
    graph = row((6,), encoder(), lowpass(0.002), dense(6, 4), lowpass(0.002), chip())
    with pytest.raises(PassError, match="second filter between two layers"):
        apply(MergeLinear(), graph)
