"""Work shared among processes, which end with this one however that ends, and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import resource_tracker
from typing import Any

from snnc.errors import SnncError

WATCH = 0.5
"""Seconds between two looks of a worker at whether its parent lives."""
_pool = threading.Lock()
"""joblib keeps one pool for all threads, which waits for ever where one changes its size while another works."""


def in_processes(work: Iterable[Any], jobs: int) -> Iterator[Any]:
    """Yield the results of joblib's ``delayed`` calls, in order, computed by so many processes.

    Inside of a process that joblib started they are threads, as joblib has it.

    Raises:
        SnncError: a process ended by itself.
    """
    from joblib import Parallel
    from joblib.externals.loky.backend import resource_tracker as of_joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool
    from joblib.parallel import get_active_backend

    threads = getattr(get_active_backend()[0], "supports_sharedmem", False)
    turn: Any = nullcontext() if threads else _pool
    parallel = Parallel(n_jobs=jobs, return_as="generator", initializer=_follow, initargs=(os.getpid(),))
    results: Any = None
    with turn:
        try:
            with _uninterrupted():
                for tracker in (of_joblib, resource_tracker):
                    tracker.ensure_running()  # which lets Ctrl-C through again where it starts one
            with _uninterrupted():
                results = parallel(work)
            yield from results
        except BrokenProcessPool as error:
            raise SnncError(
                "a worker process was killed, most often for want of memory: take fewer (--jobs, --workers)"
            ) from error
        finally:
            if results is not None:
                results.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that Ctrl-C and its like do not reach; this thread is told of them after the block."""
    # those that are started inherit it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(parent: int) -> None:
    """End this worker with its parent; the system tells of that only where the parent's thread lives as long."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    if os.getpid() != parent:
        threading.Thread(target=watch, daemon=True).start()
