"""Run passes over a copy of a graph: check after each, decide what changed, keep the journal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from snnc.analysis.errors import relative_error
from snnc.analysis.ideal_rates import with_ideal_rates
from snnc.engine.rate import evaluate
from snnc.errors import PassError, SnncError, StageError
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.passes.base import Context, Pass, Stage
from snnc.text_form import write


@dataclass(frozen=True)
class JournalEntry:
    """The result of one pass: whether it changed the graph, by how much, and whether it was kept."""

    name: str
    """The text form, with options."""
    stage: str
    provider: str
    changed: bool
    exact: bool
    seconds: float
    error: float | None = None
    """How much the rate-mode outputs moved on the sample inputs, relative to the largest; None if not measured."""
    kept: bool = True
    """False for a measured pass that was taken back."""
    loss: tuple[float | None, float | None] | None = None
    """For a measured pass: the spiking network's error on the samples held back, before and after it; of a network in
    which a layer is dead infinite, and None where it was read from a file."""


def run(
    graph: Graph,
    plan: Sequence[Pass],
    context: Context,
    *,
    kinds: Mapping[str, type[Op]] | None = None,
    providers: Mapping[str, str] | None = None,
    samples: Mapping[str, Array] | None = None,
    loss: Callable[[Graph, Graph], float] | None = None,
) -> tuple[Graph, tuple[JournalEntry, ...]]:
    """Return the rewritten graph and the journal; the given graph is not touched.

    Args:
        graph: the graph as imported.
        plan: the passes in their order; those of stage VERIFY are left to the caller.
        context: what the passes are told.
        kinds: the registered op classes, for the check that nothing else is in the graph.
        providers: who provides each pass, by name.
        samples: inputs on which the rate-mode outputs are compared before and after each pass.
        loss: the error of a spiking graph against the model that it stands for, infinite where a layer is dead; a
            measured pass that does not make it smaller is taken back, unless it was infinite: what a pass is worth
            shows in a network that works.

    Raises:
        PassError: a pass failed or left a broken graph; names it and those that ran before it.

    """
    graph = graph.copy()
    check(graph, kinds)
    journal: list[JournalEntry] = []
    finished: list[Pass] = []
    held: float | None = None
    reference = None if samples is None else evaluate(graph, samples)
    for i, step in enumerate(p for p in plan if p.stage < Stage.VERIFY):
        last = i + 1 == len(plan) or plan[i + 1].stage > step.stage
        before, start = graph.copy(), time.perf_counter()
        context.tell(step.name)
        context = replace(context, steps=context.choices.get("steps", context.steps))
        if step.stage > Stage.SPIKE and context.model is None:
            context = replace(context, model=with_ideal_rates(graph))
        try:
            with graph.authored_by(step.name):
                step.apply(graph, context)
            touched = graph.revision != before.revision
            if touched:
                check(graph, kinds)
            done = [p for p in plan if last and p.stage == step.stage]
            finished += done
            _hold(graph, finished if touched else done)
        except (Exception, SystemExit) as error:
            ran = ", ".join(entry.name for entry in journal) or "no other pass"
            reason = error if isinstance(error, SnncError) else f"{type(error).__name__}: {error}"
            raise PassError(f"pass {step.name!r} (after {ran}): {reason}") from error
        changed = touched and graph != before
        if changed and step.approximates and context.model is None:
            context = replace(context, model=with_ideal_rates(before))
        verdict = None
        if step.measured and changed and loss is not None:
            assert context.model is not None
            held = loss(before, context.model) if held is None else held
            verdict = (held, loss(graph, context.model))
            if verdict[1] < verdict[0] or math.isinf(held):
                held = verdict[1]
            else:
                graph = before
        elif changed:
            held = None
        kept = verdict is None or graph is not before
        moved = None
        if changed and kept and reference is not None and samples is not None:
            now = evaluate(graph, samples)
            moved, reference = relative_error(now, reference), now
        journal.append(
            JournalEntry(
                name=write(step.name, step.options()),
                stage=step.stage.name,
                provider=(providers or {}).get(step.name, ""),
                changed=changed,
                exact=step.exact,
                seconds=time.perf_counter() - start,
                error=moved,
                kept=kept,
                loss=verdict,
            )
        )
    return graph, tuple(journal)


def _hold(graph: Graph, finished: Sequence[Pass]) -> None:
    broken = [f"{p.name}: {problem}" for p in finished for problem in p.postcondition(graph)]
    if broken:
        raise StageError(f"the graph no longer keeps what an earlier pass left: {'; '.join(broken)}")
