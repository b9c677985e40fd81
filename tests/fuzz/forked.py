"""The process that reads HDF5 as a fork of this one."""

from __future__ import annotations

import os
import signal
from typing import Any

from snnc.frontend import hdf5_child


class Forked:
    """What ``subprocess.Popen`` is to ``snnc.frontend.hdf5``."""

    def __init__(self, pid: int, stdin: Any, stdout: Any) -> None:
        """Take over a child and the ends of its pipes."""
        self.pid, self.stdin, self.stdout, self.returncode = pid, stdin, stdout, None

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def start() -> Forked:
    """Fork, and serve in the child as the script does."""
    requests, to_child = os.pipe()
    from_child, answers = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(to_child)
            os.close(from_child)
            with os.fdopen(requests, "rb") as asked, os.fdopen(answers, "wb") as told:
                told.write(b'{"value": true}\n')
                told.flush()
                hdf5_child.serve(asked, told)
        finally:
            os._exit(0)
    os.close(requests)
    os.close(answers)
    return Forked(pid, os.fdopen(to_child, "wb"), os.fdopen(from_child, "rb"))
