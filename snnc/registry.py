"""Discovery of plugins, and a registry of all that they provide. The only module that talks to pluggy."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy

from snnc import hooks
from snnc import text_form as spec
from snnc.backend import Backend, Lowering, Lowerings
from snnc.engine.read_out import AnyReadOut, ReadOut
from snnc.errors import DuplicateNameError, PluginError, UsageError, unknown
from snnc.frontend.base import Frontend, Importer
from snnc.ir.op import Op
from snnc.ir.store import Kinds
from snnc.neurons import NeuronModel, SynapseModel
from snnc.passes.base import Pass

GROUP = "snnc"
STRICT = "SNNC_STRICT"
"""Set this environment variable to let a plugin that fails to load be an error."""


@dataclass(frozen=True)
class Problem:
    """A plugin that could not be loaded."""

    plugin: str
    provider: str
    error: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.provider} is left out: {self.error}"


@dataclass(frozen=True)
class Registry:
    """All that plugins provide, by name; ``providers`` says who provides each (``"pass:scale-rates"``)."""

    frontends: Mapping[str, type[Frontend]]
    importers: Mapping[str, Importer]
    ops: Mapping[str, type[Op]]
    neurons: Mapping[str, type[NeuronModel]]
    synapses: Mapping[str, type[SynapseModel]]
    read_outs: Mapping[str, type[ReadOut]]
    passes: Mapping[str, type[Pass]]
    lowerings: Mapping[str, Lowering]
    backends: Mapping[str, type[Backend]]
    providers: Mapping[str, str]
    problems: Sequence[Problem] = field(default_factory=tuple)

    @classmethod
    def discover(cls, plugins: Iterable[tuple[str, Any]] = (), *, installed: bool = True) -> Registry:
        """Load the plugins of the entry-point group ``snnc``, and the given (name, module or object) ones.

        One that fails to load is left out, and the logger ``snnc`` warns of it, which prints on stderr by default.

        Raises:
            PluginError: a misspelt hook, a wrong kind of thing, or, under SNNC_STRICT, one that failed to load.
            DuplicateNameError: two plugins provide the same name.

        """
        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        owners: dict[str, str] = {}
        problems: list[Problem] = []
        points = _installed(tuple(sys.path)) if installed else ()
        found = [(point.name, provider, point.load) for point, provider in points]
        for name, provider, load in [*found, *((name, "the caller", _given(plugin)) for name, plugin in plugins)]:
            if manager.has_plugin(name):
                raise DuplicateNameError("plugin", name, [owners[name], provider])
            try:
                manager.register(load(), name=name)
                owners[name] = provider
            except Exception as error:  # whatever a stranger's module raises must not break the rest
                if manager.has_plugin(name):
                    manager.unregister(name=name)
                if os.environ.get(STRICT):
                    raise PluginError(f"plugin {name!r} of {provider} failed to load: {error}") from error
                text = " ".join(str(error).split())
                problems.append(Problem(name, provider, f"{type(error).__name__}: {text}"))
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"plugin {manager.get_name(error.plugin)!r}: {error}; see docs/hooks.md") from None
        for problem in problems:
            _warn_of(problem)
        return _collect(manager, owners, problems)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: what installed plugins provide is found again, and what else there is goes along."""
        found = Registry.discover().providers
        tables: dict[str, dict[str, Any]] = {}
        for table, what, *_ in HOOKS:
            keys = {name: f"{what}:{name}" for name in getattr(self, table)}
            known = {name for name, key in keys.items() if key in found and found[key] == self.providers.get(key)}
            tables[table] = {name: None if name in known else thing for name, thing in getattr(self, table).items()}
        try:
            pickle.dumps(tables)
        except Exception as error:  # pickle raises what it likes
            reason = " ".join(str(error).split())
            raise UsageError(f"a plugin that is not installed cannot be pickled: {reason}") from error
        return _found_again, (tables, dict(self.providers), tuple(self.problems))

    def __deepcopy__(self, _: object) -> Registry:
        """Return itself: it never changes."""
        return self

    @property
    def kinds(self) -> Kinds:
        """Return the classes that a stored graph may name."""
        return Kinds(op=self.ops, neuron=self.neurons, synapse=self.synapses)

    def provided(self, prefix: str) -> dict[str, str]:
        """Return the provider of everything of one kind, by name."""
        return {k.partition(":")[2]: v for k, v in self.providers.items() if k.startswith(f"{prefix}:")}

    def backend(self, name: str) -> type[Backend]:
        """Return a backend; raise UsageError for an unknown one, with the plugin's failure where that is why."""
        if name not in self.backends:
            failed = [str(p) for p in self.problems if p.plugin == name]
            raise UsageError("; ".join([unknown("backend", name, self.backends), *failed]))
        return self.backends[name]

    def build_backend(self, text: str | Backend) -> Backend:
        """Return a backend with its options from ``name{option=value}``; raise UsageError for what it does not know."""
        if isinstance(text, Backend):
            return text
        name, options = spec.parse(text)
        return spec.build(self.backend(name), f"backend {name!r}", options)

    def read_out(self, value: AnyReadOut) -> ReadOut:
        """Return a read-out from any of its forms; raise UsageError or PassSpecError for anything else."""
        return spec.read_out_of(value, self.read_outs)

    def chain(self, name: str) -> tuple[str, ...]:
        """Return a backend and those that it extends, nearest first."""
        chain: list[str] = []
        current: str | None = name
        while current is not None and current not in chain:
            chain.append(current)
            current = self.backend(current).extends
        return tuple(chain)

    def passes_for(self, name: str) -> tuple[str, ...]:
        """Return the passes that a backend declares, and those that it extends, in text form."""
        return tuple(dict.fromkeys(text for backend in self.chain(name) for text in self.backend(backend).passes))

    def including(self, backend: Backend) -> Registry:
        """Return a registry that knows a backend, registered or not; raise DuplicateNameError for a taken name."""
        name, kind = backend.name, type(backend)
        if self.backends.get(name, kind) is not kind:
            raise DuplicateNameError("backend", name, [self.providers[f"backend:{name}"], "the caller"])
        return replace(self, backends={**self.backends, name: kind})

    def lowerings_for(self, name: str) -> Lowerings:
        """Return the lowerings of a backend, with those of the backends that it extends behind them."""
        table: dict[type[Op], Callable[..., Any]] = {}
        for backend in reversed(self.chain(name)):
            table.update({low.op: low.function for low in self.lowerings.values() if low.backend == backend})
        return Lowerings(name, table)


