import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.expected import Statistics
from snnc.passes.calibrate_scales import CalibrateScales
from snnc.testing import apply, assert_same_outputs, chain, random_inputs
from tests.conftest import conv, dense

FIRE = neurons.Neurons(model=neurons.SoftResetIf())


@pytest.fixture
def network(rng):
    return chain(
        ops.Input(shape=(5, 5, 2)), conv(rng, (3, 3), 2, 3), FIRE, ops.Reshape(shape=(-1,)), dense(rng, 27, 4), FIRE
    )


def calibrated(network, step, batch=40, **context):
    samples = random_inputs(network, batch)
    return apply(step, network, samples=samples, **context), network.evaluate(samples)


@pytest.mark.parametrize("rule", ["percentile", "max", "mmse", "balance"])
@pytest.mark.parametrize("per", ["channel", "layer"])
def test_every_rule_is_exact_in_rate_mode(network, rule, per):
    after, _ = calibrated(network, CalibrateScales(rule=rule, per=per))
    assert np.shape(after["neurons"].op.scale) == ((3,) if per == "channel" else ())
    assert np.shape(after["neurons_1"].op.scale) == ()
    assert_same_outputs(network, after)


def test_max_is_the_largest_activation_a_step_at_the_wanted_spikes(network):
    after, outputs = calibrated(network, CalibrateScales(rule="max", per="layer", spikes=2.0), dt=0.01)
    assert after["neurons_1"].op.scale == pytest.approx(outputs["neurons_1"].max() * 0.01 / 2)


def test_the_least_squares_range_quantises_better_than_the_maximum(rng):
    values = rng.exponential(size=(2000, 1)).astype(np.float32)  # a long tail, which the maximum follows

    def error(theta, steps=8):
        return np.mean((np.clip(np.floor(values * steps / theta + 0.5), 0, steps) * theta / steps - values) ** 2)

    chosen = CalibrateScales(rule="mmse", per="layer").ranges(values, 8)
    assert error(chosen) < 0.9 * error(values.max())


def test_a_scale_of_the_users_and_a_curve_that_is_no_line_stay(rng):
    graph = chain(
        ops.Input(shape=(4,)),
        dense(rng, 4, 4),
        neurons.Neurons(model=neurons.SoftResetIf(), scale=0.02),
        dense(rng, 4, 4),
        neurons.Neurons(model=neurons.TanhRate()),
    )
    assert apply(CalibrateScales(), graph, samples=random_inputs(graph, 10)) == graph


def test_a_silent_layer_or_channel_gets_no_endless_gain(rng):
    silent = ops.Conv(kernel=np.zeros((1, 1, 2, 2)), bias=np.array([1.0, -1.0]), strides=(1, 1), dilation=(1, 1))
    graph = chain(ops.Input(shape=(2, 2, 2)), silent, FIRE)
    after, _ = calibrated(graph, CalibrateScales(), dt=1.0)
    assert after["neurons"].op.scale.tolist() == pytest.approx([1.0, 0.1])
    dead = chain(ops.Input(shape=(2,)), ops.Dense(weight=np.zeros((2, 3)), bias=-np.ones(3)), FIRE)
    assert calibrated(dead, CalibrateScales(), dt=1.0)[0]["neurons"].op.scale == 1.0


def test_made_up_samples_are_brought_to_what_batch_normalisation_says(network):
    known = {"conv": Statistics(np.full(3, 50.0), np.full(3, 5.0))}
    samples = random_inputs(network, 40)
    after = apply(CalibrateScales(rule="max"), network, samples=samples, made=True, known=known)
    ranges = after["neurons"].op.scale / 0.001
    assert (ranges > 55).all()
    assert (ranges < 80).all()
    plain = apply(CalibrateScales(rule="max"), network, samples=samples, made=True)
    usual, _ = calibrated(network, CalibrateScales(rule="max"))
    assert np.allclose(plain["neurons"].op.scale, usual["neurons"].op.scale)
