import numpy as np
import pytest

from snnc.ops.kernels.blas import reproducible
from snnc.ops.kernels.convolve import convolve
from snnc.ops.kernels.exact import exact_spikes, on_a_grid, two_values

WORTH = np.float32([0.3, 7.1, 1000.0, 0.01])


def spikes(rng, *shape):
    return (rng.random((*shape, 4)) < 0.2).astype(np.float32) * WORTH


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_single_spikes_are_found_with_what_they_stand_for(rng, shift):
    x = spikes(rng, 3, 5, 5)
    ones, low, high = two_values(x + np.float32(shift))
    np.testing.assert_array_equal(low, np.full(4, shift, dtype=np.float32))
    np.testing.assert_array_equal(high, WORTH + np.float32(shift))
    np.testing.assert_array_equal(ones, x != 0)
    assert ones.dtype == np.float32


@pytest.mark.parametrize("spoil", [2.0, -1.0, np.nan, np.inf])
def test_anything_else_is_none(rng, spoil):
    x = spikes(rng, 3, 5, 5)
    x[1, 2, 3, 1] = spoil * WORTH[1]
    assert two_values(x) is None


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_one_value_is_two_that_are_alike(value):
    ones, low, high = two_values(np.full((2, 3, 3, 4), value, dtype=np.float32))
    assert not ones.any()
    assert (low == high).all() and (low == np.float32(value)).all()


def test_sums_of_weights_on_a_grid_are_the_same_in_any_order(rng):
    weight = on_a_grid(rng.normal(size=(3, 3, 64, 8)) * np.exp(rng.normal(size=8))).reshape(-1, 8)
    exact = np.cumsum(weight.astype(np.float64), axis=0)
    for order in (slice(None), slice(None, None, -1), rng.permutation(len(weight))):
        sums = np.cumsum(weight[order], axis=0, dtype=np.float32)
        np.testing.assert_array_equal(sums, np.cumsum(weight[order].astype(np.float64), axis=0))
        np.testing.assert_array_equal(sums[-1], exact[-1])


def test_binary_fractions_stay_as_they_are():
    weight = np.float32([[0.5, -3.25], [0.125, 0.0]])
    np.testing.assert_array_equal(on_a_grid(weight), weight)


@pytest.mark.parametrize("shift", [0.0, 0.25])
@pytest.mark.parametrize(("size", "strides", "padding"), [((3, 3), (1, 1), "same"), ((1, 1), (2, 2), "valid")])
def test_a_convolution_of_spikes_is_that_of_float64_up_to_the_grid(rng, size, strides, padding, shift):
    x, kernel = spikes(rng, 3, 9, 9) + np.float32(shift), rng.normal(size=(*size, 4, 6)).astype(np.float32)
    bias = rng.normal(size=6).astype(np.float32)
    with reproducible():
        wanted = convolve(x, kernel, bias, strides, padding, (1, 1), 1)
        with exact_spikes():
            got = convolve(x, kernel, bias, strides, padding, (1, 1), 1)
    most = np.abs(kernel * (WORTH[:, None] + 1)).sum(axis=(0, 1, 2))
    assert (np.abs(got - wanted) <= most * 2**-20).all()
    assert not np.array_equal(got, convolve(x, kernel, bias, strides, padding, (1, 1), 1))  # that is plain float32
