import numpy as np
import pytest

from snnc import neurons, ops
from snnc.errors import DataError, GraphError, ShapeError
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.node import Origin
from snnc.testing import assert_same_outputs, chain, kinds
from tests.conftest import dense


def test_the_printed_form_is_one_line_a_node():
    graph = chain(
        ops.Input(shape=(6,)),
        ops.Dense(weight=np.ones((6, 4)), bias=np.ones(4), activation=ops.Relu()),
        neurons.Neurons(model=neurons.Lif(), scale=0.01),
        names=["x", "dense", "fire"],
    )
    with graph.authored_by("a-pass"):
        graph.replace("fire", neurons.Neurons(model=neurons.SpikingRelu(), scale=0.01))
    activation = "relu{negative_slope=0 threshold=0}"
    assert str(graph) == "\n".join(
        [
            "graph 'chain' -> %fire",
            "  %x = input() {shape=(6)} : rate[6]",
            f"  %dense = dense(%x) {{weight=f32[6,4] bias=f32[4] activation={activation}}} : rate[4]  ; keras:dense",
            "  %fire = neurons(%dense) {model=spiking-relu scale=0.01} : spikes[4]  ; a-pass <- keras:fire",
        ]
    )


def test_the_same_tensor_may_be_read_twice_and_in_order(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(2,)))
    graph.add("y", ops.Affine(scale=np.full(1, 2.0), shift=np.zeros(1)), ["x"])
    graph.add("join", ops.Concatenate(), ["y", "x", "y"])
    graph.set_outputs({"join": "join"})
    check(graph)
    assert graph.sources("join") == ("y", "x", "y")
    assert graph.evaluate(np.array([[1.0, 3.0]]))["join"].tolist() == [[2, 6, 1, 3, 2, 6]]


def test_a_change_of_type_travels_downstream(rng):
    graph = chain(ops.Input(shape=(4,)), ops.Relu(), ops.Reshape(shape=(2, 2)), ops.Add(), names=["x", "r", "s", "t"])
    graph.replace("r", neurons.Neurons(model=neurons.SpikingRelu()))
    assert [str(graph[n].type) for n in ("r", "s", "t")] == ["spikes[4]", "spikes[2,2]", "spikes[2,2]"]
    graph.insert_after("r", "filter", neurons.Synapse(model=neurons.Lowpass(tau=0.01)))
    assert str(graph["t"].type) == "rate[2,2]"
    check(graph)


def test_chains_stop_at_branches_and_outputs(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), ops.Relu(), dense(rng, 4, 4), ops.Relu())
    assert [[n.name for n in run] for run in graph.chains(ops.Dense, ops.Relu)] == [
        ["dense", "relu"],
        ["dense_1", "relu_1"],
    ]
    graph.set_outputs({"relu_1": "relu_1", "dense": "dense"})
    assert [[n.name for n in run] for run in graph.chains(ops.Dense, ops.Relu)] == [["dense_1", "relu_1"]]


def test_nodes_of_a_class_are_taken_before_any_is_changed(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), ops.Relu(), dense(rng, 4, 4), ops.Elu())
    assert [n.name for n in graph.nodes(ops.Dense)] == ["dense", "dense_1"]
    assert [n.name for n in graph.nodes(ops.Dense, ops.Elu)] == ["dense", "dense_1", "elu"]
    assert [n.name for n in graph.nodes(ops.Activation)] == ["relu", "elu"]
    assert graph.nodes(ops.Conv) == ()
    for node in graph.nodes(ops.Activation):
        graph.remove(node.name)
    assert graph.nodes(ops.Activation) == ()


def test_fuse_refuses_to_hide_a_tensor_that_something_else_reads(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), ops.Relu())
    graph.set_outputs({"relu": "relu", "dense": "dense"})
    with pytest.raises(GraphError, match="something else reads it"):
        graph.fuse([graph["dense"], graph["relu"]], ops.Relu())


def test_fuse_keeps_the_last_name_and_all_origins(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4), ops.Identity(), ops.Relu())
    with graph.authored_by("merge"):
        graph.fuse([graph["dense"], graph["identity"], graph["relu"]], dense(rng, 4, 4, ops.Relu()))
    assert kinds(graph) == ["input", "dense"]
    assert graph["relu"].origin == Origin(("dense", "identity", "relu"), ("merge",))
    assert [n.name for n in graph.find("identity")] == ["relu"]
    assert graph.by_layer() == {layer: [n.name for n in graph.find(layer)] for layer in graph.layers}
    check(graph)


