"""Every function that rules may use means in TensorFlow what it means in numpy."""

import numpy as np
import pytest

from snnc.ir.namespace import FUNCTIONS, NUMPY
from tests.plugins.tensorflow.build import tf

from snnc_tensorflow.namespace import TENSORFLOW  # isort: skip

X = np.float32([[-2.5, -1, -0.5, 0, 0.25], [0.5, 1, 1.5, 2, 40]])
Y = np.float32([[0.5, 2, -1, 3, 0.25], [-0.5, 2, 0.75, -3, 7]])
ARGUMENTS = {
    **{name: (np.tanh(X) * np.float32(0.99),) for name in ("acos", "asin", "atanh", "erfinv")},
    **{name: (np.clip(X, -5, 5),) for name in ("cosh", "sinh", "tan")},
    "acosh": (np.abs(X) + 1,),
    "argsort": (np.abs(Y), 1),
    "atan2": (X, Y),
    "cumulative_prod": (X, 1),
    "cumulative_sum": (X, 1),
    "remainder": (X, Y),
    "take": (X, [1, 0, 1], 0),
    "take_along_axis": (X, np.int32([[1, 0, 4], [2, 2, 3]]), 1),
    "astype": (X > 0, np.float32),
    "clip": (X, -1.0, 1.0),
    "concat": ([X, X], 1),
    "log": (np.abs(X) + 1,),
    "log1p": (np.abs(X),),
    "matmul": (X, X.T),
    "maximum": (X, 0.25),
    "minimum": (X, 0.25),
    "pow": (np.abs(X), 1.5),
    "reshape": (X, (5, -1)),
    "rsqrt": (np.abs(X) + 1,),
    "sqrt": (np.abs(X),),
    "where": (X > 0, X, 2 * X),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_means_the_same(name):
    arguments = ARGUMENTS.get(name, (X,))
    with np.errstate(over="ignore"):
        want = getattr(NUMPY, name)(*arguments)
    got = getattr(TENSORFLOW, name)(*(tf.constant(a) if isinstance(a, np.ndarray) else a for a in arguments)).numpy()
    if name != "argsort":
        assert got.dtype == want.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-7)
    if name == "matmul":
        rows = tf.constant(np.stack([X, 2 * X]))
        np.testing.assert_allclose(TENSORFLOW.matmul(rows, tf.constant(X.T)), np.stack([want, 2 * want]), rtol=2e-6)
    if name in ("max", "mean", "min", "sum"):
        got = getattr(TENSORFLOW, name)(tf.constant(X), axis=1, keepdims=True).numpy()
        np.testing.assert_allclose(got, getattr(NUMPY, name)(X, axis=1, keepdims=True), rtol=1e-6)


def test_what_is_no_function_of_a_namespace_is_said():
    with pytest.raises(AttributeError, match="no function 'svd'; see"):
        TENSORFLOW.svd  # noqa: B018
