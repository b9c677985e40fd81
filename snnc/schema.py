"""Whether a value that was read has the type that a hint asks for: how stored graphs and manifests are checked."""

from __future__ import annotations

import math
import numbers
import reprlib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def hints_of(cls: type) -> Mapping[str, Any]:
    """Return the types of a class's fields by name; none where a hint names what only type checkers import."""
    found: Any = cls
    return _hints_of(found)


@cache
def _hints_of(cls: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(cls)
    except NameError:
        return {}


def misfits(value: Any, hint: Any, where: str, *, stored: bool = True) -> Iterator[str]:
    """Yield a line for each part of a value that has another type than it should.

    A list may stand for a tuple and a mapping for a dataclass, as in JSON, where fields may be left out; a whole number
    may stand for a float, but True for neither.

    Args:
        value: what was read.
        hint: the type: classes, dataclasses, unions, literals, tuples, sequences and mappings of such.
        where: what the lines call the value.
        stored: whether it comes from a file. Of what a caller gives, numbers may be numpy's and must be finite, and no
            mapping stands for a dataclass.

    """
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if all(any(misfits(value, choice, where, stored=stored)) for choice in inside):
            yield _line(value, hint, where)
    elif origin is Literal:
        if not any(type(value) is type(choice) and value == choice for choice in inside):
            yield _line(value, hint, where)
    elif origin is tuple and isinstance(value, (tuple, list)) and inside:
        each = inside[:1] * len(value) if inside[-1] is Ellipsis else inside
        if len(each) != len(value):
            yield _line(value, hint, where)
        for k, (part, kind) in enumerate(zip(value, each, strict=False)):
            yield from misfits(part, kind, f"{where}[{k}]", stored=stored)
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        for key, part in value.items():
            yield from misfits(key, inside[0], where, stored=stored)
            yield from misfits(part, inside[1], f"{where}[{shown(key)}]", stored=stored)
    elif isinstance(origin, type) and issubclass(origin, Sequence) and isinstance(value, (tuple, list)):
        for k, part in enumerate(value):
            yield from misfits(part, inside[0], f"{where}[{k}]", stored=stored)
    elif stored and isinstance(hint, type) and is_dataclass(hint) and isinstance(value, Mapping):
        for name, kind in hints_of(hint).items():
            if name in value:
                yield from misfits(value[name], kind, f"{where}.{name}")
    elif not (_is(value, origin or hint) if stored else _is_given(value, origin or hint)):
        yield _line(value, hint, where)


def _is(value: Any, cls: Any) -> bool:
    if isinstance(value, bool) or cls is bool:
        return isinstance(value, bool) and cls in (bool, object, Any)
    if cls is float:
        return isinstance(value, (int, float))
    return cls is Any or not isinstance(cls, type) or isinstance(value, cls)


def _is_given(value: Any, cls: Any) -> bool:
    if cls in (int, float):
        kind = numbers.Integral if cls is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool) and (cls is int or math.isfinite(value))
    return _is(bool(value) if cls is bool and type(value).__name__ in ("bool", "bool_") else value, cls)


def _line(value: Any, hint: Any, where: str) -> str:
    wanted = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")
    return f"{where} is {shown(value)}, not of type {wanted}"


def shown(value: Any) -> str:
    """Return any value in a few words and one line, whatever it answers when it is asked for them."""
    return " ".join(reprlib.repr(value).split())
