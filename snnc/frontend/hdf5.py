"""HDF5 files that may be hostile: libhdf5 reads them in a process of its own, with limits of time and memory."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from snnc import limits
from snnc.errors import FileError
from snnc.files import FREE, RATIO, require_file
from snnc.ir.types import AnyArray

CHILD = Path(__file__).with_name("hdf5_child.py")
MAGIC = b"\x89HDF\r\n\x1a\n"
SECONDS, BYTES_A_SECOND = 3, 10 << 20
"""Of processor time for a file, and how many of its bytes give it a second more; most machines read ten times that."""
PATIENCE = 3
"""How many times that a request may take by the clock, on a busy machine or a slow disk."""
START = 60
"""Seconds by the clock for the process to start."""
MEMORY, MEMORY_A_BYTE = 1 << 30, 4
"""Bytes that reading may take beside the libraries, and for each byte of the file."""


def start() -> subprocess.Popen[bytes]:
    """Start the process that reads a file; it ends when its input is closed, as it is where this process ends."""
    alone = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(CHILD), json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **alone, "HDF5_PLUGIN_PRELOAD": "::"},  # a file loads no filter from a library of its choice
    )


class SafeHdf5:
    """One HDF5 file, read only. Soft and external links and virtual and external datasets are refused."""

    def __init__(self, source: Path, path: Path, entry: str | None = None) -> None:
        """Open a file.

        Args:
            source: the file, or a zip that holds it.
            path: what errors name.
            entry: the zip's entry.

        """
        self.path = path
        size = require_file(source).stat().st_size
        self._seconds = SECONDS + size // BYTES_A_SECOND
        self._read = 0
        try:
            self._process = start()
        except OSError as error:
            raise FileError(f"{path}: the process that reads it cannot be started: {error}") from error
        try:
            self._answer(START)
            self._ask(
                "open",
                path=os.path.abspath(source),
                entry=entry,
                free=FREE,
                ratio=RATIO,
                largest=limits.limit("bytes of JSON"),
                seconds=self._seconds,
                memory=MEMORY + MEMORY_A_BYTE * size,
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> SafeHdf5:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and end the process."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what it was to read is not wanted any more
                    pass
        self._process.wait()

    def __contains__(self, path: str) -> bool:
        return self._ask("kind", path=path) is not None

    def groups(self, path: str = "/") -> tuple[str, ...]:
        """Return the names inside a group, sorted; none if there is no such group."""
        return tuple(self._ask("groups", path=path))

    def attr(self, path: str, name: str) -> Any:
        """Return an attribute, bytes decoded and arrays as lists; None if there is none."""
        return self._ask("attr", path=path, name=name)

    def names(self, path: str, attribute: str) -> list[str] | None:
        """Return a list of names, joined again where Keras had to split it (``weight_names0``, ``weight_names1``)."""
        value = self.attr(path, attribute)
        if value is None:
            parts = (self.attr(path, f"{attribute}{k}") for k in itertools.count())
            value = []
            for part in itertools.takewhile(lambda part: part is not None, parts):
                value += part if isinstance(part, list) else [part]
            if not value:
                return None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise FileError(f"{self.path}: the attribute {attribute!r} of {path!r} is not a list of names")
        return value

    def array(self, path: str, dtype: str | None = None) -> AnyArray:
        """Return a dataset; ``dtype`` says what two raw bytes mean where the file does not (``"bfloat16"``)."""
        kind, shape = self._ask("array", path=path, dtype=dtype)
        stored = np.dtype(kind)
        self._read += stored.itemsize * math.prod(shape)
        limits.require("bytes unpacked", self._read, self.path)
        array = np.empty(shape, stored)
        if array.size:
            self._fill(array.reshape(-1).view(np.uint8).data)
        return array

    def text(self, path: str) -> Any:
        """Return a dataset of text, a string or lists of strings in its shape; None where there is none."""
        return self._ask("text", path=path)

    def is_array(self, path: str) -> bool:
        """Return whether there is a dataset, of numbers or text, rather than a group or nothing."""
        return bool(self._ask("kind", path=path) == "array")

    def _ask(self, request: str, /, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([request, arguments]).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None
        return self._answer(PATIENCE * self._seconds)

    def _answer(self, seconds: float) -> Any:
        with _Alarm(self._process, seconds):
            line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise self._died()
        answer = json.loads(line)
        if "refused" in answer:
            raise FileError(f"{self.path}: {answer['refused']}")
        if "damaged" in answer:
            raise FileError(f"{self.path}: not a readable HDF5 file (truncated or damaged?): {answer['damaged']}")
        return answer["value"]

    def _fill(self, rest: memoryview) -> None:
        with _Alarm(self._process, PATIENCE * self._seconds):
            while len(rest):
                count = self._stdout.readinto(rest)  # type: ignore[attr-defined]
                if not count:
                    raise self._died()
                rest = rest[count:]

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _died(self) -> FileError:
        """Return the error for a process that has ended by itself, or by its limits."""
        self._process.kill()
        code = self._process.wait()
        long = code in (-getattr(signal, "SIGXCPU", 0), -getattr(signal, "SIGKILL", 0))
        what = "comes to no end" if long else f"crashes (exit code {code})"
        return FileError(
            f"{self.path}: not a readable HDF5 file, libhdf5 {what} over it (damaged?); save the model again"
        )


class _Alarm:
    """Ends a process that takes too long by the clock."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._timer = threading.Timer(seconds, process.kill)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


class Hdf5Shards:
    """Several HDF5 files that are read as one; a group may have its arrays in any of them."""

    def __init__(self, files: Sequence[SafeHdf5]) -> None:
        """Read from files that the caller closes."""
        self._files = files

    def __contains__(self, path: str) -> bool:
        return any(path in file for file in self._files)

    def groups(self, path: str = "/") -> tuple[str, ...]:
        """Return the names inside a group over all files, sorted."""
        return tuple(sorted({name for file in self._files for name in file.groups(path)}))

    def attr(self, path: str, name: str) -> Any:
        """Return an attribute from the first file that has it."""
        return next((v for file in self._files if (v := file.attr(path, name)) is not None), None)

    def array(self, path: str, dtype: str | None = None) -> AnyArray:
        """Return a dataset from the file that has it."""
        return next((file for file in self._files if path in file), self._files[0]).array(path, dtype)
