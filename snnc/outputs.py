"""What snnc writes: all or nothing, whenever it is killed, and over nothing but results of its own.

A file is known as a result by a mark inside it, a folder by its manifest and by holding nothing else. New content is
written under a temporary name that is locked while its process lives, so that the next one clears what a killed one
left, and takes its place in one step.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError
from snnc.replacing import as_one, open_new_folder, put, temporary

MARK = b"written by snnc, which may replace it"
"""In the first or last bytes of every file that is a result."""
HEAD, TAIL = 4096, 512
MOST = 64 << 20
"""Bytes of a manifest."""


@dataclass(frozen=True)
class Kind:
    """How a kind of folder is known."""

    what: str
    """What to call it: ``"an snnc artifact"``."""
    manifest: str
    """The JSON file in it that says ``format``."""
    format: str
    names: Collection[str] = ()
    """All files that it may hold; where there are none here, the manifest names them as ``files``."""


def marked(name: str, data: bytes) -> bytes:
    """Return the content of a picture, JSON or text file with the mark, as its kind of file takes one."""
    kind = Path(name).suffix
    if kind == ".png":
        chunk = b"tEXtSoftware\0" + MARK
        length, check = (len(chunk) - 4).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big")
        return data[:33] + length + chunk + check + data[33:]  # behind the signature and the header
    if kind == ".svg":
        return data + b"<!-- " + MARK + b" -->\n"
    if kind == ".json":
        return json.dumps({"about": MARK.decode(), **json.loads(data)}, indent=1).encode() + b"\n"
    return data + b"\n" + MARK + b"\n" if kind == ".txt" else data


def require_file_place(path: Path, *, force: bool = False, reads: Iterable[Path] = ()) -> Path:
    """Return where a file will be written: behind links, and made sure that nothing gets lost.

    Args:
        path: the file, or a link, a pipe or a device to write through.
        force: replace a file that is no result of snnc.
        reads: files and folders that the command reads, and so never replaces.

    Raises:
        FileError: it is a folder, read-only, what is read, or no result and not to be replaced.

    """
    place = _place(path, reads)
    with _refusals(path):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            if not place.parent.is_dir():
                raise
            return place
        if stat.S_ISDIR(found.st_mode):
            raise FileError(f"{path}: is a folder; name a file")
        if stat.S_ISREG(found.st_mode) and not is_stdout(path):
            if not os.access(place, os.W_OK):
                raise FileError(f"{path}: is read-only, so it is not replaced; choose another name")
            if found.st_size and not force and not _is_result(place):
                raise FileError(
                    f"{path}: exists and is no result of snnc, so it is not replaced; choose another name, or say "
                    "--force where the command has it"
                )
    return place


def write_file(path: Path, data: bytes, *, force: bool = False, reads: Iterable[Path] = ()) -> None:
    """Write one file, all or nothing, or write into a pipe or a device; see ``require_file_place``."""
    place = require_file_place(path, force=force, reads=reads)
    with _refusals(path):
        if is_stdout(path):
            sys.stdout.flush()
            with os.fdopen(os.dup(1), "wb") as stream:
                stream.write(data)
        elif place.exists() and not place.is_file():
            with open(place, "wb", buffering=0) as special:
                rest = memoryview(data)
                while rest:
                    rest = rest[special.write(rest) :]
        else:
            with temporary(place, lambda part: os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)) as (part, fd):
                with os.fdopen(os.dup(fd), "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(fd)
                os.replace(part, place)


def write_files(folder: Path, files: Mapping[str, bytes], *, force: bool = False, reads: Iterable[Path] = ()) -> None:
    """Write files into a folder, beside what else is there, once all of them are sure to lose nothing."""
    reads = tuple(reads)
    for name in files:
        place = _place(folder / name, reads)
        if place.parent.is_dir():
            require_file_place(place, force=force, reads=reads)
    with _refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_file(folder / name, marked(name, data), force=force, reads=reads)


def is_stdout(path: Path) -> bool:
    """Return whether a path is where standard output goes, such as ``/dev/stdout``, so that nothing else may."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(1)) and not os.path.samefile(path, os.devnull)
    except OSError:
        return False


def require_folder_place(path: Path, kind: Kind, reads: Iterable[Path] = ()) -> Path:
    """Return where a folder will be written: behind links, and made sure that nothing gets lost.

    Raises:
        FileError: it is no folder of its kind, holds something else, is what is read, or the one that we are in.

    """
    place = _place(path, reads)
    with _refusals(path):
        if not place.exists():
            return place
        with suppress(OSError):
            here = Path(os.path.realpath(os.getcwd()))
            if place == here or place in here.parents:
                raise FileError(f"{path}: is the folder that you are in, so it is not replaced; choose another name")
        if not place.is_dir():
            raise FileError(f"{path}: exists and is not {kind.what}, so it is not replaced; choose another name")
        _require_ours(place, kind, path)
    return place


