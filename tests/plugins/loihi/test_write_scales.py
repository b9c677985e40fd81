import numpy as np
from snnc_loihi.passes.write_scales import WriteScales

from snnc.api import Neurons, Synapse, neurons, ops
from snnc.testing import apply, assert_same_outputs, kinds, random_inputs
from tests.plugins.loihi.graphs import chip, conv, dense, encoder, random, row


def checked(graph):
    after = apply(WriteScales(), graph)
    assert_same_outputs(graph, after, {"x": np.abs(random_inputs(graph)["x"])}, tolerance=1e-5)
    return after


def test_scales_go_into_the_weights_on_both_sides():
    per_channel = random(4, low=0.001, high=0.01)
    graph = row((6, 6, 2), encoder(0.001), conv(3, 2, 4), chip(per_channel), conv(3, 4, 3), chip(0.002))
    after = checked(graph)
    assert all(node.op.scale == 1 for node in after if isinstance(node.op, Neurons))
    assert kinds(after) == ["input", "affine", "neurons", "conv", "neurons", "conv", "neurons", "affine"]
    assert after["conv"].name == "conv"


def test_a_factor_waits_behind_the_filter():
    synapse = Synapse(model=neurons.Lowpass(tau=0.002))
    after = checked(row((5,), encoder(0.001), dense(5, 4), chip(0.002), synapse, ops.Reshape(shape=(2, 2)), chip(0.01)))
    (reader,) = (reader for reader, _ in after.readers("b"))
    assert after[reader].op.kind == "synapse"


def test_other_populations_and_scales_of_one_are_left_alone():
    graph = row((5,), Neurons(model=neurons.SoftResetIf(), scale=0.1), dense(5, 4), chip(1.0))
    assert apply(WriteScales(), graph) == graph
