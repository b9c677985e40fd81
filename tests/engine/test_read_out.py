"""How outputs over time become one answer."""

import numpy as np
import pytest

from snnc.engine.read_out import LastReadOut, LowPassReadOut, MeanReadOut
from snnc.errors import SnncError
from snnc.text_form import read_out_of, write

DT = 0.001


@pytest.fixture
def y(rng):
    return rng.normal(size=(3, 12, 2)).astype(np.float32)


def test_a_mean_leaves_out_a_share_of_the_steps_so_far(y):
    every = MeanReadOut(start=0.5).every_step(y, DT)
    assert np.allclose(every[:, 7], y[:, 4:8].mean(axis=1), atol=1e-6)
    assert np.allclose(every[:, 0], y[:, 0], atol=1e-6)
    assert np.allclose(MeanReadOut(start=0.25)(y, DT), y[:, 3:].mean(axis=1), atol=1e-6)
    assert MeanReadOut(start=0.99).window(3) == slice(2, 3)


def test_the_last_step_alone(y):
    assert np.array_equal(LastReadOut()(y, DT), y[:, -1])
    assert np.array_equal(LastReadOut().every_step(y, DT), y)


def test_a_low_pass_weighs_recent_steps_more_and_is_not_biased_at_the_start(y):
    weights = np.exp(-np.arange(12)[::-1] * DT / 0.004)
    want = np.einsum("t,btc->bc", weights / weights.sum(), y)
    assert np.allclose(LowPassReadOut(tau=0.004)(y, DT), want, atol=1e-6)
    assert np.allclose(LowPassReadOut(tau=0.01).every_step(np.ones((1, 5, 1)), DT), 1)


@pytest.mark.parametrize("read_out", [MeanReadOut(start=0.5), LastReadOut(), LowPassReadOut(tau=0.005)])
def test_the_answer_is_that_of_the_last_step_and_independent_of_later_ones(y, read_out):
    every = read_out.every_step(y, DT)
    assert every.dtype == np.float32
    assert np.allclose(read_out(y, DT), every[:, -1], atol=1e-6)
    assert np.allclose(read_out(y[:, :5], DT), every[:, 4], atol=1e-6)
    assert read_out_of(write(read_out.kind, read_out.attrs())) == read_out


def test_forms_that_a_user_may_write():
    assert read_out_of(0.25) == read_out_of("0.25") == read_out_of("mean{start=0.25}") == MeanReadOut(start=0.25)
    assert read_out_of("last") == LastReadOut()
    assert read_out_of("low-pass{tau=0.02}") == LowPassReadOut(tau=0.02)
    assert read_out_of(LowPassReadOut()) == LowPassReadOut()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.0, "from 0 to below 1"),
        (-0.1, "from 0 to below 1"),
        ("nan", "from 0 to below 1"),
        (True, "from 0 to below 1"),
        (None, "from 0 to below 1"),
        ("first", "unknown read-out 'first'.*last"),
        ("low-pass{tau=0}", "above 0"),
        ("low-pass{tau=fast}", "cannot be 'fast'"),
        ("mean{", "cannot read"),
    ],
)
def test_what_is_no_read_out(value, message):
    with pytest.raises(SnncError, match=message):
        read_out_of(value)
