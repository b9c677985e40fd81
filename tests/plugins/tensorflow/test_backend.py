from snnc_tensorflow.backend import TensorflowBackend

from snnc.testing import check_backend
from tests.plugins.tensorflow import build


def test_it_keeps_what_every_backend_promises():
    assert build.tf  # imported there, where its own warnings are ignored
    check_backend(TensorflowBackend())
