import pytest

from snnc import neurons, ops
from snnc.errors import PassError
from snnc.passes.scale_rates import ScaleRates
from snnc.testing import apply, assert_same_outputs, chain
from tests.conftest import dense


def network(rng, model):
    population = neurons.Neurons(model=model)
    return chain(ops.Input(shape=(4,)), dense(rng, 4, 5), population, dense(rng, 5, 3), names=["x", "d", "n", "out"])


def test_scale_is_hz_for_an_activation_of_one(rng):
    before = network(rng, neurons.SpikingRelu())
    after = apply(ScaleRates(scale=200.0), before)
    assert after["n"].op.scale == pytest.approx(1 / 200)
    assert_same_outputs(before, after)


def test_scale_by_layer_leaves_the_others(rng):
    before = network(rng, neurons.SpikingRelu())
    assert apply(ScaleRates(scale={"n": 50.0}), before)["n"].op.scale == pytest.approx(1 / 50)
    assert apply(ScaleRates(), before) == before


def test_a_curve_that_is_not_a_straight_line_is_left_alone_unless_named(rng):
    before = network(rng, neurons.TanhRate())
    assert apply(ScaleRates(scale=200.0), before) == before
    with pytest.raises(PassError, match="layer 'n' has tanh neurons.*would change what it computes"):
        apply(ScaleRates(scale={"n": 200.0}), before)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), True, "fast", {"n": 0}])
def test_a_scale_must_be_a_positive_number(rng, scale):
    with pytest.raises(PassError, match="not a positive number of Hz"):
        apply(ScaleRates(scale=scale), network(rng, neurons.SpikingRelu()))


def test_an_unknown_layer_is_an_error_that_lists_the_known_ones(rng):
    with pytest.raises(PassError, match="scale: unknown layer 'out'; known: n"):
        apply(ScaleRates(scale={"out": 3.0}), network(rng, neurons.SpikingRelu()))
