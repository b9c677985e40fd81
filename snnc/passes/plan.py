"""Choose the passes of a compilation and give them their options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from snnc.errors import PassSpecError, UsageError, unknown
from snnc.passes.base import Pass
from snnc.passes.order import order
from snnc.text_form import build, parse


def plan(
    classes: Mapping[str, type[Pass]],
    chain: tuple[str, ...],
    level: int,
    *,
    needed: Iterable[str] = (),
    named: Iterable[str | Pass] = (),
    skip: Iterable[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Pass]:
    """Return the passes that run, in their order.

    Args:
        classes: the registered passes by name.
        chain: the backend and those that it extends.
        level: default passes of a higher level are left out.
        needed: passes that the backend declares, in text form; they run at every level.
        named: further passes, in text form or made already; naming a default one sets its options.
        skip: names of passes to leave out.
        options: options by pass name; they give way to those of a named pass.

    Raises:
        UsageError: an unknown pass or option, or options for a pass that does not run.

    """
    highest = max((cls.level for cls in classes.values()), default=0)
    if level not in range(highest + 1):
        raise UsageError(f"level {level} does not exist; choose one of {', '.join(map(str, range(highest + 1)))}")
    dropped = set(skip)
    for name in (*dropped, *(options or {})):
        if name not in classes:
            raise UsageError(unknown("pass", name, classes))
    given = {name: dict(values) for name, values in (options or {}).items()}
    made: dict[str, Pass] = {}
    declared = dict(parse(text) for text in needed)
    for name, text in declared.items():
        if name not in classes:
            raise PassSpecError(
                f"backend {chain[0]!r} needs a pass that is not there: {unknown('pass', name, classes)}"
            )
        given[name] = {**({} if name in dropped else text), **given.get(name, {})}
    for entry in named:
        if isinstance(entry, Pass):
            name = entry.name
            made[name] = entry
        else:
            name, text = parse(entry)
            if name not in classes:
                raise PassSpecError(unknown("pass", name, classes))
            given[name] = {**given.get(name, {}), **text}
            made[name] = build(classes[name], f"pass {name!r}", given[name])
        if name in dropped:
            raise UsageError(f"pass {name!r} is both asked for and left out")
    asked = set(made)
    for name, cls in classes.items():
        wanted = name in declared or (cls.default and cls.level <= level and _fits(cls, chain))
        if wanted and name not in made and name not in dropped:
            made[name] = build(cls, f"pass {name!r}", given.get(name, {}))
    for name in {replaced for step in made.values() for replaced in step.replaces}:
        if name in made and name not in asked:
            del made[name]
    for name, step in made.items():
        if not _fits(type(step), chain):
            raise UsageError(f"pass {name!r} is for {', '.join(step.targets)} only, not for {chain[0]}")
    idle = [name for name, values in given.items() if values and name not in made]
    if idle:
        raise UsageError(f"options are given for {', '.join(idle)}, which would not run; name it, or raise the level")
    return order(list(made.values()))


def _fits(cls: type[Pass], chain: tuple[str, ...]) -> bool:
    return not cls.targets or not set(cls.targets).isdisjoint(chain)
