import numpy as np
import pytest

from snnc.ops.kernels.blas import reproducible
from snnc.ops.kernels.convolve import convolve
from snnc.ops.kernels.exact import exact_spikes, on_a_grid, single_spikes

WORTH = np.float32([0.3, 7.1, 1000.0, 0.01])


def spikes(rng, *shape):
    return (rng.random((*shape, 4)) < 0.2).astype(np.float32) * WORTH


def test_single_spikes_are_found_with_what_they_stand_for(rng):
    x = spikes(rng, 3, 5, 5)
    fired, worth = single_spikes(x)
    np.testing.assert_array_equal(worth, WORTH)
    np.testing.assert_array_equal(fired, x != 0)
    assert fired.dtype == np.float32


@pytest.mark.parametrize("spoil", [2.0, -1.0, np.nan, np.inf])
def test_anything_else_is_none(rng, spoil):
    x = spikes(rng, 3, 5, 5)
    x[1, 2, 3, 1] = spoil * WORTH[1]
    assert single_spikes(x) is None


def test_no_spikes_are_single_spikes():
    fired, worth = single_spikes(np.zeros((2, 3, 3, 4), dtype=np.float32))
    assert not fired.any()
    assert np.isfinite(worth).all()


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


@pytest.mark.parametrize(("size", "strides", "padding"), [((3, 3), (1, 1), "same"), ((1, 1), (2, 2), "valid")])
def test_a_convolution_of_spikes_is_that_of_float64_up_to_the_grid(rng, size, strides, padding):
    x, kernel = spikes(rng, 3, 9, 9), rng.normal(size=(*size, 4, 6)).astype(np.float32)
    bias = rng.normal(size=6).astype(np.float32)
    with reproducible():
        wanted = convolve(x, kernel, bias, strides, padding, (1, 1), 1)
        with exact_spikes():
            got = convolve(x, kernel, bias, strides, padding, (1, 1), 1)
    most = np.abs(kernel * WORTH[:, None]).sum(axis=(0, 1, 2))
    assert (np.abs(got - wanted) <= most * 2**-20).all()
    assert not np.array_equal(got, convolve(x, kernel, bias, strides, padding, (1, 1), 1))  # that is plain float32