def _found_again(
    tables: Mapping[str, Mapping[str, Any]], providers: Mapping[str, str], problems: tuple[Problem, ...]
) -> Registry:
    """Return a registry that was pickled, without what is not installed here."""
    found, there = Registry.discover(), {}
    for table, things in tables.items():
        known = getattr(found, table)
        there[table] = {k: known[k] if v is None else v for k, v in things.items() if v is not None or k in known}
    return Registry(**there, providers=providers, problems=problems)


@functools.cache  # once a process: a search compiles many times
def _warn_of(problem: Problem) -> None:
    logging.getLogger("snnc").warning("%s", problem)


@functools.cache
def _installed(path: tuple[str, ...]) -> tuple[tuple[importlib.metadata.EntryPoint, str], ...]:
    """Return the entry points of a search path with who provides each; to read all metadata takes tens of ms."""
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name))
    return tuple(
        (point, f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution")
        for point in points
    )


def _given(plugin: Any) -> Callable[[], Any]:
    return lambda: plugin


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
)


def _collect(manager: pluggy.PluginManager, owners: Mapping[str, str], problems: Sequence[Problem]) -> Registry:
    tables: dict[str, dict[str, Any]] = {}
    providers: dict[str, str] = {}
    for table, what, hook, kind in HOOKS:
        tables[table] = {}
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            owner = f"{plugin} ({owners[plugin]})"
            for thing in implementation.function() or []:
                name = _name(thing, kind, what, owner)
                if name in tables[table]:
                    raise DuplicateNameError(what, name, [providers[f"{what}:{name}"], owner])
                tables[table][name] = thing
                providers[f"{what}:{name}"] = owner
    ordered = {table: dict(sorted(entries.items())) for table, entries in tables.items()}
    ordered["frontends"] = tables["frontends"]  # tried in the order given
    return Registry(**ordered, providers=providers, problems=tuple(problems))


def _name(thing: Any, kind: Any, what: str, owner: str) -> str:
    instance = kind in (Importer, Lowering)
    fits = isinstance(thing, kind) if instance else isinstance(thing, type) and issubclass(thing, kind)
    name = getattr(thing, "kind" if what in ("op", "neuron", "synapse", "read-out") else "name", None)
    if not fits or not isinstance(name, str):
        raise PluginError(f"{owner} registered {thing!r} as a {what}, which it is not; see docs/hooks.md")
    return name
