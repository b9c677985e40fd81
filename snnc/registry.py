"""The registry of all that plugins provide."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from snnc import text_form as spec
from snnc.backend import Backend
from snnc.discovery import HOOKS, Problem, find
from snnc.engine.read_out import AnyReadOut, ReadOut
from snnc.errors import DuplicateNameError, UsageError, unknown
from snnc.export import Exporter
from snnc.frontend.base import Frontend, Importer
from snnc.ir.op import Op
from snnc.ir.store import Kinds
from snnc.lowering import Lowering, Lowerings
from snnc.neurons import NeuronModel, SynapseModel
from snnc.passes.base import Pass


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
    exporters: Mapping[str, type[Exporter]]
    providers: Mapping[str, str]
    problems: Sequence[Problem] = field(default_factory=tuple)

    @classmethod
    def discover(cls, plugins: Iterable[tuple[str, Any]] = (), *, installed: bool = True) -> Registry:
        """Load the plugins of the entry-point group ``snnc``, and the given (name, module or object) ones.

        An installed one that misbehaves is left out with all that it provides, and the logger ``snnc`` warns of it,
        which prints on stderr by default.

        Raises:
            PluginError: a given plugin misbehaves, or, under SNNC_STRICT, an installed one: it fails to load, a hook is
                misspelt or raises, or gives something that is not what it should be.
            DuplicateNameError: two plugins provide the same name.

        """
        found = find(plugins, installed=installed)
        return cls(**found.tables, providers=found.providers, problems=tuple(found.problems))

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

    def exporter(self, name: str) -> Exporter:
        """Return a format to export; raise UsageError for an unknown one."""
        if name not in self.exporters:
            raise UsageError(unknown("format", name, self.exporters))
        return self.exporters[name]()

    def exporter_of(self, path: Path) -> Exporter:
        """Return the format of a file; raise UsageError where it is of none that is known."""
        for cls in self.exporters.values():
            exporter = cls()
            if exporter.accepts(path):
                return exporter
        raise UsageError(f"{path}: is of no format that snnc exports and reads back: {', '.join(self.exporters)}")

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
