import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.backend import LoihiBackend

from snnc.testing import check_backend


def test_it_keeps_what_every_backend_promises():
    check_backend(LoihiBackend(), dt=0.001, tolerance=0.2)
