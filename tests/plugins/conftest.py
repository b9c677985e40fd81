import pytest


@pytest.fixture(scope="session", autouse=True)
def no_decoder_cache():
    """Keep Nengo's cache of decoders, of which nothing here has any, from locking out other processes of the tests."""
    nengo = pytest.importorskip("nengo")
    before = nengo.rc.get("decoder_cache", "enabled")
    nengo.rc.set("decoder_cache", "enabled", "False")
    yield
    nengo.rc.set("decoder_cache", "enabled", before)
