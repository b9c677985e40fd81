"""Ops of the wider Keras layers against plain definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import special

from snnc import ops
from snnc.errors import ShapeError
from snnc.ir.types import TensorType
from snnc.ops.combine import Divide, Einsum, Maximum, Minimum, Multiply
from snnc.ops.conv_transpose import ConvTranspose
from snnc.ops.each_slice import EachSlice
from snnc.ops.functions import (
    FUNCTIONS,
    PAIRS,
    Clip,
    Function,
    Mish,
    NotEqual,
    Pairwise,
    Power,
    Shrink,
    Threshold,
    Where,
)
from snnc.ops.reduce import MaskedMean, Max, Mean, Min, Standardize, Sum, UnitNorm
from snnc.ops.resample import Embedding, Repeat, Resize, Slice, crop, interpolation_matrix, reverse


def array(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("op", "function"), [(Multiply, np.multiply), (Maximum, np.maximum), (Minimum, np.minimum), (Divide, np.divide)]
)
def test_elementwise_ops_broadcast_as_keras_does(rng, op, function):
    a, b = array(rng, 2, 3, 4), array(rng, 2, 4)
    np.testing.assert_array_equal(op().evaluate(a, b), function(a, b[:, None]))
    assert op().infer(TensorType((3, 4)), TensorType((4,))).shape == (3, 4)
    with pytest.raises(ShapeError, match="do not broadcast"):
        op().infer(TensorType((3, 4)), TensorType((3,)))


def test_einsum_leaves_the_batch_out(rng):
    a, b = array(rng, 5, 2, 3), array(rng, 5, 4, 3)
    np.testing.assert_allclose(Einsum(equation="ij,kj->ki").evaluate(a, b), np.einsum("zij,zkj->zki", a, b), rtol=1e-5)
    assert Einsum(equation="ij,kj->ki").infer(TensorType((2, 3)), TensorType((4, 3))).shape == (4, 2)
    for equation in ("ij,kj->kl", "ij->i", "i,j->ij"):
        with pytest.raises(ShapeError):
            Einsum(equation=equation).infer(TensorType((2, 3)), TensorType((4, 3)))


OF_NUMPY = {
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("cos", "sin", "tan", "cosh", "sinh", "tanh")},
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "is_finite": np.isfinite,
    "is_inf": np.isinf,
    "is_nan": np.isnan,
    "is_negative": np.signbit,
    "log_sigmoid": special.log_expit,
    "reciprocal_no_nan": lambda x: np.where(x == 0, 0, 1 / x),
    "rsqrt": lambda x: x**-0.5,
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "tanh_shrink": lambda x: x - np.tanh(x),
}
"""What functions are called in numpy or scipy, where not by their own name."""


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_by_name(name):
    x = np.array([[0.25, 1.5, -2.5, 0.0, 1.0, -0.75, 3.0, -7.25]], dtype=np.float32)
    if name.startswith("is_") or name == "nan_to_num":
        x[0, :2] = np.nan, -np.inf
    with np.errstate(all="ignore"):
        got, want = Function(name=name).evaluate(x), OF_NUMPY.get(name, getattr(np, name, None))(x.astype(np.float64))
    if name == "nan_to_num":
        want = np.nan_to_num(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_functions_of_two_by_name(name):
    a = np.array([[0.25, 1.5, -2.5, 0.0, 0.0, -0.75, 3.0, -7.25]], dtype=np.float32)
    b = np.array([[0.25, 2.0, 1.5, 0.0, 2.0, -2.0, 0.0, -3.0]], dtype=np.float32)
    own = {
        "atan2": np.arctan2,
        "divide_no_nan": lambda a, b: np.where(b == 0, 0, a / b),
        "is_close": np.isclose,
        "pow": np.power,
        "xlogy": special.xlogy,
    }
    with np.errstate(all="ignore"):
        got = Pairwise(name=name).evaluate(a, b)
        want = own.get(name, getattr(np, name, None))(a.astype(np.float64), b)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


def test_other_elementwise_functions():
    x = np.array([[-1.0, 0.0, 2.0]], dtype=np.float32)
    np.testing.assert_allclose(Power(exponent=2.0).evaluate(x), [[1, 0, 4]])
    np.testing.assert_allclose(Clip(low=-0.5, high=1.0).evaluate(x), [[-0.5, 0, 1]])
    np.testing.assert_allclose(Mish().evaluate(x), x * np.tanh(np.log1p(np.exp(x))), rtol=1e-6)
    np.testing.assert_allclose(ops.Squareplus(b=3.0).evaluate(x), [[0.5, 0.75**0.5, 1 + 1.75**0.5]], rtol=1e-6)
    np.testing.assert_array_equal(Threshold(threshold=0.0, value=5.0).evaluate(x), [[5, 5, 2]])
    np.testing.assert_array_equal(Shrink(threshold=1.0).evaluate(x), [[0, 0, 2]])
    np.testing.assert_array_equal(Shrink(threshold=0.25, soft=True).evaluate(x), [[-0.75, 0, 1.75]])
    np.testing.assert_allclose(ops.Celu(alpha=2.0).evaluate(x), [[2 * np.expm1(-0.5), 0, 2]], rtol=1e-6)
    np.testing.assert_array_equal(NotEqual(value=2.0).evaluate(x), [[1, 1, 0]])
    with pytest.raises(ShapeError, match="unknown function 'sqr'"):
        Function(name="sqr").infer(TensorType((1,)))


@pytest.mark.parametrize(("op", "function"), [(Sum, np.sum), (Mean, np.mean), (Max, np.max), (Min, np.min)])
def test_reductions(rng, op, function):
    x = array(rng, 2, 3, 4, 5)
    np.testing.assert_allclose(op(axes=(0, 2)).evaluate(x), function(x, axis=(1, 3)), rtol=1e-5)
    assert op(axes=(0, 2)).infer(TensorType((3, 4, 5))).shape == (4,)
    assert op(axes=(1,), keepdims=True).infer(TensorType((3, 4, 5))).shape == (3, 1, 5)
    for axes in ((), (3,), (0, 0), (-1,)):
        with pytest.raises(ShapeError):
            op(axes=axes).infer(TensorType((3, 4, 5)))


def test_reductions_of_computed_parts(rng):
    x = array(rng, 2, 3, 4)
    assert np.allclose(ops.Variance(axes=(0, 1)).evaluate(x), x.var(axis=(1, 2)), rtol=1e-5)
    assert np.allclose(ops.Prod(axes=(1,)).evaluate(x), x.prod(axis=2), rtol=1e-5)
    assert np.allclose(ops.LogSumExp(axes=(1,)).evaluate(100 * x), special.logsumexp(100 * x, axis=2), rtol=1e-5)
    for order in (1, 2, 3):
        want = np.linalg.norm(x, order, axis=2)
        assert np.allclose(ops.Norm(axes=(1,), order=float(order)).evaluate(x), want, rtol=1e-5)


def test_ops_that_put_in_order(rng):
    x = np.float32([[[3, 1], [2, 1], [3, 0]]])
    np.testing.assert_array_equal(ops.Sort(axis=0).evaluate(x), np.sort(x, axis=1))
    np.testing.assert_array_equal(ops.Sort(axis=0, descending=True).evaluate(x), -np.sort(-x, axis=1))
    np.testing.assert_array_equal(ops.ArgSort(axis=0, descending=True).evaluate(x)[0], [[0, 0], [2, 1], [1, 2]])
    np.testing.assert_array_equal(ops.CumulativeProduct(axis=0).evaluate(x)[0], [[3, 1], [6, 1], [18, 0]])
    index = np.float32([[[0, -1], [9, 1.5]]])
    np.testing.assert_array_equal(ops.TakeAlong(axis=0).evaluate(x, index)[0], [[3, 0], [3, 1]])
    with pytest.raises(ShapeError, match="do not fit"):
        ops.TakeAlong(axis=0).infer(TensorType((3, 2)), TensorType((3, 3)))


def test_take_repeats_and_counts_what_it_takes(rng):
    x, op = array(rng, 2, 4, 3), ops.Take(axis=0, indices=(3, 0, 3))
    np.testing.assert_array_equal(op.evaluate(x), x[:, [3, 0, 3]])
    behind = op.fan_out(np.ones((3, 3)), 0, TensorType((4, 3)))
    np.testing.assert_array_equal(behind, np.float64([1, 0, 0, 2])[:, None] * np.ones(3))
    for axis, indices in ((2, (0,)), (0, (4,)), (0, (-1,)), (0, ())):
        with pytest.raises(ShapeError):
            ops.Take(axis=axis, indices=indices).infer(TensorType((4, 3)))


def test_a_choice_broadcasts_and_keeps_what_is_not_chosen_out(rng):
    x = np.float32([[1, np.nan, 3]])
    chosen = Where().evaluate(np.float32([[1, 0, 1]]), x, np.float32([[7]]))
    np.testing.assert_array_equal(chosen, [[1, 7, 3]])
    a, b = array(rng, 2, 4, 3), array(rng, 2, 3)
    np.testing.assert_array_equal(Where().evaluate(a, a, b), np.where(a != 0, a, b[:, None]))
    assert Where().infer(TensorType((3,)), TensorType((4, 3)), TensorType((4, 1))).shape == (4, 3)


def test_masked_mean_counts_the_kept_steps(rng):
    x, mask = array(rng, 2, 4, 3), np.array([[1, 0, 1, 0], [1, 1, 1, 1]], dtype=np.float32)
    got = MaskedMean().evaluate(x, mask)
    np.testing.assert_allclose(got, [x[0, [0, 2]].mean(axis=0), x[1].mean(axis=0)], rtol=1e-5)


def test_standardize_and_unit_norm(rng):
    x = array(rng, 3, 4, 5) + 2
    y = Standardize(axes=(0, 1), epsilon=1e-6).evaluate(x)
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=(1, 2)), 1, rtol=1e-5)
    root = np.sqrt((x**2).mean(axis=2, keepdims=True))
    np.testing.assert_allclose(Standardize(axes=(1,), epsilon=0.0, center=False).evaluate(x), x / root, rtol=1e-5)
    np.testing.assert_allclose((UnitNorm(axes=(0,)).evaluate(x) ** 2).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "key", [np.s_[1:4, :], np.s_[::-1, 2:], np.s_[5:0:-2, ::3], np.s_[4::-2, 1:2], np.s_[:1, ::-1]]
)
def test_slices_are_those_of_numpy(rng, key):
    x = array(rng, 2, 6, 7)
    ranges = [range(*k.indices(n)) for k, n in zip(key, (6, 7), strict=True)]
    op = Slice(start=tuple(r.start for r in ranges), size=tuple(map(len, ranges)), step=tuple(r.step for r in ranges))
    assert op.infer(TensorType((6, 7))).shape == x[(slice(None), *key)].shape[1:]
    np.testing.assert_array_equal(op.evaluate(x), x[(slice(None), *key)])


def test_crop_reverse_and_repeat(rng):
    x = array(rng, 2, 4, 3)
    np.testing.assert_array_equal(crop((4, 3), ((1, 2), (0, 1))).evaluate(x), x[:, 1:2, :2])
    np.testing.assert_array_equal(reverse((4, 3), 1).evaluate(x), x[:, :, ::-1])
    np.testing.assert_array_equal(Repeat(times=(2, 1)).evaluate(x)[:, 5], x[:, 2])
    for op in (Slice(start=(0, 0), size=(5, 3), step=(1, 1)), crop((4, 3), ((2, 2), (0, 0))), Repeat(times=(1,))):
        with pytest.raises(ShapeError):
            op.infer(TensorType((4, 3)))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_resizing_keeps_constants_and_the_same_size(rng, interpolation):
    for old, new in itertools.product((1, 4, 7), (1, 3, 4, 9)):
        matrix = interpolation_matrix(old, new, interpolation)
        np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)
        if old == new:
            np.testing.assert_allclose(matrix, np.eye(old), atol=1e-6)
    x = array(rng, 2, 3, 4, 2)
    np.testing.assert_allclose(Resize(size=(3, 4), interpolation=interpolation).evaluate(x), x, rtol=1e-6)


def test_bilinear_resizing_by_two_by_hand():
    x = np.array([0.0, 4.0], dtype=np.float32).reshape(1, 2, 1)
    assert Resize(size=(4,)).evaluate(x).ravel().tolist() == [0, 1, 3, 4]
    assert Resize(size=(4,), interpolation="nearest").evaluate(x).ravel().tolist() == [0, 0, 4, 4]
    with pytest.raises(ShapeError, match="unknown interpolation 'cubic'"):
        Resize(size=(4,), interpolation="cubic").infer(TensorType((2, 1)))


def test_embedding_looks_rows_up(rng):
    table = array(rng, 5, 3)
    x = np.array([[0, 4], [2, 2]], dtype=np.float32)
    np.testing.assert_array_equal(Embedding(table=table).evaluate(x), table[x.astype(int)])


def test_transposed_convolution_by_its_definition(rng):
    kernel, bias, x = array(rng, 3, 2, 4, 2), array(rng, 4), array(rng, 2, 3, 4, 2)
    op = ConvTranspose(kernel=kernel, bias=bias, strides=(2, 1), dilation=(1, 2), crops=((1, 0), (0, -1)))
    full = np.zeros((2, 7, 6, 4), dtype=np.float32)
    for i, j, a, b in itertools.product(range(3), range(4), range(3), range(2)):
        full[:, 2 * i + a, j + 2 * b] += x[:, i, j] @ kernel[a, b].T
    wanted = np.pad(full[:, 1:], ((0, 0), (0, 0), (0, 1), (0, 0))) + bias
    assert op.infer(TensorType((3, 4, 2))).shape == wanted.shape[1:]
    np.testing.assert_allclose(op.evaluate(x), wanted, rtol=1e-4, atol=1e-5)
    assert op.multiply_adds(TensorType((3, 4, 2))) == 12 * kernel.size
    with pytest.raises(ShapeError, match="takes 2 spatial axes and 2 channels"):
        op.infer(TensorType((3, 4, 3)))


def test_each_slice_is_the_op_on_every_slice(rng):
    x = array(rng, 2, 5, 3, 4)
    op = EachSlice(op=ops.GlobalMaxPool())
    np.testing.assert_array_equal(op.evaluate(x), x.max(axis=2))
    assert op.infer(TensorType((5, 3, 4))).shape == (5, 4)
    assert not op.is_linear
    joined = EachSlice(op=ops.Add())
    np.testing.assert_array_equal(joined.evaluate(x, x), 2 * x)
    assert joined.is_linear
    with pytest.raises(ShapeError, match="first axis of the same size"):
        joined.infer(TensorType((5, 3)), TensorType((4, 3)))
