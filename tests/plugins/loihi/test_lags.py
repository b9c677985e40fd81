import numpy as np
from snnc_loihi.lags import Late, lags_of, with_late_starts

from snnc.api import ops
from snnc.ops.causal import Running
from tests.plugins.loihi.graphs import chip, dense, encoder, row


def network(dt=0.001):
    """Return two layers of the chip that a read-out adds to, and a branch around the second."""
    graph = row((4,), encoder(), dense(4, 4), chip(), dense(4, 4), chip(), dt=dt)
    graph.add("sum", ops.Add(), ["b", "c"])
    graph.add("mean", Running(), ["sum"])
    graph.set_outputs({"y": "mean"})
    return graph


def test_a_spike_takes_a_step_to_each_core_and_one_to_the_host():
    lags = lags_of(network())
    assert lags == {"x": 0, "a": 0, "dense": 0, "b": 2, "dense_1": 2, "c": 3, "sum": 3, "mean": 3}


def test_nothing_is_late_where_the_input_stays():
    graph = network(dt=None)
    assert lags_of(graph) == {}
    assert with_late_starts(graph)["mean"].op == Running()


def test_what_remembers_slices_begins_with_the_first_that_comes():
    late = with_late_starts(network())["mean"].op
    assert late == Late(op=Running(), wait=3)
    y = late.over_time(np.array([[9, 9, 9, 2, 4, 3]], dtype=np.float32)[..., None])
    np.testing.assert_array_equal(y.ravel(), [0, 0, 0, 2, 3, 3])
