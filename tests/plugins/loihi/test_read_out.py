from snnc_loihi.ops import ChipOutput
from snnc_loihi.passes.read_out import ReadOut

from snnc.api import Synapse, neurons, ops
from snnc.testing import apply, assert_same_outputs
from tests.plugins.loihi.graphs import chip, conv, dense, encoder, row

FILTER = Synapse(model=neurons.Lowpass(tau=0.002))


def read(graph):
    after = apply(ReadOut(), graph)
    assert_same_outputs(graph, after)
    return after


def test_a_dense_layer_reads_spikes_without_a_filter():
    graph = row((6, 6, 2), encoder(), conv(3, 2, 4), chip(), FILTER, ops.Reshape(shape=(-1,)), dense(64, 3))
    after = read(graph)
    assert "synapse" not in after and after.sources("reshape") == ("b",)


def test_other_linear_ops_read_a_node_on_the_host():
    after = read(row((6, 6, 2), encoder(), conv(3, 2, 4), chip(), FILTER, conv(1, 4, 3)))
    assert isinstance(after["b.received"].op, ChipOutput)
    assert after.sources("conv_1") == ("b.received",)


def test_what_is_not_linear_reads_through_a_filter_on_the_host():
    after = read(row((5,), encoder(), dense(5, 4), chip(), FILTER, dense(4, 3), ops.Tanh()))
    assert after.sources("dense_1") == ("b.filtered",)
    assert after.sources("b.filtered") == ("b.received",)


def test_an_output_may_be_the_neurons_themselves():
    after = read(row((5,), encoder(), dense(5, 4), chip(), FILTER))
    assert after.output_nodes == {"y": "b"}


def test_an_answer_of_every_slice_is_filtered_by_the_slower_of_two():
    for between, tau in (((), 0.01), ((FILTER,), 0.01), ((Synapse(model=neurons.Lowpass(tau=0.02)),), 0.02)):
        graph = row((5,), encoder(), dense(5, 4), chip(), *between, dense(4, 3), dt=0.001)
        after = apply(ReadOut(), graph)
        assert after.sources("dense_1") == ("b.filtered",)
        assert after["b.filtered"].op.model.tau == tau
    graph = row((5,), encoder(), dense(5, 4), chip(), dt=0.001)
    assert apply(ReadOut(), graph).output_nodes == {"y": "b.filtered"}
    assert apply(ReadOut(tau=0), graph).output_nodes == {"y": "b"}


def test_what_gathers_the_spikes_of_a_temporal_model_needs_no_other_filter():
    graph = row((5,), encoder(), dense(5, 4), chip(), dense(4, 3), ops.Running(), dt=0.001)
    assert apply(ReadOut(), graph).sources("dense_1") == ("b",)
    graph = row((5,), encoder(), dense(5, 4), chip(), ops.Running(function="max"), dt=0.001)
    assert apply(ReadOut(), graph).sources("running") == ("b.filtered",)


def test_filters_between_populations_stay():
    graph = row((5,), encoder(), dense(5, 4), chip(), FILTER, dense(4, 3), chip())
    assert read(graph) == graph
