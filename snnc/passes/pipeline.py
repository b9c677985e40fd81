"""Run passes over a copy of a graph: check after each, decide what changed, keep the journal."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from snnc.analysis.errors import relative_error
from snnc.analysis.ideal_rates import with_ideal_rates
from snnc.engine.rate import evaluate
from snnc.errors import GraphError, PassError, SnncError, StageError
from snnc.ir.check import check
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.passes.base import Context, Pass, Stage
from snnc.text_form import write

_LOG = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Failure:
    """A pass that failed, and all that it was given."""

    step: Pass
    graph: Graph
    """As it was before the pass."""
    context: Context
    finished: tuple[Pass, ...]
    """The passes of finished stages, whose postconditions are held."""
    samples: Mapping[str, Array] | None
    """The inputs on which rate-mode outputs are compared."""
    error: BaseException
    """What it raised, or was raised about what it made."""


class Observer:
    """Is told what a run does; a subclass says what it does about it."""

    def begin(self, graph: Graph) -> None:
        """See the graph before all passes."""

    def ran(self, entry: JournalEntry, graph: Graph) -> None:
        """See what a pass made of the graph, even where it is taken back."""

    def end(self, graph: Graph) -> None:
        """See the graph behind all passes."""

    def failed(self, failure: Failure) -> str:
        """See a pass that failed; return what the error should say about it, or nothing."""
        return ""


def run(
    graph: Graph,
    plan: Sequence[Pass],
    context: Context,
    *,
    kinds: Mapping[str, type[Op]] | None = None,
    providers: Mapping[str, str] | None = None,
    samples: Mapping[str, Array] | None = None,
    loss: Callable[[Graph, Graph], float] | None = None,
    finished: Sequence[Pass] = (),
    observer: Observer | None = None,
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
        finished: passes that ran before, whose postconditions are held, too.
        observer: told what happens, pass by pass.

    Raises:
        PassError: a pass refused the graph, or failed or left a broken one; names it, then also what ran before.

    """
    graph, observer = graph.copy(), observer or Observer()
    check(graph, kinds)
    observer.begin(graph)
    journal: list[JournalEntry] = []
    held: float | None = None
    reference = None if samples is None else evaluate(graph, samples)
    for i, step in enumerate(p for p in plan if p.stage < Stage.VERIFY):
        last = i + 1 == len(plan) or plan[i + 1].stage > step.stage
        done = [p for p in plan if last and p.stage == step.stage]
        before, start = graph.copy(), time.perf_counter()
        context.tell(step.name)
        context = replace(context, steps=context.choices.get("steps", context.steps))
        if step.stage > Stage.SPIKE and context.model is None:
            context = replace(context, model=with_ideal_rates(graph))
        told = replace(context, choices=dict(context.choices))
        verdict = moved = None
        try:
            with graph.authored_by(step.name):
                step.apply(graph, context)
            touched = graph.revision != before.revision
            if touched:
                check(graph, kinds)
            _hold(graph, [*finished, *done] if touched else done)
            changed = touched and graph != before
            if changed and step.approximates and context.model is None:
                context = replace(context, model=with_ideal_rates(before))
            if step.measured and changed and loss is not None:
                assert context.model is not None
                held = loss(before, context.model) if held is None else held
                verdict = (held, loss(graph, context.model))
            kept = verdict is None or verdict[1] < verdict[0] or math.isinf(verdict[0])
            if changed and kept and reference is not None and samples is not None:
                now = evaluate(graph, samples)
                moved, reference = relative_error(now, reference), now
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            ran = ", ".join(entry.name for entry in journal) or "no other pass"
            # what a pass refuses is of the model; what it or another pass broke is of the passes
            refuses = isinstance(error, SnncError) and not isinstance(error, GraphError)
            where = f"pass {step.name!r}" if refuses else f"pass {step.name!r} (after {ran})"
            reason = error if isinstance(error, SnncError) else f"{type(error).__name__}: {error}"
            earlier = tuple(p for p in (*finished, *done) if p is not step)
            hint = observer.failed(Failure(step, before, told, earlier, samples, error))
            raise PassError(f"{where}: {reason}{hint and '; '}{hint}") from error
        finished = [*finished, *done]
        if changed:
            held = None if verdict is None else verdict[kept]
        entry = JournalEntry(
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
        journal.append(entry)
        how = "changed" if changed and kept else "taken back" if changed else "unchanged"
        _LOG.debug("%s: %s, %d -> %d nodes, %.0f ms", entry.name, how, len(before), len(graph), 1e3 * entry.seconds)
        observer.ran(entry, graph)
        if not kept:
            graph = before
    observer.end(graph)
    return graph, tuple(journal)


def _hold(graph: Graph, finished: Sequence[Pass]) -> None:
    broken = [f"{p.name}: {problem}" for p in finished for problem in p.postcondition(graph)]
    if broken:
        raise StageError(f"the graph no longer keeps what an earlier pass left: {'; '.join(broken)}")
