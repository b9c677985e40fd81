"""Every function that rules may use means in TensorFlow what it means in numpy."""

import numpy as np
import pytest

from snnc.ir.namespace import FUNCTIONS, NUMPY
from tests.plugins.namespaces import ARGUMENTS, X
from tests.plugins.tensorflow.build import tf

from snnc_tensorflow.namespace import TENSORFLOW  # isort: skip


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
