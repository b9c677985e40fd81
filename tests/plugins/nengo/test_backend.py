from snnc_nengo.backend import NengoBackend

from snnc.testing import check_backend


def test_it_keeps_what_every_backend_promises():
    check_backend(NengoBackend())
