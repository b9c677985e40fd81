import numpy as np
import pytest

from snnc import ops
from snnc.analysis.piecewise_linear import sum_of_relus

SMOOTH = [
    *(ops.Swish(), ops.Gelu(), ops.Tanh(), ops.Sigmoid(), ops.Elu(), ops.Selu(), ops.Softplus(), ops.Softsign()),
    *(ops.Mish(), ops.HardSwish(), ops.Function(name="square"), ops.Exponential()),
]


def inputs(channels=3, seed=0):
    """Return inputs whose channels have means and deviations of their own."""
    rng = np.random.default_rng(seed)
    return rng.normal(rng.uniform(-1, 1, channels), rng.uniform(0.3, 2, channels), (20_000, channels))


def inside(x):
    low, high = np.percentile(x, (0.05, 99.95), axis=0)
    return np.clip(x, low, high)


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: getattr(op, "name", op.kind))
def test_the_error_is_what_it_says_on_other_inputs(op):
    fitted, x = sum_of_relus(op.evaluate, inputs(), 0, 8), inside(inputs(seed=0)[::7])
    wanted = op.evaluate(x)
    error = np.sqrt(np.mean((fitted(x) - wanted) ** 2) / np.mean((wanted - wanted.mean(axis=0)) ** 2))
    assert fitted.relus <= 10
    assert fitted.error == pytest.approx(error, rel=0.3, abs=2e-3)
    assert error < 0.05


@pytest.mark.parametrize("op", SMOOTH[:6], ids=lambda op: op.kind)
def test_more_pieces_come_nearer_as_the_square_of_their_number(op):
    errors = [sum_of_relus(op.evaluate, inputs(), 0, most).error for most in (4, 8, 16)]
    assert errors[1] < 0.5 * errors[0] and errors[2] < 0.5 * errors[1]


def test_as_few_pieces_as_the_error_allows():
    loose, tight = (sum_of_relus(ops.Swish().evaluate, inputs(), error, 20) for error in (0.1, 0.01))
    assert loose.error <= 0.1 and tight.error <= 0.01
    assert loose.relus < tight.relus < 12
    assert sum_of_relus(ops.Swish().evaluate, inputs() + 30, 0.01, 20).relus == 2  # a line, and one end of it


@pytest.mark.parametrize("op", [ops.Tanh(), ops.Sigmoid(), ops.Softsign()], ids=lambda op: op.kind)
def test_what_is_bounded_stays_bounded(op):
    fitted = sum_of_relus(op.evaluate, inputs(), 0.05, 8)
    low, high = np.percentile(inputs(), (0.05, 99.95), axis=0)
    beyond = np.stack([low - (high - low), high + (high - low)])
    np.testing.assert_allclose(fitted(beyond), op.evaluate(beyond), atol=0.25)


def test_what_goes_on_goes_on():
    fitted = sum_of_relus(ops.Swish().evaluate, inputs(), 0.05, 8)
    assert np.all(np.abs(fitted(np.full((1, 3), -20.0))) < 1)
    np.testing.assert_allclose(fitted(np.full((1, 3), 20.0)), 20, rtol=0.2)
    square = sum_of_relus(ops.Function(name="square").evaluate, inputs(), 0.05, 8)
    assert np.all(square(np.full((1, 3), -20.0)) > 20) and np.all(square(np.full((1, 3), 20.0)) > 20)


def test_neurons_cancel_as_little_as_can_be():
    square = sum_of_relus(ops.Function(name="square").evaluate, inputs(1), 0.05, 12)
    assert (square.weights > 0).all()
    assert (square.reach < 0).any() and (square.reach > 0).any()


def test_a_bend_is_found_where_it_is():
    fitted = sum_of_relus(np.abs, inputs(), 0.02, 8)
    assert fitted.relus == 2
    np.testing.assert_allclose(fitted.knots, 0, atol=0.1)


def test_what_is_not_finite_everywhere_is_fitted_where_it_is():
    fitted = sum_of_relus(ops.Function(name="log").evaluate, inputs(1), 0.1, 12)
    x = np.linspace(0.5, 2, 50)[:, None]
    np.testing.assert_allclose(fitted(x), np.log(x), atol=0.3)
    with pytest.raises(ValueError, match="not finite"):
        sum_of_relus(ops.Function(name="log").evaluate, inputs() - 100, 0.1, 8)


def test_a_channel_that_never_changes_has_a_range_all_the_same():
    x = inputs()
    x[:, 1] = 0.7
    fitted = sum_of_relus(ops.Swish().evaluate, x, 0.05, 8)
    np.testing.assert_allclose(fitted(np.full((1, 3), 0.7))[0, 1], 0.7 / (1 + np.exp(-0.7)), atol=0.02)
    assert np.isfinite(sum_of_relus(ops.Tanh().evaluate, np.zeros((300, 2)), 0.05, 8).weights).all()
