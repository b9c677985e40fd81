"""The sparse matrices and kernels that stand for convolutions, pools and movements."""

from __future__ import annotations

import numpy as np
import pytest
from snnc_nengo import geometry
from snnc_nengo.transforms import Convolution, Matrix, Scale, SparseMatrix, moved

from snnc.api import convolve, ops
from tests.plugins.nengo.build import conv


def test_pooling_has_one_entry_for_each_element_it_reads() -> None:
    pool = geometry.average(ops.AvgPool(size=(2, 2), strides=(2, 2)), (4, 4, 3))
    assert pool.matrix.nnz == 4 * 4 * 3
    assert np.allclose(pool.matrix.sum(axis=1), 1)
    assert geometry.global_average((7, 7, 64)).matrix.nnz == 7 * 7 * 64


def test_a_padded_convolution_is_padding_and_a_valid_one(rng: np.random.Generator) -> None:
    pad, kernel = geometry.convolution(conv(rng, (3, 3), 2, 4, padding=((2, 0), (0, 1))), (5, 5, 2))
    assert isinstance(pad, SparseMatrix)
    assert pad.matrix.shape == (7 * 6 * 2, 5 * 5 * 2)
    assert isinstance(kernel, Convolution)
    assert (kernel.padding, kernel.input_shape) == ("valid", (7, 6, 2))


def test_explicit_padding_that_is_same_needs_no_padding_of_its_own(rng: np.random.Generator) -> None:
    (kernel,) = geometry.convolution(conv(rng, (3, 3), 2, 4, padding=((1, 1), (1, 1))), (5, 5, 2))
    assert isinstance(kernel, Convolution)
    assert kernel.padding == "same"


def test_few_groups_become_one_kernel_and_many_a_sparse_matrix(rng: np.random.Generator) -> None:
    (few,) = geometry.convolution(conv(rng, (3, 3), 8, 8, groups=4), (5, 5, 8))
    assert isinstance(few, Convolution)
    assert few.kernel.shape == (3, 3, 8, 8)
    assert np.count_nonzero(few.kernel) == 3 * 3 * 2 * 8
    (many,) = geometry.convolution(conv(rng, (3, 3), 32, 32, groups=16), (5, 5, 32))
    assert isinstance(many, SparseMatrix)
    assert many.matrix.nnz == 3 * 3 * 3 * 3 * 32 * 2


def test_a_kernel_for_each_channel_stays_as_it_is(rng: np.random.Generator) -> None:
    (depthwise,) = geometry.convolution(conv(rng, (3, 3), 16, 32, groups=16), (5, 5, 16))
    assert isinstance(depthwise, Convolution)
    assert (depthwise.kernel.shape, depthwise.groups) == ((3, 3, 1, 32), 16)
    scaled = depthwise.scaled(np.tile(np.arange(16.0), 25))
    assert isinstance(scaled, Convolution)
    assert np.allclose(scaled.kernel, depthwise.kernel * np.repeat(np.arange(16), 2))


def test_dilation_spreads_the_kernel(rng: np.random.Generator) -> None:
    kernel = rng.normal(size=(2, 3, 1, 1)).astype(np.float32)
    wide = convolve.dilated(kernel, (3, 1))
    assert wide.shape == (4, 3, 1, 1)
    assert np.array_equal(wide[::3], kernel)
    assert np.count_nonzero(wide) == kernel.size


def test_moved_reads_nothing_where_the_source_is_missing() -> None:
    y = moved(np.array([2, -1, 0, 2]), 3).matrix @ np.array([10.0, 20.0, 30.0])
    assert y.tolist() == [30, 0, 10, 30]


@pytest.mark.parametrize("kind", ["scale", "matrix", "sparse"])
def test_a_factor_in_front_becomes_part_of_a_transform(kind: str, rng: np.random.Generator) -> None:
    weight, factor, x = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)
    if kind == "scale":
        scaled = Scale(weight[0]).scaled(factor).nengo() * x
        want = weight[0] * factor * x
    elif kind == "matrix":
        scaled, want = Matrix(weight).scaled(factor).nengo() @ x, weight @ (factor * x)
    else:
        sparse = moved(np.array([3, 0, 1]), 4)
        scaled, want = sparse.scaled(factor).matrix @ x, sparse.matrix @ (factor * x)
    assert np.allclose(scaled, want)


def test_a_convolution_takes_factors_of_its_channels_only(rng: np.random.Generator) -> None:
    (kernel,) = geometry.convolution(conv(rng, (2, 2), 3, 4), (4, 4, 3))
    by_channel = np.tile([1.0, 2.0, 3.0], 16)
    assert np.allclose(kernel.scaled(by_channel).kernel, kernel.kernel * np.array([1.0, 2.0, 3.0])[:, None])
    assert kernel.scaled(rng.normal(size=48)) is None
