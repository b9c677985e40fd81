"""The arguments of ``compile`` as a plan of passes with their options, and as the settings of a compilation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from snnc.backend import Backend
from snnc.engine.presentation import presentation
from snnc.engine.read_out import AnyReadOut
from snnc.errors import UsageError, unknown
from snnc.ir.graph import Graph
from snnc.ir.made_for import MadeFor
from snnc.manifest import Settings
from snnc.neurons import SigmaDelta, SignedIf
from snnc.passes.base import Pass, Stage
from snnc.passes.plan import plan
from snnc.registry import Registry
from snnc.runnable import require_steps
from snnc.text_form import parse, write

DT = 0.001
"""Seconds a step, where neither the user nor the model says."""
CHOOSING = ("choose-levels", "choose-thresholds")
"""The passes that choose at level 2 what a network may lose and what it spares."""
CODES = {"graded": SigmaDelta.kind, "counted": SignedIf.kind}
"""The neurons of each code."""


def plan_of(
    registry: Registry,
    backend: Backend,
    level: int,
    passes: Iterable[str | Pass],
    skip: Iterable[str],
    options: Mapping[str, Mapping[str, Any]] | None,
    short: Mapping[str, Any],
    *,
    temporal: bool = False,
) -> list[Pass]:
    """Return the plan, with the short forms (neurons, scale, synapse) put into the options of their passes."""
    merged = {name: dict(values) for name, values in (options or {}).items()}
    defaults = backend.stream_defaults(level) if temporal else backend.defaults(level)
    passes, skip = tuple(passes), tuple(skip)
    needed = (*registry.passes_for(backend.name), *(text for text in defaults.passes if parse(text)[0] not in skip))
    asked = {text.name if isinstance(text, Pass) else parse(text)[0] for text in (*needed, *passes)}
    chain = registry.chain(backend.name)
    for name, cls in registry.passes.items():
        usual = (
            cls.default and cls.level <= level and name not in skip and (not cls.targets or {*cls.targets} & {*chain})
        )
        for key in cls.arguments if usual or name in asked else ():
            value = getattr(defaults, key) if short[key] is None else short[key]
            if value is not None:
                merged.setdefault(name, {})[key] = value
    return plan(
        registry.passes,
        chain,
        level,
        needed=needed,
        named=passes,
        skip=skip,
        options=merged,
    )


def settings_of(
    source: Graph,
    registry: Registry,
    backend: Backend,
    level: int,
    seed: int,
    dt: float | None,
    steps: int | None,
    read_out: AnyReadOut | None,
) -> Settings:
    """Return the settings of a compilation: what the user chose, then what the model says, then the defaults."""
    shown, made_for = presentation(source), kept(source, backend) or MadeFor()
    if shown.temporal and not backend.temporal:
        raise UsageError(f"the backend {backend.name!r} presents no sequences; compile temporal models for nengo")
    if read_out is None:
        defaults = backend.stream_defaults(level) if shown.temporal else backend.defaults(level)
        usual = "last" if shown.answers_at_the_end else defaults.read_out
        read_out = made_for.read_out or usual
    reading = registry.read_out(read_out)
    return Settings(
        backend=write(backend.name, backend.options()),
        level=level,
        seed=seed,
        dt=(backend.step or made_for.dt or shown.seconds or DT) if dt is None else dt,
        steps=None if shown.temporal else steps,
        read_out=write(reading.kind, reading.attrs()),
    )


def kept(source: Graph, backend: Backend) -> MadeFor | None:
    """Return what a network was made for that spikes already and keeps its neurons; None for any other."""
    return source.made_for if backend.keeps_neurons else None


def left_out(
    registry: Registry, backend: Backend, source: Graph, passes: Iterable[str | Pass], chosen: Mapping[str, Any]
) -> list[str]:
    """Return the passes that do not run for a network that spikes already: all that nobody names.

    Args:
        registry: the passes there are.
        backend: what it declares, runs.
        source: the network.
        passes: what the user names, runs.
        chosen: the arguments of compile that choose neurons, rates or filters, by name.

    Raises:
        UsageError: one of these is given.

    """
    given = [name for name, value in chosen.items() if value is not None]
    if given:
        raise UsageError(
            f"{given[0]}: the model {source.name!r} is a spiking network already, which is translated as it is; leave "
            "it out, or compile the model that it was made from"
        )
    named = {text.name if isinstance(text, Pass) else parse(text)[0] for text in passes}
    named.update(parse(text)[0] for text in registry.passes_for(backend.name))
    others = ((name, cls) for name, cls in registry.passes.items() if name not in named)
    return [name for name, cls in others if cls.default and cls.stage < Stage.VERIFY]


def neurons_of(code: str, neurons: Any) -> str:
    """Return the neurons of a code; raise UsageError for an unknown one, or where neurons were chosen, too."""
    if neurons is not None:
        raise UsageError("code chooses the neurons: give code or neurons, not both")
    if code not in CODES:
        raise UsageError(unknown("code", code, CODES))
    return CODES[code]


def require_numbers(seed: Any, dt: Any, steps: Any) -> None:
    """Raise UsageError for a seed, a dt or steps that there cannot be."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**31:
        raise UsageError(f"seed must be a whole number from 0 to {2**31 - 1}, not {seed!r}")
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt <= 1:
        raise UsageError(f"dt must be seconds between 0 and 1, not {dt!r}")
    if steps is not None:
        require_steps(steps)