def test_a_copy_is_independent(residual):
    copy = residual.copy()
    assert copy == residual
    copy.remove("drop")
    assert copy != residual
    assert "drop" in residual
    assert_same_outputs(residual, copy)


def test_remove_and_insert_before(residual):
    residual.insert_before("add", 1, "skip", ops.Affine(scale=np.full(4, 2.0), shift=np.zeros(4)))
    assert residual.sources("add") == ("conv2", "skip")
    residual.remove("skip")
    assert residual.sources("add") == ("conv2", "relu1")
    with pytest.raises(GraphError, match="has 2 inputs"):
        residual.remove("add")


def test_prune_deletes_what_no_output_needs_but_not_inputs(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4))
    graph.add("unused", ops.Input(shape=(1,)))
    graph.add("dead", ops.Relu(), ["dense"])
    with pytest.raises(GraphError, match="'dead' is read by nothing"):
        check(graph)
    assert graph.prune() == ("dead",)
    check(graph)
    assert graph.inputs == ("input", "unused")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 3)), r"needs shape \(batch, 4\), got \(2, 3\)"),
        (np.zeros((0, 4)), "no samples"),
        (np.full((1, 4), np.nan), "NaN or infinite"),
        (np.full((1, 4), "a"), "not numbers"),
        (np.float32(3), "needs shape"),
        ({"y": np.zeros((1, 4))}, "unknown input 'y'; known: input"),
        ({}, "no data for input"),
    ],
)
def test_inputs_that_do_not_fit_are_data_errors(rng, data, message):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 4))
    with pytest.raises(DataError, match=message):
        graph.evaluate(data)


def test_several_inputs_need_names_and_equal_sizes(rng):
    graph = Graph()
    graph.add("a", ops.Input(shape=(2,)))
    graph.add("b", ops.Input(shape=(2,)))
    graph.add("sum", ops.Add(), ["a", "b"])
    graph.set_outputs({"sum": "sum"})
    with pytest.raises(DataError, match="2 inputs"):
        graph.evaluate(np.zeros((1, 2)))
    with pytest.raises(DataError, match="different numbers of samples"):
        graph.evaluate({"a": np.zeros((1, 2)), "b": np.zeros((2, 2))})


def test_check_finds_each_broken_invariant(residual):
    nan = residual["dense"].op
    with pytest.raises(GraphError, match="node 'dense'.*bias holds NaN"):
        broken = residual.copy()
        broken.replace("dense", ops.Dense(weight=nan.weight, bias=np.full(3, np.nan)))
        check(broken)
    with pytest.raises(GraphError, match="no output"):
        broken = residual.copy()
        broken.set_outputs({})
        check(broken)
    with pytest.raises(GraphError, match="op kind 'softplus' is not registered"):
        check(chain(ops.Input(shape=(1,)), ops.Softplus()), {"input": ops.Input})
    with pytest.raises(GraphError, match="feed-forward, but has the cycle"):
        broken = residual.copy()
        broken._graph.add_edge("add", "conv2", key=1)
        check(broken)
    with pytest.raises(ShapeError, match="node 'pool'"):
        residual.replace("relu6", ops.Reshape(shape=(-1,)))


def test_a_loop_over_a_graph_sees_the_nodes_as_they_were(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 3), ops.Relu(), dense(rng, 3, 2), names=["x", "a", "r", "b"])
    seen = []
    for node in graph:
        seen.append(node.name)
        if node.name == "a":
            graph.remove("r")
            graph.insert_after("a", "new", ops.Relu())
            graph.replace("b", ops.Dense(weight=np.zeros((3, 5)), bias=np.zeros(5)))
        if node.name == "b":
            assert node.type.shape == (2,) != graph["b"].type.shape
    assert seen == ["x", "a", "r", "b"]
    assert [node.name for node in graph] == ["x", "a", "new", "b"]


def test_renaming_keeps_inputs_readers_outputs_and_layers(rng):
    before = chain(ops.Input(shape=(3,)), dense(rng, 3, 4), ops.Relu(), names=["x", "a", "b"])
    graph = before.copy()
    graph.rename("a", "c")
    graph.rename("b", "d")
    assert [node.name for node in graph] == ["x", "c", "d"]
    assert graph.sources("d") == ("c",) and list(graph.output_nodes.values()) == ["d"]
    assert graph["c"].origin.layers == before["a"].origin.layers
    assert_same_outputs(before, graph)
