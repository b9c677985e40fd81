"""Find plugins and what they provide, each by itself; the only module that talks to pluggy."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_origin, get_type_hints

import pluggy

from snnc import hooks
from snnc.backend import Backend
from snnc.engine.read_out import ReadOut
from snnc.errors import DuplicateNameError, PluginError
from snnc.export import Exporter
from snnc.frontend.base import Frontend, Importer
from snnc.ir.op import Op, Record
from snnc.lowering import Lowering
from snnc.neurons import NeuronModel, SynapseModel
from snnc.passes.base import Pass

GROUP = "snnc"
STRICT = "SNNC_STRICT"
"""Set this environment variable to let a plugin that is left out be an error."""
HOOKS: tuple[tuple[str, str, str, Any], ...] = (
    ("frontends", "frontend", "snnc_register_frontends", Frontend),
    ("importers", "importer", "snnc_register_importers", Importer),
    ("ops", "op", "snnc_register_ops", Op),
    ("neurons", "neuron", "snnc_register_neurons", NeuronModel),
    ("synapses", "synapse", "snnc_register_synapses", SynapseModel),
    ("read_outs", "read-out", "snnc_register_read_outs", ReadOut),
    ("passes", "pass", "snnc_register_passes", Pass),
    ("lowerings", "lowering", "snnc_register_lowerings", Lowering),
    ("backends", "backend", "snnc_register_backends", Backend),
    ("exporters", "exporter", "snnc_register_exporters", Exporter),
)
"""Table, word, hook and class of each kind of thing that plugins provide."""


@dataclass(frozen=True)
class Problem:
    """A plugin that is left out."""

    plugin: str
    provider: str
    error: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.provider} is left out: {self.error}"


@dataclass
class Found:
    """All that plugins provide."""

    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {table: {} for table, *_ in HOOKS})
    """Things by name, by table."""
    providers: dict[str, str] = field(default_factory=dict)
    """Who provides each: ``"pass:scale-rates"``."""
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    name: str
    provider: str
    load: Callable[[], Any]
    installed: bool = True


def find(plugins: Iterable[tuple[str, Any]], *, installed: bool) -> Found:
    """Return what the given (name, module or object) plugins provide, and the installed ones.

    Raises:
        PluginError: a given plugin misbehaves, or under SNNC_STRICT an installed one.
        DuplicateNameError: two plugins have the same name, or provide the same.

    """
    manager, found = pluggy.PluginManager(hooks.PROJECT), Found()
    manager.add_hookspecs(hooks)
    points = _installed(tuple(sys.path)) if installed else ()
    given = (_Candidate(name, "the caller", functools.partial(lambda p: p, plugin), False) for name, plugin in plugins)
    providers: dict[str, str] = {}
    for candidate in (*points, *given):
        name = candidate.name
        if name in providers:
            raise DuplicateNameError("plugin", name, [providers[name], candidate.provider])
        providers[name] = candidate.provider
        try:
            provided = _provided(manager, candidate)
        except (Exception, SystemExit) as error:  # whatever a stranger's code raises must not break the rest
            reason = " ".join(str(error).split()) or type(error).__name__
            if not isinstance(error, (PluginError, pluggy.PluginValidationError)):
                reason = f"{type(error).__name__}: {reason}"
            if os.environ.get(STRICT) or not candidate.installed:
                raise PluginError(f"plugin {name!r} of {candidate.provider}: {reason}; see docs/hooks.md") from error
            found.problems.append(Problem(name, candidate.provider, reason))
            continue
        _add(found, provided, f"{name} ({candidate.provider})")
    for problem in found.problems:
        _warn_of(problem)
    # tried in the order given, those of plugins first, since the last of ours takes any path
    frontends = dict(
        sorted(
            found.tables["frontends"].items(),
            key=lambda entry: found.providers[f"frontend:{entry[0]}"][:8] == "builtin ",
        )
    )
    found.tables = {table: dict(sorted(entries.items())) for table, entries in found.tables.items()}
    found.tables["frontends"] = frontends
    return found


def _provided(manager: pluggy.PluginManager, candidate: _Candidate) -> list[tuple[str, str, str, Any]]:
    """Return (table, word, name, thing) of all that one plugin provides; raise whatever is wrong with it."""
    plugin = candidate.load()
    try:
        manager.register(plugin, name=candidate.name)
        manager.check_pending()
        if not manager.get_hookcallers(plugin):
            raise PluginError("it provides nothing: none of its functions is a hook, marked with @snnc.api.hookimpl")
        provided = []
        for table, what, hook, kind in HOOKS:
            for implementation in getattr(manager.hook, hook).get_hookimpls():
                if implementation.plugin_name == candidate.name:
                    things = implementation.function()
                    if not isinstance(things, (list, tuple, set, frozenset, type(None))):
                        raise PluginError(f"{hook} returned {things!r}, not a list")
                    provided += [(table, what, _name(thing, kind, what), thing) for thing in things or ()]
        return provided
    finally:
        if manager.has_plugin(candidate.name):
            manager.unregister(name=candidate.name)


def _add(found: Found, provided: Iterable[tuple[str, str, str, Any]], owner: str) -> None:
    for table, what, name, thing in provided:
        if name in found.tables[table]:
            raise DuplicateNameError(what, name, [found.providers[f"{what}:{name}"], owner])
        found.tables[table][name] = thing
        found.providers[f"{what}:{name}"] = owner


def _name(thing: Any, kind: type, what: str) -> str:
    """Return the name of a thing; raise PluginError where it is none of its kind, or not a whole one."""
    instance = kind in (Importer, Lowering)
    fits = isinstance(thing, kind) if instance else isinstance(thing, type) and issubclass(thing, kind)
    name = getattr(thing, "kind" if issubclass(kind, Record) else "name", None) if fits else None
    if not isinstance(name, str):
        raise PluginError(f"it registered {thing!r} as a {what}, which it is not")
    if not instance:
        missing = [f"{attribute!r}" for attribute in _needed(kind) if not hasattr(thing, attribute)]
        missing += [f"{method}()" for method in sorted(getattr(thing, "__abstractmethods__", ()))]
        if missing:
            raise PluginError(f"its {what} {name!r} has no {', no '.join(missing)}")
    return name


@functools.cache
def _needed(kind: type) -> tuple[str, ...]:
    """Return the class variables of a base class that its subclasses have to give."""
    return tuple(name for name, hint in get_type_hints(kind).items() if get_origin(hint) is ClassVar)


@functools.cache  # once a process: a search compiles many times
def _warn_of(problem: Problem) -> None:
    logging.getLogger("snnc").warning("%s", problem)


@functools.cache
def _installed(path: tuple[str, ...]) -> tuple[_Candidate, ...]:
    """Return the entry points of a search path; to read all metadata takes tens of ms."""
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name))
    return tuple(
        _Candidate(p.name, f"{p.dist.name} {p.dist.version}" if p.dist else "an unknown distribution", p.load)
        for p in points
    )


__all__ = ["HOOKS", "Found", "Problem", "find"]
