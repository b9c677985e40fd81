"""The text form ``name{key=value key.layer=value}`` of passes, neurons, synapses and read-outs, read and written."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from snnc.engine.read_out import READ_OUTS, AnyReadOut, MeanReadOut, ReadOut
from snnc.errors import PassSpecError, unknown
from snnc.ir.op import Record

T = TypeVar("T")
_READ_OUTS = {cls.kind: cls for cls in READ_OUTS}
_BARE = re.compile(r'[^\s,={}"]+')


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Return the name and the options, as text, of ``name{key=value}``; raise PassSpecError otherwise."""
    head, brace, rest = text.strip().partition("{")
    if not _BARE.fullmatch(head.strip()) or (brace and not rest.endswith("}")):
        raise PassSpecError(f"cannot read {text!r}; write name or name{{key=value key=value}}")
    options: dict[str, str] = {}
    position, body = 0, rest[:-1]
    while position < len(body):
        if body[position] in " ,\t":
            position += 1
            continue
        key, position = _token(text, body, position)
        if position >= len(body) or body[position] != "=":
            raise PassSpecError(f"cannot read {text!r}: {key!r} has no value; write {key}=value")
        value, position = _token(text, body, position + 1)
        if key in options:
            raise PassSpecError(f"cannot read {text!r}: {key!r} is given twice")
        options[key] = value
    return head.strip(), options


def _token(text: str, body: str, start: int) -> tuple[str, int]:
    """Return a bare or quoted word, with the braces that may follow it, and where it ends."""
    if body[start : start + 1] == '"':
        try:
            word, end = json.JSONDecoder().raw_decode(body[start:])
        except json.JSONDecodeError:
            raise PassSpecError(f"cannot read {text!r}: a quoted word does not end") from None
        return str(word), start + end
    match = _BARE.match(body, start)
    if match is None:
        raise PassSpecError(f"cannot read {text!r}: expected a word at {body[start:]!r}")
    end = match.end()
    if body[end : end + 1] == "{":
        depth = 0
        while end < len(body):
            depth += {"{": 1, "}": -1}.get(body[end], 0)
            end += 1
            if not depth:
                break
        if depth:
            raise PassSpecError(f"cannot read {text!r}: a brace does not close")
    return body[start:end], end


def build(cls: type[T], what: str, options: Mapping[str, Any]) -> T:
    """Return ``cls(**options)``, with text read as the fields' types say; ``key.layer`` collects into a mapping."""
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its type variable says
    values: dict[str, Any] = {}
    for key, value in options.items():
        field, dot, layer = key.partition(".")
        if field not in known:
            raise PassSpecError(f"{what}: {unknown('option', field, known)}")
        read = _read(hints[field], value, f"{what}: option {field!r}")
        if dot or isinstance(values.get(field), dict):
            slot = values.setdefault(field, {})
            values[field] = {**(slot if isinstance(slot, dict) else {"*": slot}), layer or "*": read}
        else:
            values[field] = read
    try:
        return cls(**values)
    except TypeError as error:
        raise PassSpecError(f"{what}: {error}") from None


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the types of a class's fields; to find them out compiles their text, which takes milliseconds."""
    return typing.get_type_hints(cls)


def _read(hint: Any, value: Any, what: str) -> Any:
    """Return the value of text for a type: bool, int, float, str, a tuple of them, or None where allowed."""
    if not isinstance(value, str):
        return value
    choices = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if types.NoneType in choices and value.lower() in ("none", "null"):
        return None
    for choice in choices:
        origin = typing.get_origin(choice)
        if choice is bool and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if choice in (int, float):
            try:
                number = choice(value)
            except ValueError:
                continue
            if math.isfinite(number):
                return number
        if origin is tuple:
            return tuple(_read(typing.get_args(choice)[0], part, what) for part in value.split(":") if part)
        if origin is typing.Literal and value in typing.get_args(choice):
            return value
    if str in choices:
        return value
    raise PassSpecError(f"{what} cannot be {value!r}; it takes {_describe(choices)}")


def _describe(choices: tuple[Any, ...]) -> str:
    names = []
    for choice in choices:
        if typing.get_origin(choice) is typing.Literal:
            names += [str(v) for v in typing.get_args(choice)]
        elif choice in (bool, int, float, str):
            names.append({bool: "true or false", int: "a whole number", float: "a number", str: "text"}[choice])
    return " or ".join(names) or "another kind of value"


def write(name: str, options: Mapping[str, Any]) -> str:
    """Return the text form of a name and its options; ``parse`` reads it back."""
    parts = []
    for key, value in options.items():
        if value is None:
            continue
        for full, one in (
            ((f"{key}.{k}", v) for k, v in value.items()) if isinstance(value, Mapping) else ((key, value),)
        ):
            head, _, layer = full.partition(".")
            label = head if layer in ("", "*") else _quote(full)
            parts.append(f"{label}={_write_value(one)}")
    return f"{name}{{{' '.join(parts)}}}" if parts else name


def _write_value(value: Any) -> str:
    if isinstance(value, Record):
        return write(value.kind, value.attrs())
    if isinstance(value, (tuple, list)):
        return ":".join(_write_value(v) for v in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return _quote(str(value))


def _quote(word: str) -> str:
    return word if _BARE.fullmatch(word) or re.fullmatch(r"[\w.-]+\{[^\"]*\}", word) else json.dumps(word)


def build_record(kinds: Mapping[str, type[Any]], what: str, value: object) -> Any:
    """Return a neuron or synapse model from its text form, or unchanged if it is one already."""
    if isinstance(value, Record):
        return value
    name, options = parse(str(value))
    if name not in kinds:
        raise PassSpecError(unknown(what, name, kinds))
    return build(kinds[name], f"{what} {name!r}", options)


def read_out_of(value: AnyReadOut, kinds: Mapping[str, type[ReadOut]] = _READ_OUTS) -> ReadOut:
    """Return a read-out of these kinds from any of its forms; raise UsageError or PassSpecError for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            pass
    if isinstance(value, (str, Record)):
        found = build_record(kinds, "read-out", value)
        assert isinstance(found, ReadOut)
        return found
    return MeanReadOut(start=value)


__all__ = ["build", "build_record", "parse", "read_out_of", "write"]
