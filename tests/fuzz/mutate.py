"""Seeded mutations that know the structure of what they damage."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

from snnc.files import npz_bytes

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 65536, 10**9, -(10**9), 2**31, 2**63, 10**30, 0.5, -0.5, 1e-30, 1e30),
    *(1e308, float("inf"), float("-inf"), float("nan"), "", "x", "relu", "same", "[/x]", "\x1b[31m", "a\nb", "é\ud800"),
    *(
        "9" * 5000,
        "x" * 1000,
        "../../etc/passwd",
        "channels_first",
        "causal",
        "float16",
        [],
        {},
        [[]],
        [None],
        [0],
        [-1],
    ),
    *([1, 1], [0, 0], [2, 2, 2], [10**9, 10**9], ["a"], {"a": 1}, {"class_name": "Dense"}, {"config": {}}),
    *({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}, {"class_name": "__numpy__"}),
)
"""Values that readers stumble over, of every type."""
DEEP = "lists in lists: "
"""Stands for so many lists in lists, which Python's own writer could not write."""


def document(rng: random.Random, value: Any) -> Any:
    """Return a JSON document with a few of its values changed, removed, moved or nested."""
    change = rng.choice((_change, _shift))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        places = list(_places(value))
        if not places:
            break
        holder, key = rng.choice(places)
        others = rng.choice(places)
        change(rng, holder, key, others[0][others[1]])
    return value


def _places(value: Any) -> Any:
    """Yield (container, key) of every value in a document."""
    stack = [value]
    while stack:
        holder = stack.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for key, part in items:
            yield holder, key
            if isinstance(part, (dict, list)):
                stack.append(part)


def _shift(rng: random.Random, holder: Any, key: Any, other: Any) -> None:
    """Give a value another one of its type, which a check of types lets pass."""
    old = holder[key]
    if isinstance(old, bool):
        holder[key] = not old
    elif isinstance(old, int):
        holder[key] = rng.choice((0, 1, 2, 3, -1, -2, old + 1, old - 1, -old, old * 2, 1000, 10**6, 10**12))
    elif isinstance(old, float):
        holder[key] = rng.choice((0.0, -1.0, 1e-9, 1e9, 1e300, old * 2, -old, float("nan"), float("inf")))
    elif isinstance(old, str) and isinstance(other, str):
        holder[key] = other
    elif isinstance(old, list):
        rng.shuffle(old)
        holder[key] = rng.choice((old[1:], old + old[:1], old[:1] * len(old), [], old))
    elif isinstance(old, dict) and isinstance(other, dict):
        holder[key] = json.loads(json.dumps(other))


def _change(rng: random.Random, holder: Any, key: Any, other: Any) -> None:
    old = holder[key]
    match rng.randrange(10):
        case 0:
            del holder[key]
        case 1:
            holder[key] = json.loads(json.dumps(other))
        case 2 if isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), json.loads(json.dumps(old)))
        case 3 if isinstance(holder, dict):
            holder[rng.choice(("name", "class_name", "layers", "units", "axis", "x", "attrs"))] = holder.pop(key)
        case 4 if isinstance(old, (int, float)) and not isinstance(old, bool):
            holder[key] = rng.choice((old + 1, old - 1, -old, old * 1000, old * 10**8, old / 3 if old == old else 0))
        case 5:
            holder[key] = rng.choice(([old], {"config": old}, str(old)[:50]))
        case 6:
            holder[key] = f"{DEEP}{rng.choice((3, 50, 900, 3000))}"
        case _:
            holder[key] = json.loads(json.dumps(rng.choice(NASTY)))


