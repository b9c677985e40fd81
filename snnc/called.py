"""The arguments with which a model was compiled, as an artifact keeps them, and the command line that says them."""

from __future__ import annotations

import functools
import inspect
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np

from snnc.backend import Backend
from snnc.ir.op import Record
from snnc.passes.base import Pass
from snnc.text_form import write

P = ParamSpec("P")
T = TypeVar("T")
UNSAID = "<"
"""How what cannot be written begins: ``<array float32 (256, 28, 28, 1)>``."""
NOT_KEPT = ("progress", "registry", "build", "dump")
"""Arguments that change nothing of the result, or are no values."""
FLAGS = {"passes": "pass", "skip": "no-pass", "options": "pass", "read_out": "read-out"}
"""Options of the command line whose names are others than those of the arguments."""


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Let what a function returns have its arguments, as far as they were given, as ``call``."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        given = signature.bind(*args, **kwargs).arguments
        result: Any = function(*args, **kwargs)
        result.call = {
            name: said(value)
            for name, value in given.items()
            if name not in NOT_KEPT and not _is_default(value, signature.parameters[name].default)
        }
        return result

    return call


def _is_default(value: Any, default: Any) -> bool:
    """Return whether a value says no more than its default; an empty collection says nothing."""
    if isinstance(value, (str, bool, int, float)):
        return type(value) is type(default) and value == default
    return value is default or (isinstance(value, (tuple, list, Mapping)) and not value)


def said(value: Any) -> Any:
    """Return a value for JSON: text, numbers and paths as they are, passes and the like in their text form."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (Pass, Backend)):
        return write(value.name, value.options())
    if isinstance(value, Record):
        return write(getattr(value, "kind", type(value).__name__), value.attrs())
    if isinstance(value, Mapping):
        return {str(name): said(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)) and len(value) <= 64:
        return [said(item) for item in value]
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{UNSAID}array {value.dtype} {tuple(value.shape)}>"
    return f"{UNSAID}{type(value).__name__}>"


def command(call: Mapping[str, Any], output: str) -> str | None:
    """Return the command line of a call, or None where it was given what only a program can give, or nothing is known.

    Args:
        call: what ``remembered`` kept.
        output: the artifact to write.
    """
    if not call or UNSAID in str(call.values()):
        return None
    words = ["snnc", "compile", str(call["model"])]
    for name, value in call.items():
        if name != "model":
            words += _words(name, value)
    return shlex.join([*words, "-o", output])


def _words(name: str, value: Any) -> list[str]:
    flag = "--" + FLAGS.get(name, name.replace("_", "-"))
    if isinstance(value, bool):
        return [flag] if value else [flag.replace("--", "--no-", 1)]
    if name == "options":
        return [word for owner, options in value.items() for word in (flag, write(owner, options))]
    if name in ("passes", "skip"):
        return [word for item in _items(value) for word in (flag, item)]
    if isinstance(value, Mapping):
        pairs = ((key, _text(item)) for key, item in value.items())
        return [word for key, text in pairs for word in (flag, text if key == "*" else f"{key}={text}")]
    return [flag, _text(value)]


def _items(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
