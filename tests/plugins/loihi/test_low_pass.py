import numpy as np
import pytest
from snnc_loihi.passes.low_pass import LowPass

from snnc.api import Context, Synapse, neurons, ops
from snnc.testing import apply
from tests.plugins.loihi.graphs import chip, dense, row


def low_pass(tau, initial=0.0, order=1, dt=0.01):
    tau = np.broadcast_to(np.float32(tau), 4)
    return ops.Filter(op=ops.TimeFilter(tau=tau, initial=np.full(4, initial), dt=dt, order=order))


def network(*between):
    return row((4,), chip(), *between, dense(4, 3), chip(), dt=0.01)


def test_its_time_constant_counts_in_slices_of_which_one_is_a_step():
    after = apply(LowPass(), network(low_pass(0.05)))
    assert after["filter"].op == Synapse(model=neurons.Lowpass(tau=pytest.approx(0.005)))


def test_a_core_has_one_filter_so_that_one_that_was_asked_for_gives_way():
    after = apply(LowPass(), network(Synapse(model=neurons.Lowpass(tau=0.002)), low_pass(0.05)))
    assert after.sources("filter") == ("a",) and "synapse" not in after


def test_what_a_core_does_otherwise_than_the_model_is_a_note():
    context = Context()
    graph = network(low_pass([0.02, 0.03, 0.04, 0.07], initial=0.5))
    LowPass().apply(graph, context)
    assert graph["filter"].op.model.tau == pytest.approx(0.004)
    ranges, start = context.notes
    assert "filter: its time constants are 2 to 7 slices" in ranges and "their mean, 4" in ranges
    assert "begins at other values than zero" in start


@pytest.mark.parametrize(
    "graph",
    [
        network(low_pass(0.05, order=2)),
        row((4,), low_pass(0.05), dense(4, 3), chip(), dt=0.01),
        row((4,), chip(), low_pass(0.05), dense(4, 3), dt=0.01),
    ],
    ids=["second order", "before the chip", "behind it"],
)
def test_what_is_none_of_a_cores_stays(graph):
    assert apply(LowPass(), graph) == graph
