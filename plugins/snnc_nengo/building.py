"""Nengo builds in one thread at a time: its precision, and what warnings are shown, are settings of the process."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import nengo

_turn = threading.RLock()


@contextmanager
def building(bits: int | None = None) -> Iterator[None]:
    """Let this thread build, without warnings, and with numbers of so many bits, or of Nengo's usual 64."""
    with _turn:
        before = nengo.rc.get("precision", "bits")
        if bits is not None:
            nengo.rc.set("precision", "bits", str(bits))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about maximum rates, passthrough nodes, versions: nothing is lost
                yield
        finally:
            nengo.rc.set("precision", "bits", before)
