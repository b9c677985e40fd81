"""Temporary names that outlive no process, and folders that take the place of others in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PART, OLD = ".snnc-part", ".snnc-old"
"""How temporary names end: of what is being written, and of what was there before."""
NAME = 150
"""Bytes of a name that are part of the temporary ones, which have 255 at most."""


def recover(path: Path) -> None:
    """Put back the folder that a process was killed in the middle of replacing, where that takes two steps."""
    with suppress(OSError):
        if not os.path.lexists(path):
            for old in _leftovers(path, OLD):
                os.rename(old, path)
                return


def as_one(folder: Path, look: Callable[[], T]) -> T:
    """Return what a look at the files of a folder gives; another look is taken where it was replaced meanwhile."""
    while True:
        before = _identity(folder)
        try:
            found = look()
        except Exception:
            if _identity(folder) == before:
                raise
        else:
            if _identity(folder) == before:
                return found


def _identity(folder: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(folder)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def open_new_folder(path: Path) -> int | None:
    """Make a folder and return its descriptor; None where it is gone again."""
    os.mkdir(path)
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # cleared by another process, which took it for that of a killed one
        return None


@contextmanager
def temporary(place: Path, create: Callable[[Path], int | None]) -> Iterator[tuple[Path, int]]:
    """Give a new temporary name beside a place, made by ``create`` and locked, and its descriptor.

    Others of that place that nobody holds are cleared, and so is this one in the end, whatever is there then.
    """
    recover(place)
    _clear(place)
    while True:
        part = _beside(place, PART)
        descriptor = create(part)
        if descriptor is None:
            continue
        try:
            # another process may clear it before it is locked
            if _lock(descriptor) is not False and _is_open(part, descriptor):
                yield part, descriptor
                return
        finally:
            os.close(descriptor)
            _remove(part)
            _clear(place)


def _clear(place: Path) -> None:
    """Remove what nobody holds of the temporary names of a place."""
    for leftover in _leftovers(place, PART):
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NONBLOCK)
            try:
                if _lock(descriptor):
                    _remove(leftover)
            finally:
                os.close(descriptor)
    for old in _leftovers(place, OLD):
        if place.exists():
            _remove(old)


def _is_open(path: Path, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False


def _lock(descriptor: int) -> bool | None:
    """Lock a file or folder until its descriptor is closed, or the process ends, however it does.

    Returns:
        Whether it is ours now; None where the disk knows no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


def _stem(place: Path) -> str:
    return "." + os.fsdecode(os.fsencode(place.name)[:NAME]) + "."


def _beside(place: Path, ending: str) -> Path:
    return place.with_name(_stem(place) + secrets.token_hex(4) + ending)


def _leftovers(place: Path, ending: str) -> list[Path]:
    """Return what has a temporary name of a place."""
    pattern = re.compile(re.escape(_stem(place)) + "[0-9a-f]{8}" + re.escape(ending))
    try:
        with os.scandir(place.parent) as entries:
            return [Path(entry.path) for entry in entries if pattern.fullmatch(entry.name)]
    except OSError:
        return []


def put(part: Path, place: Path, require: Callable[[], object]) -> None:
    """Let a folder take its place in one step; what was there is at the temporary name afterwards.

    ``require`` is called before anything is replaced, and raises an error where it must not be.
    """
    while True:
        try:
            os.rename(part, place)  # nothing is there, or an empty folder
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        with suppress(FileNotFoundError):  # another process is replacing it, too
            require()
            if _exchange(part, place):
                return
            _put_aside(place)


def _put_aside(place: Path) -> None:
    """Give a folder the name under which ``recover`` finds it, should we be killed before another takes its place."""
    os.rename(place, _beside(place, OLD))


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two names in one step; return False where the system or the disk cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(a), os.fsencode(b)
    if hasattr(library, "renameat2"):
        here, exchange = -100, 2
        failed = library.renameat2(here, names[0], here, names[1], exchange)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, 2)
    else:
        return False
    if failed and ctypes.get_errno() in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True
