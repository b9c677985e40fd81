import numpy as np
import pytest

from snnc.ops.kernels.spread import spread


def test_sums_and_products_are_the_same(rng):
    x, values = rng.normal(size=(5, 3, 2, 4)), rng.normal(size=4)
    wide = spread(values, x)
    assert wide.shape == (3, 2, 4)
    np.testing.assert_array_equal(x * wide, x * values)


@pytest.mark.parametrize(
    ("values", "x"), [((), (5, 3, 4)), ((4,), (5, 4)), ((4,), (1, 3, 4)), ((1,), (5, 3, 4)), ((3, 1), (5, 3, 4))]
)
def test_anything_else_stays_as_it_is(values, x):
    array = np.ones(values)
    assert spread(array, np.ones(x)) is array
