"""A compilation in which nothing is measured: what a backend refuses, it refuses before anything is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snnc.errors import GraphError, PassError, SnncError
from snnc.ir.graph import Graph
from snnc.lowered import Lowered
from snnc.manifest import Settings
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.pipeline import Failure, Observer
from snnc.program import Program
from snnc.registry import Registry
from snnc.rewriting import CHECKED, rewrite


def rehearse(
    source: Graph,
    planned: Sequence[Pass],
    context: Context,
    registry: Registry,
    settings: Settings,
    observer: Observer | None = None,
) -> Program | None:
    """Return the program of a graph as it would be if nothing were measured, or None if that cannot be said.

    Weights and rates are not those that will be measured, but layers and their connections are. Passes that measure are
    left out, but for those that write something as more ops (``Pass.approximates``): they see a few samples, which is
    enough to say what the backend cannot do at all, and where they wrote something then all, so that it is as large as
    it will be.

    Args:
        source: the graph as imported.
        planned: the passes of the compilation.
        context: what they are going to be told; it stays as it is.
        registry: what is known.
        settings: those of the compilation.
        observer: told of a pass that refuses the graph.

    Raises:
        SnncError: a pass or the backend refuses the graph; what any of them says itself.
    """
    steps = [p for p in planned if p.stage < Stage.VERIFY and (p.approximates or not p.needs_calibration)]
    for most in (CHECKED, None):
        samples = None if context.samples is None else {name: x[:most] for name, x in context.samples.items()}
        told = replace(context, samples=samples, held_back=None, notes=[], choices={})
        failures = _Failures(observer or Observer())
        try:
            graph, journal = rewrite(source, steps, told, registry, None, observer=failures)
        except PassError as error:
            reason = error.__cause__
            if not isinstance(reason, SnncError) or isinstance(reason, GraphError):
                return None  # for want of what was left out, or else it is going to fail again
            raise (error if failures.hint else reason) from None
        if not any(step.approximates and entry.changed for step, entry in zip(steps, journal, strict=True)):
            break
    return Lowered(graph, source, settings, registry).program


class _Failures(Observer):
    """Hands on what fails, and nothing else."""

    def __init__(self, observer: Observer) -> None:
        self._observer, self.hint = observer, ""

    def failed(self, failure: Failure) -> str:
        self.hint = self._observer.failed(failure)
        return self.hint
