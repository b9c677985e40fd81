"""HDF5 files that may be hostile: nothing outside is followed, and sizes are checked before memory is taken."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnc.errors import FileError
from snnc.files import FREE, MAX_JSON, RATIO, reading
from snnc.ir.types import AnyArray

MAGIC = b"\x89HDF\r\n\x1a\n"


class SafeHdf5:
    """One HDF5 file, read only. Soft and external links and virtual and external datasets are refused."""

    def __init__(self, source: Path | bytes, path: Path) -> None:
        """Open a file, or the bytes of one; ``path`` is what errors name."""
        self.path = path
        self._size = len(source) if isinstance(source, bytes) else source.stat().st_size
        self._unpacked = 0
        self._groups: dict[str, h5py.Group] = {}
        with self._reading():
            self._file = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")

    def __enter__(self) -> SafeHdf5:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    def groups(self, path: str = "/") -> tuple[str, ...]:
        """Return the names inside a group, sorted; none if there is no such group."""
        found = self._find(path)
        with self._reading():
            return tuple(sorted(found)) if isinstance(found, h5py.Group) else ()

    def attr(self, path: str, name: str) -> Any:
        """Return an attribute, bytes decoded and arrays as lists; None if there is none."""
        found = self._find(path)
        with self._reading():
            if found is None or name not in found.attrs:
                return None
            size = h5py.h5a.get_info(found.id, name.encode()).data_size
            if size > MAX_JSON:
                raise FileError(f"{self.path}: the attribute {name!r} has {size} bytes, more than any model needs")
            return _decoded(found.attrs[name])

    def names(self, path: str, attribute: str) -> list[str] | None:
        """Return a list of names, joined again where Keras had to split it (``weight_names0``, ``weight_names1``)."""
        value = self.attr(path, attribute)
        if value is None:
            parts = (self.attr(path, f"{attribute}{k}") for k in itertools.count())
            return [name for part in itertools.takewhile(lambda part: part is not None, parts) for name in part] or None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise FileError(f"{self.path}: the attribute {attribute!r} of {path!r} is not a list of names")
        return value

    def array(self, path: str, dtype: str | None = None) -> AnyArray:
        """Return a dataset; ``dtype`` says what two raw bytes mean where the file does not (``"bfloat16"``)."""
        found = self._find(path)
        with self._reading():
            if not isinstance(found, h5py.Dataset):
                raise FileError(f"{self.path}: has no array {path!r}; is it a complete file?")
            self._guard(found, path)
            value = np.asarray(found[()])
            if value.dtype.kind == "V" and value.dtype.itemsize == 2:
                marked = found.attrs.get("dtype", dtype)
                if marked not in ("bfloat16", b"bfloat16"):
                    raise FileError(f"{self.path}: the array {path!r} has two-byte values of an unknown type")
                return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            return value

    def _guard(self, found: h5py.Dataset, path: str) -> None:
        if found.is_virtual or found.external:
            raise FileError(f"{self.path}: refused, its array {path!r} takes its values from another file")
        if found.dtype.kind not in "fiub" and found.dtype != np.dtype("V2"):
            raise FileError(f"{self.path}: the array {path!r} holds {found.dtype}, not numbers")
        self._unpacked += found.nbytes
        if self._unpacked > FREE and self._unpacked > RATIO * self._size:
            raise FileError(
                f"{self.path}: refused as a bomb, its arrays unpack to {self._unpacked} bytes or more from a file of "
                f"{self._size} (at {path!r})"
            )

    def _find(self, path: str) -> h5py.Group | h5py.Dataset | None:
        """Walk to a path link by link; only hard links stay inside the file for certain."""
        parent, _, name = path.strip("/").rpartition("/")
        if not name:
            return self._file
        group = self._groups.get(parent)
        if group is None:
            found = self._find(parent)
            if not isinstance(found, h5py.Group):
                return None
            group = self._groups[parent] = found
        with self._reading():
            link = name.encode()
            if not link or not group.id.links.exists(link):
                return None
            if group.id.links.get_info(link).type != h5py.h5l.TYPE_HARD:
                raise FileError(f"{self.path}: refused, {path!r} is a link that may leave the file")
            return group[name]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what h5py raises into a FileError; a damaged file may make it raise RuntimeError or TypeError too."""
        with reading(self.path, "HDF5 file"):
            try:
                yield
            except (RuntimeError, TypeError, AttributeError) as error:
                raise OSError(error) from error


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


def _decoded(value: Any) -> Any:
    """Return attributes of all ages alike: text as str, arrays as lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, np.ndarray):
        return [_decoded(v) for v in value.tolist()]
    return value.item() if isinstance(value, np.generic) else value