@contextmanager
def new_folder(path: Path, kind: Kind, reads: Iterable[Path] = ()) -> Iterator[Path]:
    """Give a temporary folder to write into, which takes its place when the block ends without an error.

    Args:
        path: the folder; one of its kind is replaced, and an empty one.
        kind: how it is known.
        reads: files and folders that are read, and so never replaced.

    Raises:
        FileError: see ``require_folder_place``; or the disk says no. Nothing is left behind.

    """
    place = require_folder_place(path, kind, reads)
    made: list[Path] = []
    with _refusals(path):
        try:
            for parent in reversed(place.parents):
                if not parent.exists():
                    parent.mkdir(exist_ok=True)
                    made.append(parent)
            with temporary(place, open_new_folder) as (part, _):
                yield part
                put(part, place, lambda: _require_ours(place, kind, path))
        except BaseException:
            for parent in reversed(made):
                with suppress(OSError):
                    parent.rmdir()
            raise


def write_folder(path: Path, files: Mapping[str, bytes], kind: Kind, reads: Iterable[Path] = ()) -> None:
    """Write a folder of files, whose names may have folders in them, all or nothing; see ``new_folder``."""
    with new_folder(path, kind, reads) as part:
        for name, data in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            with open(part / name, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())


def write_manifest(folder: Path, kind: Kind) -> None:
    """Write the manifest of a folder whose kind does not say what it holds: all that is there now."""
    files = sorted(_holds(folder))
    text = json.dumps({"format": kind.format, "files": [*files, kind.manifest]}, indent=1)
    (folder / kind.manifest).write_text(text + "\n")


def _place(path: Path, reads: Iterable[Path]) -> Path:
    with _refusals(path):
        special = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
        place = path if special else _real(path)
        for source in reads:
            real = _real(source)
            real = place if place.exists() and real.exists() and os.path.samefile(place, real) else real
            if real == place or real in place.parents or place in real.parents:
                how = "is what is read" if real == place else "lies in" if real in place.parents else "holds"
                raise FileError(
                    f"{path}: {how}{'' if real == place else f' {source}, which is read'}; choose another name"
                )
    return place


def _real(path: Path) -> Path:
    """Return what is behind all links."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a character that no name has
        raise FileError(f"{str(path)!r} cannot be the name of a file: {error}") from error


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader of a pipe has seen enough
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}; nothing was left behind") from error


def _is_result(path: Path) -> bool:
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
        stream.seek(-min(TAIL, os.fstat(stream.fileno()).st_size), os.SEEK_END)
        return MARK in head or MARK in stream.read(TAIL)


def _require_ours(folder: Path, kind: Kind, path: Path) -> None:
    """Raise FileError where a folder is neither empty nor of its kind and holds nothing else; names one such thing."""
    problem = as_one(folder, lambda: _problem(folder, kind))
    if problem:
        raise FileError(f"{path}: {problem}")


def _problem(folder: Path, kind: Kind) -> str:
    """Return why a folder is not replaced, or nothing."""
    found = next(_holds(folder), None)
    if found is None:
        return ""
    try:
        file = folder / kind.manifest
        ours = stat.S_ISREG(os.lstat(file).st_mode) and os.stat(file).st_size <= MOST
        manifest: Any = json.loads(file.read_bytes()) if ours else None
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != kind.format:
        return (
            f"exists and is not {kind.what}, so it is not replaced: no {kind.manifest} there says that snnc wrote "
            f"{found!r}; choose another name"
        )
    listed = manifest.get("files")
    names = set(kind.names or (map(str, listed) if isinstance(listed, list) else ()))
    for name in _holds(folder):
        if name not in names:
            return (
                f"holds {name!r}, which is no part of {kind.what}, so it is not replaced; move that away or choose "
                "another name"
            )
    return ""


def _holds(folder: Path) -> Iterator[str]:
    """Yield the names of all files in a folder and its folders; ``name/`` for an empty folder, ``name@`` for a link."""
    for root, folders, files in os.walk(folder, onerror=_raise):
        inside = Path(root).relative_to(folder)
        for name in [*files, *(f for f in folders if os.path.islink(os.path.join(root, f)))]:
            plain = stat.S_ISREG(os.lstat(os.path.join(root, name)).st_mode)
            yield (inside / name).as_posix() + ("" if plain else "@")
        if not folders and not files and root != str(folder):
            yield f"{inside.as_posix()}/"


def _raise(error: OSError) -> None:
    raise error
