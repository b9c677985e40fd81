import numpy as np
import pytest
from snnc_loihi.passes.set_rates import SetRates

from snnc.api import Neurons, UsageError, evaluate_nodes, neurons, with_ideal_rates
from snnc.testing import apply
from tests.plugins.loihi.graphs import chip, conv, dense, row


def calibrated(graph, step=None, batch=64):
    samples = {"x": np.random.default_rng(0).uniform(0, 1, (batch, *graph["x"].type.shape)).astype(np.float32)}
    return apply(step or SetRates(), graph, samples=samples), samples


def test_each_channel_fires_at_the_rate_for_its_largest_activation():
    graph = row((6, 6, 2), conv(3, 2, 4), chip(), conv(3, 4, 3), chip())
    after, samples = calibrated(graph)
    wanted = evaluate_nodes(with_ideal_rates(graph), samples, {"a"})["a"]
    rates = wanted / after["a"].op.scale
    highest = np.percentile(rates.reshape(-1, 4), 99.9, axis=0)
    assert np.count_nonzero(highest > 499) >= 2
    assert highest.max() == pytest.approx(500, rel=0.01)


def test_a_vector_has_one_range_and_a_silent_channel_a_finite_one():
    graph = row((4,), dense(4, 8), chip())
    weight = graph["dense"].op.weight.copy()
    weight[:, 0] = -5
    graph.replace("dense", type(graph["dense"].op)(weight=weight, bias=np.full(8, -0.1)))
    after, _ = calibrated(graph)
    scale = after["a"].op.scale
    assert np.ptp(scale) == 0 and np.isfinite(scale).all() and (scale > 0).all()


def test_scales_of_the_user_and_other_neurons_stay():
    graph = row((4,), dense(4, 8), chip(0.01), dense(8, 3), Neurons(model=neurons.SoftResetIf()))
    assert calibrated(graph)[0] == graph


def test_a_rate_beyond_one_spike_a_step_is_refused():
    with pytest.raises(UsageError, match="1000 Hz"):
        SetRates(rate=1200)
