"""Weights fitted to quantised inputs: least squares with a ridge towards the model's."""

import numpy as np
import pytest

from snnc import ops
from snnc.analysis.reconstruct import reconstructed
from tests.conftest import conv, dense


def error(op, x, wanted):
    return float(np.sqrt(np.mean(np.square(op.evaluate(x) - wanted))))


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (lambda rng: dense(rng, 6, 5), (6,)),
        (lambda rng: dense(rng, 6, 5), (3, 6)),
        (lambda rng: conv(rng, (3, 3), 2, 4, padding="same", strides=(2, 1)), (8, 7, 2)),
        (lambda rng: conv(rng, (3,), 4, 6, dilation=(2,)), (12, 4)),
        (lambda rng: conv(rng, (3, 3), 4, 4, padding="same", groups=4), (6, 6, 4)),
        (lambda rng: conv(rng, (3, 3), 4, 8, padding="same", groups=4), (6, 6, 4)),
        (lambda rng: conv(rng, (3, 3), 6, 6, groups=3), (6, 6, 6)),
    ],
    ids=["dense", "dense-in-time", "conv", "conv-1d", "depthwise", "depthwise-multiplied", "grouped"],
)
def test_weights_follow_inputs_that_shrank(rng, op, shape):
    op = op(rng)
    x = rng.uniform(-1, 1, (400, *shape)).astype(np.float32)
    wanted = op.evaluate(x)
    fitted = reconstructed(op, x / 2, wanted, rng)
    assert type(fitted) is type(op)
    assert error(fitted, x / 2, wanted) < 0.7 * error(op, x / 2, wanted)
    # the ridge stops halfway between the model's weights and those that undo the shrinking
    weight = "weight" if isinstance(op, ops.Dense) else "kernel"
    growth = getattr(fitted, weight) / getattr(op, weight)
    assert np.median(growth) == pytest.approx(1.5, abs=0.2)


def test_what_quantising_takes_from_samples_it_also_gives_back_on_others(rng):
    op = dense(rng, 24, 6)
    mixed = rng.normal(size=(8, 24))

    def sample(count):
        x = np.maximum(rng.normal(size=(count, 8)) @ mixed, 0).astype(np.float32)
        return np.clip(np.round(x / 3), 0, 2).astype(np.float32) * 3, op.evaluate(x)

    fitted = reconstructed(op, *sample(300), rng)
    x, wanted = sample(300)
    assert error(fitted, x, wanted) < 0.95 * error(op, x, wanted)


def test_fewer_samples_than_inputs_leave_most_of_the_weights_as_they_are(rng):
    op = dense(rng, 200, 5)
    x = rng.uniform(0, 1, (20, 200)).astype(np.float32)
    fitted = reconstructed(op, x + rng.normal(0, 0.1, x.shape).astype(np.float32), op.evaluate(x), rng)
    moved = np.linalg.norm(fitted.weight - op.weight) / np.linalg.norm(op.weight)
    assert 0 < moved < 0.2


def test_an_input_that_is_always_silent_keeps_its_weights(rng):
    op = dense(rng, 6, 5)
    x = np.zeros((30, 6), np.float32)
    wanted = np.ones((30, 5), np.float32)
    fitted = reconstructed(op, x, wanted, rng)
    assert np.array_equal(fitted.weight, op.weight)
    np.testing.assert_allclose(fitted.evaluate(x), wanted, rtol=1e-5)


def test_other_ops_and_layers_with_an_activation_of_their_own_are_left_alone(rng):
    x = rng.uniform(0, 1, (4, 3, 3, 2)).astype(np.float32)
    for op in (ops.GlobalAvgPool(), dense(rng, 2, 5, activation=ops.Relu())):
        assert reconstructed(op, x, op.evaluate(x), rng) is op
