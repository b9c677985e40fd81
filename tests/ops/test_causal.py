"""What layers over time do in a stream, against what they do with whole sequences."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import ShapeError
from snnc.ir.types import TensorType
from snnc.ops.causal import Cell, DelayLine, Filter, Running
from snnc.ops.recurrent import Gru, Lstm, SimpleRnn, TimeFilter

RECURRENT = {SimpleRnn: 1, Lstm: 4, Gru: 3}


def recurrent(cls, rng, **fields):
    wide = 2 * RECURRENT[cls]
    bias = (2, wide) if cls is Gru else (wide,)
    shapes = {"kernel": (3, wide), "recurrent": (2, wide), "bias": bias}
    return cls(**{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, **fields)


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 6, 3)).astype(np.float32)


@pytest.fixture
def mask():
    return np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 1, 1, 1], [1] * 6, [0, 0, 0, 1, 1, 0]], dtype=np.float32)


def test_a_delay_line_gives_the_slices_that_a_dilated_kernel_reaches(x):
    got = DelayLine(taps=3, dilation=2).over_time(x)
    padded = np.pad(x, ((0, 0), (4, 0), (0, 0)))
    want = np.stack([padded[:, t : t + 6] for t in (0, 2, 4)], axis=2)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("function", ["mean", "sum", "max", "min"])
def test_running_functions_are_of_the_slices_so_far(function, x):
    got = Running(function=function).over_time(x)
    for t in range(6):
        np.testing.assert_allclose(got[:, t], getattr(np, function)(x[:, : t + 1], axis=1), rtol=1e-5, atol=1e-6)


def test_a_masked_mean_leaves_steps_out_and_is_zero_before_the_first(x, mask):
    got = Running().over_time(x, mask)
    np.testing.assert_allclose(got[:, -1], (x * mask[..., None]).sum(1) / mask.sum(1)[:, None], rtol=1e-5, atol=1e-6)
    assert not got[3, :3].any()


@pytest.mark.parametrize("cls", RECURRENT)
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("zero_masked", [True, False])
def test_a_cell_is_its_layer_step_by_step(cls, masked, zero_masked, rng, x, mask):
    layer = recurrent(cls, rng, masked=masked, zero_masked=zero_masked)
    inputs = (x, mask) if masked else (x,)
    np.testing.assert_allclose(Cell(op=layer).over_time(*inputs), layer.evaluate(*inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gives", ["last", "state", "cell"])
def test_the_last_step_of_a_cell_is_what_the_layer_ends_with(gives, rng, x):
    layer = recurrent(Lstm, rng, gives=gives)
    np.testing.assert_allclose(Cell(op=layer).over_time(x)[:, -1], layer.evaluate(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_a_filter_is_the_whole_sequence_step_by_step(order, x):
    whole = TimeFilter(tau=np.array([0.01, 0.002, 0.1]), initial=np.array([1.0, 0.0, -1.0]), order=order)
    np.testing.assert_allclose(Filter(op=whole).over_time(x), whole.evaluate(x), rtol=1e-5, atol=1e-6)


def test_evaluate_is_the_first_slice(rng, x):
    for op in (DelayLine(taps=2), Running(), Cell(op=recurrent(Gru, rng))):
        np.testing.assert_array_equal(op.evaluate(x[:, 0]), op.over_time(x)[:, 0])


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (DelayLine(taps=0), [(3,)], "no delay line"),
        (Running(function="median"), [(3,)], "unknown function 'median'"),
        (Running(), [(3,), (3,)], "a mask of one number"),
        (Cell(op=recurrent(Lstm, np.random.default_rng(1), backwards=True)), [(3,)], "backwards"),
        (Filter(op=TimeFilter(tau=np.ones(2), initial=np.zeros(2))), [(3,)], "do not fit"),
    ],
)
def test_what_does_not_fit_is_a_shape_error(op, shapes, message):
    with pytest.raises(ShapeError, match=message):
        op.infer(*(TensorType(shape) for shape in shapes))
