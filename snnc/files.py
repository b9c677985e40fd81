"""Files that may be hostile, read; and arrays as the bytes of a file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from snnc import limits
from snnc.errors import FileError, SnncError

FREE = 64 << 20
"""Bytes that the entries of a zip, or the datasets of an HDF5 file, may unpack to without a question, all together."""
RATIO = 50
"""Beyond that, how many times their packed size they may have: weights pack 1 to 4 times, bombs 1000 times."""


def require_file(path: Path) -> Path:
    """Return the path of a regular, non-empty file; raise FileError otherwise."""
    if not path.exists():
        raise FileError(f"{path}: no such file or folder")
    if not path.is_file():
        raise FileError(f"{path}: not a file")
    if path.stat().st_size == 0:
        raise FileError(f"{path}: the file is empty")
    return path


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into one FileError."""
    try:
        yield
    except SnncError:
        raise
    except (MemoryError, RecursionError, OverflowError) as error:
        raise FileError(f"{path}: this {what} is nested or sized beyond reason") from error
    except Exception as error:  # there is no end to what readers raise for bytes that are not what they should be
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{path}: not a readable {what} (truncated or damaged?): {reason[:200]}") from error


class SafeZip:
    """A zip whose entries are checked for path traversal and for bombs before a byte of them is unpacked."""

    def __init__(self, path: Path) -> None:
        """Open and check every entry; nothing is ever unpacked to disk."""
        self.path = path
        with reading(path, "zip archive"):
            self._zip = zipfile.ZipFile(path)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        unpacked = packed = 0
        for info in self._zip.infolist():
            parts = PurePosixPath(info.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in info.filename[:3]:
                raise FileError(f"{self.path}: refused, its entry {info.filename!r} points outside the archive")
            unpacked, packed = unpacked + info.file_size, packed + max(info.compress_size, 1)
            self._entries[info.filename] = info
        if unpacked > FREE and unpacked > RATIO * packed:
            raise FileError(
                f"{self.path}: refused as a zip bomb, it unpacks from {packed:,} to {unpacked:,} bytes; store it "
                "uncompressed if it is genuine"
            )
        limits.require("bytes unpacked", unpacked, self.path)

    def __enter__(self) -> SafeZip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the entries."""
        return tuple(self._entries)

    def read(self, name: str) -> bytes:
        """Return an entry's bytes, never more than it declared."""
        if name not in self._entries:
            raise FileError(f"{self.path}: has no entry {name!r}; is it a complete file?")
        info = self._entries[name]
        with reading(self.path, "zip archive"), self._zip.open(info) as stream:
            data = stream.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise FileError(f"{self.path}: the entry {name!r} is not as long as it says (truncated or damaged?)")
        return data


def read_json(data: bytes, path: Path, what: str) -> Any:
    """Return the value of JSON bytes; raise FileError for anything else, BudgetError before it takes all memory."""
    limits.require("bytes of JSON", len(data), f"{path}: {what}")
    limits.require("values in JSON", sum(map(data.count, (b",", b"[", b"{"))), f"{path}: {what}")
    with reading(path, what):
        return json.loads(data)


def read_json_file(path: Path, what: str) -> Any:
    """Return the value of a JSON file; raise FileError for anything else, BudgetError before it takes all memory."""
    size = require_file(path).stat().st_size
    limits.require("bytes of JSON", size, f"{path}: {what}")
    with reading(path, what):
        data = path.read_bytes()
    return read_json(data, path, what)


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an ``.npz`` by name. Nothing is unpickled, and sizes are checked before memory is taken.

    Raises:
        FileError: it is missing, damaged or hostile.
        BudgetError: it unpacks to more than the budget.

    """
    with SafeZip(require_file(path)) as archive:
        return {_array_name(name, path): _read_npy(archive.read(name), name, path) for name in archive.names}


def npz_names(path: Path) -> tuple[str, ...]:
    """Return the names of the arrays in an ``.npz``, of which none is unpacked; raise FileError as ``read_npz``."""
    with SafeZip(require_file(path)) as archive:
        return tuple(_array_name(name, path) for name in archive.names)


def _array_name(entry: str, path: Path) -> str:
    if not entry.endswith(".npy"):
        raise FileError(f"{path}: the entry {entry!r} is not a numpy array")
    return entry[:-4]


def _read_npy(data: bytes, name: str, path: Path) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    with reading(path, "npz file"):
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise FileError(f"{path}: array {name!r} is of an unknown format version {version}")
        read_header: Any = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise FileError(f"{path}: array {name!r} holds pickled Python objects, which are never loaded")
        start = stream.tell()
        count = int(np.prod([int(n) for n in shape], dtype=object))
        if dtype.itemsize * count != len(data) - start:
            raise FileError(
                f"{path}: array {name!r} says {shape} of {dtype} but has {len(data) - start} bytes (truncated?)"
            )
        if not count:
            return np.empty(shape, dtype=dtype)
        array = np.frombuffer(data, dtype=dtype, offset=start)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def npz_bytes(arrays: Mapping[str, npt.NDArray[Any]], comment: bytes = b"") -> bytes:
    """Return an uncompressed ``.npz`` of the arrays, with a comment: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = comment
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()
