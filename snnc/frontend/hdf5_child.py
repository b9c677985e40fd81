"""What libhdf5 does, it does in a process of its own, which may hang or crash over damaged bytes: this script.

``snnc.frontend.hdf5`` starts it; it is never imported there, and needs nothing of snnc. Each request is a line of JSON
on standard input, each answer a line of JSON on standard output, behind which the bytes of an array follow. The process
has limits of time and memory, follows nothing out of its file, and ends with its parent.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import zipfile
from typing import Any, BinaryIO


class Refused(Exception):
    """What makes a file unfit; the text says it."""


class File:
    """One HDF5 file, read only. Soft and external links and virtual and external datasets are refused."""

    def __init__(self, path: str, entry: str | None, free: int, ratio: int, largest: int) -> None:
        """Open a file, or an entry of a zip.

        Args:
            path: of the file.
            entry: the zip's entry, or None.
            free: the bytes that its datasets may unpack to without a question.
            ratio: beyond that, how many times the bytes of the file they may have.
            largest: the most bytes of an attribute.

        """
        import h5py

        self._h5 = h5py
        source: str | io.BytesIO = path
        self._size = os.path.getsize(path)
        if entry is not None:
            with zipfile.ZipFile(path) as archive:
                data = archive.read(entry)
            source, self._size = io.BytesIO(data), len(data)
        self._free, self._ratio, self._largest = free, ratio, largest
        self._unpacked = 0
        self._groups: dict[str, Any] = {}
        self._file = h5py.File(source, "r")

    def kind(self, path: str) -> str | None:
        """Return ``group`` or ``array``, or None where there is nothing."""
        found = self._find(path)
        return None if found is None else "array" if isinstance(found, self._h5.Dataset) else "group"

    def groups(self, path: str) -> list[str]:
        """Return the names inside a group, sorted; none if there is no such group."""
        found = self._find(path)
        return sorted(found) if isinstance(found, self._h5.Group) else []

    def attr(self, path: str, name: str) -> Any:
        """Return an attribute, bytes decoded and arrays as lists; None if there is none."""
        found = self._find(path)
        if found is None or name not in found.attrs:
            return None
        size = self._h5.h5a.get_info(found.id, name.encode()).data_size
        if size > self._largest:
            raise Refused(f"the attribute {name!r} has {size} bytes, more than any model needs")
        return self._plain(found.attrs[name], name)

    def array(self, path: str, dtype: str | None = None) -> Any:
        """Return a dataset; ``dtype`` says what two raw bytes mean where the file does not (``"bfloat16"``)."""
        import numpy as np

        found = self._find(path)
        if not isinstance(found, self._h5.Dataset):
            raise Refused(f"has no array {path!r}; is it a complete file?")
        if found.is_virtual or found.external:
            raise Refused(f"refused, its array {path!r} takes its values from another file")
        if found.shape is None or (found.dtype.kind not in "fiub" and found.dtype != np.dtype("V2")):
            raise Refused(f"the array {path!r} holds {'nothing' if found.shape is None else found.dtype}, not numbers")
        self._unpacked += found.nbytes
        if self._unpacked > self._free and self._unpacked > self._ratio * self._size:
            raise Refused(
                f"refused as a bomb, its arrays unpack to {self._unpacked} bytes or more from a file of {self._size} "
                f"(at {path!r})"
            )
        value = np.asarray(found[()])
        if value.dtype.kind == "V":
            if found.attrs.get("dtype", dtype) not in ("bfloat16", b"bfloat16"):
                raise Refused(f"the array {path!r} has two-byte values of an unknown type")
            value = (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return np.ascontiguousarray(value.astype(value.dtype.newbyteorder("="), copy=False)).reshape(value.shape)

    def text(self, path: str) -> Any:
        """Return a dataset of text, a string or lists of strings in its shape; None for one of something else."""
        found = self._find(path)
        if not isinstance(found, self._h5.Dataset) or self._h5.check_string_dtype(found.dtype) is None:
            return None
        if found.is_virtual or found.external or found.shape is None:
            raise Refused(f"refused, its text {path!r} is not in it")
        if found.size > self._largest:
            raise Refused(f"{path!r} holds {found.size} strings, more than any model needs")
        return self._plain(found[()], path)

    def _find(self, path: str) -> Any:
        """Walk to a path link by link; only hard links stay inside the file for certain."""
        parent, _, name = path.strip("/").rpartition("/")
        if not name:
            return self._file
        group = self._groups.get(parent)
        if group is None:
            group = self._find(parent)
            if not isinstance(group, self._h5.Group):
                return None
            self._groups[parent] = group
        link = name.encode()
        if not link or not group.id.links.exists(link):
            return None
        if group.id.links.get_info(link).type != self._h5.h5l.TYPE_HARD:
            raise Refused(f"refused, {path!r} is a link that may leave the file")
        return group[name]

    def _plain(self, value: Any, name: str) -> Any:
        """Return attributes of all ages alike: text as str, arrays as lists."""
        if hasattr(value, "tolist"):  # of numpy
            value = value.tolist()
        if isinstance(value, list):
            return [self._plain(v, name) for v in value]
        if isinstance(value, bytes):
            return value.decode("utf-8")
        if value is None or isinstance(value, (str, int, float)):
            return value
        raise Refused(f"{name!r} holds {type(value).__name__}, no text and no numbers")


def restrict(seconds: int, memory: int) -> None:
    """Limit the processor time and the memory that this process may still take, where the system can."""
    try:
        import resource
    except ImportError:  # no Unix
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime) + 1 + seconds,
    }
    if os.path.exists("/proc/self/statm"):  # elsewhere nobody says what is taken, and such a limit is often refused
        with open("/proc/self/statm") as stream:
            taken = int(stream.read().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = taken + memory
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (wanted, hard))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    file: File | None = None
    for line in requests:
        name, arguments = json.loads(line)
        answer: Any = True
        payload: Any = b""
        try:
            if name == "open":
                restrict(arguments.pop("seconds"), arguments.pop("memory"))
                file = File(**arguments)
            else:
                answer = getattr(file, name)(**arguments)
            if name == "array":
                payload = memoryview(answer.reshape(-1)).cast("B") if answer.size else b""
                answer = [answer.dtype.str, answer.shape]
            text = json.dumps({"value": answer})
        except Refused as error:
            text, payload = json.dumps({"refused": str(error)}), b""
        except MemoryError:
            text, payload = json.dumps({"damaged": "it is sized beyond reason"}), b""
        except Exception as error:  # whatever damaged bytes make h5py raise
            reason = " ".join(str(error).split())[:200]
            text, payload = json.dumps({"damaged": reason or type(error).__name__}), b""
        answers.write(text.encode() + b"\n")
        answers.write(payload)
        answers.flush()


def main() -> None:
    """Serve over standard input and output, where nothing else may write."""
    sys.path[:] = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says what is interrupted, and closes our input
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        try:
            import h5py  # noqa: F401 - takes its time before that of the file counts
        except ImportError as error:
            hello: dict[str, Any] = {"refused": f"cannot be read without h5py: {error}"}
        else:
            hello = {"value": True}
        answers.write(json.dumps(hello).encode() + b"\n")
        answers.flush()
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