def text(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes of JSON after ``document``, or now and then with bytes damaged."""
    if rng.random() < 0.05:
        return raw(rng, data)
    whole = json.dumps(document(rng, json.loads(data)))
    whole = re.sub(f'"{DEEP}(\\d+)"', lambda found: "[" * int(found[1]) + "]" * int(found[1]), whole)
    return whole.encode("utf-8", "surrogatepass")


def raw(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with some flipped, cut, repeated or overwritten."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        if not damaged:
            break
        at = rng.randrange(len(damaged))
        match rng.randrange(7):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1 | 2:
                damaged[at] = rng.choice((0, 255, 127, 128, rng.randrange(256)))
            case 3:
                width = rng.choice((2, 4, 8))
                damaged[at : at + width] = rng.choice((b"\0", b"\xff"))[:1] * width
            case 4:
                length = rng.randrange(1, 64)
                to = rng.randrange(len(damaged))
                damaged[to : to + length] = damaged[at : at + length]
            case 5 if rng.random() < 0.2:
                del damaged[at:]
            case _:
                damaged[at] = rng.randrange(256)
    return bytes(damaged)


def archive(rng: random.Random, data: bytes, entries: dict[str, Callable[[random.Random, bytes], bytes]]) -> bytes:
    """Return a zip with one entry changed by its function, or with its structure damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    kind = rng.random()
    if kind < 0.1:
        return raw(rng, data)
    if kind < 0.15:
        del contents[rng.choice(sorted(contents))]
    elif kind < 0.2:
        contents[rng.choice(("../x", "/etc/x", "assets/x.txt", "config.json/", "a" * 300, "x.npy"))] = b"x"
    else:
        name = rng.choice([name for name in sorted(contents) if name in entries] or sorted(contents))
        contents[name] = entries.get(name, raw)(rng, contents[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return out.getvalue()


def hdf5(rng: random.Random, data: bytes) -> bytes:
    """Return an HDF5 file with its config, attributes, datasets or links changed, or with bytes damaged."""
    if rng.random() < 0.4:
        return raw(rng, data)
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        if "model_config" in file.attrs and rng.random() < 0.5:
            stored = file.attrs["model_config"]
            config = text(rng, stored if isinstance(stored, bytes) else stored.encode())
            del file.attrs["model_config"]
            file.attrs["model_config"] = config.decode(errors="replace").replace("\0", "")
            return _closed(file, stream)
        things: list[Any] = [file]
        file.visititems(lambda _, thing: things.append(thing))
        for thing in rng.sample(things, min(len(things), rng.choice((1, 1, 2, 3)))):
            with suppress(KeyError, OSError, ValueError):  # another change took it away
                if rng.random() < 0.4:
                    _attribute(rng, thing)
                elif isinstance(thing, h5py.Dataset):
                    _dataset(rng, thing)
                elif len(thing):
                    _link(rng, thing)
        return _closed(file, stream)


def nir(rng: random.Random, data: bytes) -> bytes:
    """Return a NIR file with a number, a text or an edge of its own changed, or damaged like any HDF5 file."""
    if rng.random() < 0.3:
        return hdf5(rng, data)
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        arrays: list[h5py.Dataset] = []
        file.visititems(lambda _, thing: arrays.append(thing) if isinstance(thing, h5py.Dataset) else None)
        for thing in rng.sample(arrays, rng.choice((1, 1, 2, 3))):
            parent, name = thing.parent, thing.name.rsplit("/", 1)[-1]
            kind = h5py.check_string_dtype(thing.dtype)
            value = thing[()]
            del parent[name]
            if name == "edges":
                rows = value.tolist()
                rows += [[rng.choice(rows)[0], rng.choice(rows)[1]]] if rng.random() < 0.7 else []
                parent.create_dataset(name, data=rows[rng.randrange(2) :], dtype=kind and h5py.string_dtype())
            elif kind is not None:
                said = rng.choice(TYPES) if name == "type" else _said(rng, value)
                parent.create_dataset(name, data=said.decode(errors="replace").replace("\0", ""))
            elif value.size < 5:
                parent.create_dataset(name, data=np.full(value.shape, rng.choice(NUMBERS)))
            else:
                value.flat[rng.randrange(value.size)] = rng.choice((np.nan, np.inf, 1e30, 0, -1))
                parent.create_dataset(name, data=value)
        return _closed(file, stream)


def _said(rng: random.Random, value: bytes) -> bytes:
    """Return a text of a NIR file, JSON or not, after a change."""
    return text(rng, value) if value.startswith((b"{", b"[")) else raw(rng, value)


TYPES = (b"IF", b"LIF", b"CubaLIF", b"LI", b"I", b"Affine", b"Conv1d", b"Conv2d", b"Flatten", b"Scale", b"Input",
         b"Output", b"NIRGraph", b"SumPool2d", b"snnc.sigma-delta", b"", b"x")  # fmt: skip
NUMBERS = (0, -1, 1, 2, 3, 0.5, 1e-30, 1e9, 2**31, 2**62, -(2**40), float("nan"), float("inf"))


def _closed(file: h5py.File, stream: io.BytesIO) -> bytes:
    file.close()
    return stream.getvalue()


def _attribute(rng: random.Random, thing: Any) -> None:
    names = sorted(thing.attrs) or ["weight_names", "name", "keras_version", "layer_names"]
    name = rng.choice(names)
    values = (
        *(h5py.Empty("f"), 5, 2.5, True, b"x", "text", b"\xff\xfe", "9" * 5000, np.nan, np.void(b"\x00\x01")),
        *(np.array([b"a", b"b"]), np.array([1, 2]), np.zeros((0,)), np.zeros((2, 2)), np.array([b"\xff"])),
        *(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]), np.array([b"a"] * 500)),
    )
    if rng.random() < 0.2:
        thing.attrs.pop(name, None)
    else:
        thing.attrs[name] = rng.choice(values)


def _dataset(rng: random.Random, thing: h5py.Dataset) -> None:
    parent, name = thing.parent, thing.name.rsplit("/", 1)[-1]
    shape = thing.shape or ()
    del parent[name]
    match rng.randrange(9):
        case 0:
            parent.create_dataset(name, data=h5py.Empty("f4"))
        case 1:
            huge = (10**5,) * max(len(shape), 2)
            parent.create_dataset(name, shape=huge, dtype="f4", chunks=(1024,) * len(huge))
        case 2:
            parent.create_dataset(name, data=np.array(["a", "b"], dtype=h5py.string_dtype()))
        case 3:
            parent.create_dataset(name, data=np.zeros(shape[::-1]))
        case 4:
            parent.create_dataset(
                name, data=np.zeros(shape, dtype=rng.choice(("i1", "u8", "f2", "f8", "c8", "?", "V2", ">f4")))
            )
        case 5:
            values = np.zeros(shape or (1,))
            values.flat[0] = rng.choice((np.nan, np.inf, 1e300))
            parent.create_dataset(name, data=values)
        case 6:
            parent.create_dataset(name, data=np.zeros((*shape, 1)))
        case 7:
            parent.create_group(name)
        case _:
            parent.create_dataset(name, data=np.zeros((0,) * len(shape)))


def _link(rng: random.Random, thing: Any) -> None:
    name = rng.choice(sorted(thing))
    match rng.randrange(5):
        case 0:
            del thing[name]
        case 1:
            del thing[name]
            thing[name] = h5py.SoftLink("/")
        case 2:
            del thing[name]
            thing[name] = h5py.ExternalLink("/etc/passwd", "/")
        case 3:
            del thing[name]
            thing[name] = thing
        case _:
            thing[f"{name}_1"] = thing[name]
            del thing[name]


def npz(rng: random.Random, data: bytes) -> bytes:
    """Return an ``.npz`` with arrays renamed, of other shapes and types, or with headers and structure damaged."""
    if rng.random() < 0.5:
        return archive(rng, data, {})
    with np.load(io.BytesIO(data)) as file:
        arrays = dict(file)
    name = rng.choice(sorted(arrays))
    array = arrays.pop(name)
    kinds = ("f8", "f2", "i1", "u8", "?", "c8", "U3", "S3", "M8[s]", "V4")
    match rng.randrange(7):
        case 0:
            arrays[rng.choice(("y", "x", "z", "", "y_a", "a/b", "[/x]", "\x1b"))] = array
        case 1:
            arrays[name] = array[rng.randrange(len(array) + 1) :] if array.ndim else array
        case 2:
            arrays[name] = array.reshape(-1)
        case 3:
            arrays[name] = np.zeros(array.shape, dtype=rng.choice(kinds))
        case 4:
            arrays[name] = array * rng.choice((np.nan, np.inf, 1e30, -1, 0.3))
        case 5:
            arrays[name] = np.zeros((len(array) if array.ndim else 1, 0))
        case _:
            arrays[name] = array[..., None]
    return npz_bytes(arrays)
