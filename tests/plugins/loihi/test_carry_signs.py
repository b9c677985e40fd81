import numpy as np
import pytest
from snnc_loihi.passes.carry_signs import CarrySigns

from snnc.api import Context, UsageError, evaluate_nodes, ops
from snnc.testing import apply, assert_same_outputs, kinds
from tests.plugins.loihi.graphs import conv, dense, random, row


def relus(graph):
    return len(graph.nodes(ops.Relu))


def bottleneck(inputs=2048, few=16, outputs=1024):
    return row((inputs,), ops.Relu(), dense(inputs, few), dense(few, outputs), ops.Relu(), dense(outputs, 4))


def residual():
    """Return two inverted residual blocks: a narrow sum that two convolutions read, and the next sum."""
    graph = row((6, 6, 3), conv(1, 3, 12), ops.Relu(), conv(1, 12, 3), name="blocks")
    (narrow,) = graph.output_nodes.values()
    for i in (1, 2):
        names = [f"{what}{i}" for what in ("expand", "relu", "project", "sum")]
        graph.add(names[0], conv(1, 3, 12), [narrow])
        graph.add(names[1], ops.Relu(), [names[0]])
        graph.add(names[2], conv(1, 12, 3), [names[1]])
        narrow = graph.add(names[3], ops.Add(), [narrow, names[2]]).name
    graph.add("last", conv(1, 3, 8), [narrow])
    graph.add("relu_last", ops.Relu(), ["last"])
    graph.add("head", conv(1, 8, 2), ["relu_last"])
    graph.set_outputs({"y": "head"})
    return graph


def test_a_bottleneck_that_would_take_many_cores_gets_two_neurons_a_value():
    graph = bottleneck()
    after = apply(CarrySigns(), graph)
    assert_same_outputs(graph, after)
    assert relus(after) == relus(graph) + 1
    assert [n.type.shape for n in after.nodes(ops.Relu) if n.name.endswith(".signs")] == [(32,)]


@pytest.mark.parametrize(
    "graph",
    [
        bottleneck(64, 16, 64),  # both fit one core as one
        bottleneck(few=1024),  # two maps take more
        row(
            (64, 64, 4), conv(1, 4, 64), ops.Relu(), conv(1, 64, 4), conv(1, 4, 64), ops.Relu(), conv(1, 64, 2)
        ),  # neurons fill cores
        residual(),
    ],
)
def test_what_one_map_does_as_cheaply_stays(graph):
    assert apply(CarrySigns(), graph) == graph


@pytest.mark.parametrize("graph", [residual(), bottleneck(64, 16, 64)])
def test_always_is_wherever_weights_read_what_weights_give(graph):
    after = apply(CarrySigns(where="always"), graph)
    assert_same_outputs(graph, after)
    assert relus(after) == relus(graph) + (3 if "sum1" in graph else 1)


def test_sums_are_made_of_values_and_not_of_spikes_of_spikes():
    after = apply(CarrySigns(where="always"), residual())
    assert not any(source.endswith(".signed") for node in after.nodes(ops.Add) for source in after.sources(node.name))


def test_never_is_never():
    graph = bottleneck()
    assert apply(CarrySigns(where="never"), graph) == graph


def test_fewer_cores_may_do():
    graph = bottleneck(1024, 16, 256)  # 3 cores, or 1 and 1
    assert apply(CarrySigns(), graph) == graph
    assert relus(apply(CarrySigns(times=1.5), graph)) == relus(graph) + 1


@pytest.mark.parametrize(
    "graph",
    [
        row((8,), ops.Relu(), dense(8, 4), dense(4, 8)),  # the host does what is behind the last neurons
        row((8,), ops.Relu(), dense(8, 4), dense(4, 8), ops.Relu()),
        row((8,), ops.Relu(), dense(8, 4), dense(4, 8), ops.Softmax(), dense(8, 2)),
        row((8,), ops.Relu(), dense(8, 4), dense(4, 8), ops.Swish(), dense(8, 2)),  # which samples would fit
        row((8,), ops.Relu(), dense(8, 4), ops.Relu(), dense(4, 8), ops.Relu(), dense(8, 2)),
        row((6, 6, 4), ops.Relu(), ops.AvgPool(size=(2, 2), strides=(2, 2)), conv(1, 4, 8), ops.Relu(), conv(1, 8, 2)),
    ],
)
def test_what_is_not_between_weights_of_the_chip_stays(graph):
    assert apply(CarrySigns(where="always"), graph) == graph


def test_moves_between_weights_are_behind_the_neurons():
    graph = row((4, 4, 3), ops.Relu(), conv(1, 3, 2), ops.Reshape(shape=(32,)), dense(32, 5), ops.Relu(), dense(5, 2))
    after = apply(CarrySigns(where="always"), graph)
    assert_same_outputs(graph, after)
    assert kinds(after) == "input relu conv conv relu conv reshape dense relu dense".split()


def test_with_samples_sums_of_relus_are_neurons_too():
    graph = row((8,), ops.Relu(), dense(8, 4), dense(4, 8), ops.Swish(), dense(8, 2))
    after = graph.copy()
    CarrySigns(where="always").apply(after, Context(backend="loihi", samples={"x": random(8, 8)}))
    assert relus(after) == 2
    assert_same_outputs(graph, after)


def test_values_of_both_signs_come_through():
    graph = apply(CarrySigns(where="always"), row((2,), dense(2, 2), dense(2, 2), ops.Relu(), dense(2, 2)))
    x = np.array([[-1.0, 2.0], [3.0, -4.0]], dtype=np.float32)
    values = evaluate_nodes(graph, {"x": x}, {"dense", "dense.signs", "dense.signed"})
    assert (values["dense"] < 0).any() and (values["dense"] > 0).any()
    np.testing.assert_array_equal(values["dense.signed"], values["dense"])
    np.testing.assert_array_equal(values["dense.signs"].sum(axis=1), np.abs(values["dense"]).sum(axis=1))


def test_times_below_one_is_refused():
    with pytest.raises(UsageError, match="times must be 1 or more"):
        CarrySigns(times=0.5)
