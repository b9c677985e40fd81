"""Arguments of public functions are checked in one place, by the type hints that document them."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from snnc.errors import FileError, UsageError
from snnc.schema import misfits

P = ParamSpec("P")
T = TypeVar("T")
DATA = ("x", "y", "calibration", "samples")
"""Arguments of many forms that ``snnc.samples`` checks, whose errors are DataErrors."""
OWN = (*DATA, "input_range")
"""Arguments whose own checks say more than that their type is wrong."""
PATHS = (*DATA, "model", "keras", "path", "config", "storage")
"""Arguments that are paths where they are text."""
COUNTS = ("jobs", "limit", "calibration_limit", "trials")
"""Arguments that count something, of which there is one at least."""


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function raise a UsageError that names the first argument that has no type of its hint.

    NaN and infinity are no numbers here, and True is none. Numbers of numpy become Python's, which alone can be kept
    in a manifest, and what may be any iterable becomes a tuple.
    """
    signature = inspect.signature(function)
    hints: dict[str, Any] = {}

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        if not hints:
            hints.update(_hints(function))
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if isinstance(value, os.PathLike) or (isinstance(value, str) and name in PATHS):
                _require_name(value)
            if name in hints:
                bound.arguments[name] = _checked(value, hints[name], f"{function.__name__}: {name}", name in COUNTS)
        return function(*bound.args, **bound.kwargs)

    return wrapped


def _require_name(path: str | os.PathLike[str]) -> None:
    """Raise FileError for what cannot be the name of a file, which functions of the system answer in many ways."""
    try:
        os.lstat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise FileError(f"{reprlib.repr(os.fspath(path))} cannot be the name of a file") from None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's arguments, without those that are checked elsewhere."""
    found = {}
    for name, hint in function.__annotations__.items():
        if name not in (*OWN, "return"):
            space = getattr(inspect.unwrap(function), "__globals__", {})
            found[name] = get_type_hints(SimpleNamespace(__annotations__={name: hint}), space)[name]
    return found


def _checked(value: Any, hint: Any, where: str, counts: bool) -> Any:
    if get_origin(hint) is Iterable:
        hint = tuple[get_args(hint)[0], ...]  # type: ignore[misc]
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
            value = tuple(value)
    problem = next(misfits(value, hint, where, stored=False), None)
    if problem is None and counts and value is not None and value < 1:
        problem = f"{where} is {value}, and must be at least 1"
    if problem is not None:
        raise UsageError(problem)
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
