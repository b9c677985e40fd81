"""What a shell completes when Tab is pressed: fixed words, and names of what plugins provide."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

VARIABLE = "_SNNC_COMPLETE"
"""In the environment where a shell asks."""


def provided(kind: str) -> Callable[[str], list[str]]:
    """Return what completes names of one kind of thing, ``"backend"`` or ``"pass"``, of all plugins; never an error."""

    def complete(incomplete: str) -> list[str]:
        from snnc.registry import Registry

        before = logging.root.manager.disable
        logging.disable()  # a shell shows what is typed, and nothing may come in between
        try:
            return _beginning(Registry.discover().provided(kind), incomplete)
        except Exception:
            return []
        finally:
            logging.disable(before)

    return complete


def words(*known: str) -> Callable[[str], list[str]]:
    """Return what completes one of some words."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(known, incomplete)

    return complete


def tasks(incomplete: str) -> list[str]:
    """Return the kinds of tasks that begin so."""
    from snnc.analysis.task import KINDS

    return _beginning(KINDS, incomplete)


def _beginning(known: Iterable[str], incomplete: str) -> list[str]:
    return sorted(word for word in known if word.startswith(incomplete))
