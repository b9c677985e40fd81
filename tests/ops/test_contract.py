"""Einstein sums by matrix products are those of numpy."""

import numpy as np
import pytest

from snnc.ops.kernels.contract import contract

SIZES = {"z": 3, "a": 4, "b": 2, "c": 5, "d": 6, "e": 1}


@pytest.mark.parametrize(
    "equation",
    [
        "zabc,zdbc->zbda",  # scores of attention
        "zbda,zdbc->zabc",  # and what they weigh
        "zab,zab->zab",
        "zab,zab->z",
        "zab,zcd->zdbca",
        "zab,zb->za",
        "zabd,zbc->zac",  # an index that only one has is summed first
        "ab,cd->",
        "ze,ze->ze",
        "za,zb,zab->z",  # three, and one: numpy's own
        "zab->zba",
        "zaa,za->z",
    ],
)
def test_a_sum_of_products_is_that_of_numpy(rng, equation):
    terms = equation.partition("->")[0].split(",")
    inputs = [rng.normal(size=[SIZES[k] for k in term]).astype(np.float32) for term in terms]
    found = contract(equation, *inputs)
    np.testing.assert_allclose(found, np.einsum(equation, *inputs), rtol=1e-5, atol=1e-5)
    assert found.flags.c_contiguous
    assert found.dtype == np.float32
