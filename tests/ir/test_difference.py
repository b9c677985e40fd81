"""Two graphs compared node by node."""

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.ir.difference import differences
from snnc.testing import chain


def tiny(weight=1.0, **relu):
    dense = ops.Dense(weight=np.full((2, 2), weight), bias=np.zeros(2))
    return chain(ops.Input(shape=(2,)), dense, ops.Relu(**relu), names=["x", "d", "r"])


def test_equal_graphs_have_no_differences_whatever_they_are_called_and_come_from():
    a, b = tiny(), tiny()
    b.name = "other"
    with b.authored_by("somebody"):
        b.replace("d", ops.Dense(weight=np.ones((2, 2)), bias=np.ones(2)))
        b.replace("d", a["d"].op)
    assert str(a["d"].origin) != str(b["d"].origin)
    assert list(differences(a, b)) == []


def test_nodes_that_are_new_gone_or_another_op_are_shown_as_in_a_diff():
    a, b = tiny(), tiny()
    b.insert_after("d", "f", ops.Tanh())
    b.remove("r")
    b.set_outputs({"r": "f"})
    assert list(differences(a, b)) == [
        "- outputs r=%r",
        "+ outputs r=%f",
        "- %r = relu(%d) {negative_slope=0 threshold=0} : rate[2]",
        "+ %f = tanh(%d) : rate[2]",
    ]
    (was, now) = differences(tiny(), tiny(negative_slope=0.5))
    assert was == "- %r = relu(%d) {negative_slope=0 threshold=0} : rate[2]"
    assert now == "+ %r = relu(%d) {negative_slope=0.5 threshold=0} : rate[2]"


def test_weights_of_one_shape_that_differ_are_said_with_the_largest_difference():
    a, b = tiny(), tiny()
    b.replace("d", ops.Dense(weight=np.array([[1, 1], [1.25, 1]]), bias=np.zeros(2)))
    assert list(differences(a, b)) == [
        "~ %d = dense(%x) {weight=f32[2,2] bias=f32[2]} : rate[2]",
        "    weight f32[2,2]: 1 of 4 values differ, by 0.25 at most (largest value 1)",
    ]


def test_numbers_that_print_alike_and_records_in_records_are_compared_too():
    assert list(differences(tiny(negative_slope=0.1), tiny(negative_slope=0.1 + 1e-9))) == [
        "~ %r = relu(%d) {negative_slope=0.1 threshold=0} : rate[2]",
        "    negative_slope: 0.1 became 0.100000001",
    ]
    a, b = tiny(), tiny()
    for graph, tau in ((a, 0.02), (b, 0.0200000001)):
        graph.replace("r", neurons.Neurons(model=neurons.Lif(tau_rc=tau), scale=1.0))
    _, row = differences(a, b)
    assert row == "    model.tau_rc: 0.02 became 0.0200000001"


@pytest.mark.parametrize("first", ["a", "b"])
def test_an_order_that_the_inputs_leave_open_is_no_difference(first):
    a, b = tiny(), tiny()
    for graph, names in ((a, "ab"), (b, [first, "ba"[first == "b"]])):
        for name in names:
            graph.add(name, ops.Tanh(), ["d"])
        graph.set_outputs({"a": "a", "b": "b", "r": "r"})
    assert list(differences(a, b)) == []
