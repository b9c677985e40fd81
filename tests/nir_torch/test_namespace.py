import numpy as np
import pytest

from snnc.ir.namespace import FUNCTIONS, NUMPY
from tests.plugins.namespaces import ARGUMENTS, X

torch = pytest.importorskip("torch")

from snnc_nir.torch_namespace import TORCH  # noqa: E402


def tensors(arguments):
    return [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_means_the_same(name):
    arguments = ARGUMENTS.get(name, (X,))
    with np.errstate(over="ignore"):
        want = getattr(NUMPY, name)(*arguments)
    if name == "concat":
        arguments = (tensors(arguments[0]), 1)
    got = getattr(TORCH, name)(*tensors(arguments)).numpy()
    if name != "argsort":
        assert got.dtype == want.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-7)
    if name in ("max", "mean", "min", "prod", "sum"):
        got = getattr(TORCH, name)(torch.tensor(X), axis=(1,), keepdims=True).numpy()
        np.testing.assert_allclose(got, getattr(NUMPY, name)(X, axis=1, keepdims=True), rtol=1e-6)


def test_precisions_are_named_as_numpy_and_torch_name_them():
    x = torch.tensor([1.5])
    assert TORCH.astype(x, "float64").dtype == TORCH.astype(x, np.float64).dtype == torch.float64
    assert TORCH.astype(x > 1, x.dtype).tolist() == [1.0]


def test_powers_of_two_are_the_same_bits_in_both_precisions():
    x = np.float32([0, 1e-30, 0.74, 0.75, 0.76, 1.5, 3, 1e30])
    for precision in (np.float32, np.float64):
        want = NUMPY.power_near(x.astype(precision))
        np.testing.assert_array_equal(TORCH.power_near(torch.tensor(x.astype(precision))).numpy(), want)


def test_what_is_no_function_of_a_namespace_is_said():
    with pytest.raises(AttributeError, match="no function 'svd'; see"):
        TORCH.svd  # noqa: B018
