import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

from snnc_nengo_dl.backend import NengoDlBackend

from snnc.testing import check_backend


def test_it_keeps_what_every_backend_promises():
    check_backend(NengoDlBackend())
