"""Every error snnc raises on purpose: one root, one line of text, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class SnncError(Exception):
    """The root of all deliberate errors. Its text is one line that says what is wrong and how to mend it."""

    def __str__(self) -> str:
        """Return the text in one line, whatever names of a file it tells."""
        return " ".join(super().__str__().split())


class UsageError(SnncError):
    """An option or argument that cannot be used as given."""


class FileError(SnncError):
    """A file that is missing, damaged, hostile, or cannot be written."""


class BudgetError(SnncError):
    """A model, an artifact, data or arguments that ask for more than the budget (``snnc.limits``)."""


class DataError(SnncError):
    """Sample inputs or labels that do not fit the model: shape, type, NaN, or none at all."""


class FrontendError(SnncError):
    """A model that cannot be read."""


class UnsupportedLayerError(FrontendError):
    """Layers that no importer can read, all of them at once."""

    def __init__(self, layers: Iterable[tuple[str, str, str]]) -> None:
        """Collect (layer name, layer class, reason and remedy) rows into one message."""
        self.layers = tuple(layers)
        rows = "; ".join(f"layer {name!r} ({cls}): {reason}" for name, cls, reason in self.layers)
        super().__init__(f"cannot import {len(self.layers)} layer(s): {rows}")


class GraphError(SnncError):
    """A graph that breaks one of its invariants."""


class ShapeError(GraphError):
    """An op that does not fit the shape of its inputs."""


class StageError(GraphError):
    """A graph that breaks a postcondition of a finished stage."""


class PassError(SnncError):
    """A pass that failed; names the pass and those that ran before it."""


class PassOrderError(PassError):
    """Passes that cannot be put into an order."""


class PassSpecError(PassError, UsageError):
    """The text form of a pass, such as ``scale-rates{target=200}``, that cannot be read."""


class LoweringError(SnncError):
    """A graph that a backend cannot build."""


class UnsupportedOpError(LoweringError):
    """Ops for which a backend has no lowering, all of them at once."""

    def __init__(self, backend: str, ops: Iterable[tuple[str, str, str]]) -> None:
        """Collect (node, op kind, remedy) rows into one message."""
        self.ops = tuple(ops)
        rows = "; ".join(f"node {node!r} ({kind}): {remedy}" for node, kind, remedy in self.ops)
        super().__init__(f"backend {backend!r} cannot build {len(self.ops)} op(s): {rows}")


class PluginError(SnncError):
    """A plugin that does not keep to the hooks."""


class DuplicateNameError(PluginError):
    """A name that two providers registered."""

    def __init__(self, what: str, name: str, owners: Sequence[str]) -> None:
        """Name both owners, so that the user knows which distribution to remove."""
        super().__init__(f"{what} {name!r} is registered twice: by {owners[0]} and by {owners[1]}; remove one of them")


class MissingExtraError(SnncError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, extra: str, cause: object) -> None:
        """Say which install command helps."""
        super().__init__(f"{cause}; install it with: pip install 'snnc[{extra}]'")


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Return the one-line message for a name that is not among the known ones."""
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {str(name)!r}{hint}; known: {', '.join(names) or 'none'}"
