"""The invariants of a graph, one small function each, run after every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from snnc import limits
from snnc.errors import GraphError
from snnc.ir.graph import Graph
from snnc.ir.op import Op


def check(graph: Graph, kinds: Mapping[str, type[Op]] | None = None) -> None:
    """Raise GraphError with every broken invariant; ``kinds`` are the registered ops, where there is a registry.

    A graph larger than the budget is a BudgetError.
    """
    problems = [problem for invariant in INVARIANTS for problem in invariant(graph)]
    if kinds is not None:
        problems += [
            f"node {n.name!r}: the op kind {n.op.kind!r} is not registered; add it with snnc_register_ops"
            for n in graph
            if kinds.get(n.op.kind) is not type(n.op)
        ]
    if problems:
        raise GraphError("; ".join(problems))


def _acyclic(graph: Graph) -> Iterator[str]:
    cycle = graph.cycle()
    if cycle:
        raise GraphError(f"the graph must be feed-forward, but has the cycle {' -> '.join(cycle)}")
    yield from ()


def _budget(graph: Graph) -> Iterator[str]:
    limits.require("elements of all tensors", sum(node.type.size for node in graph), f"the graph {graph.name!r}")
    yield from ()


def _outputs(graph: Graph) -> Iterator[str]:
    if not graph.outputs:
        yield "the graph has no output"
    for output, node in graph.output_nodes.items():
        if node not in graph:
            yield f"output {output!r} names the node {node!r}, which does not exist"


def _slots(graph: Graph) -> Iterator[str]:
    for node in graph:
        slots = graph.slots(node.name)
        if slots != tuple(range(len(slots))):
            yield f"node {node.name!r}: its input slots are {slots}, not 0 to {len(slots) - 1} once each"


def _alive(graph: Graph) -> Iterator[str]:
    for node in graph:
        if not graph.readers(node.name) and not graph.is_output(node.name) and node.op.arity != 0:
            yield f"node {node.name!r} is read by nothing and is no output"


def _types(graph: Graph) -> Iterator[str]:
    for node in graph:
        inferred = graph.inferred(node.name)
        if inferred != node.type:
            yield f"node {node.name!r}: its type is {node.type}, its op infers {inferred}"


def _arrays(graph: Graph) -> Iterator[str]:
    for node in graph:
        for flaw in node.op.flaws:
            yield f"node {node.name!r} [{node.origin}]: {flaw}"


def _names(graph: Graph) -> Iterator[str]:
    for node in graph:
        if not node.name or not node.name.isprintable():
            yield f"the node name {node.name!r} is empty or has unprintable characters"


INVARIANTS: tuple[Callable[[Graph], Iterator[str]], ...] = (
    _acyclic,
    _budget,
    _outputs,
    _names,
    _slots,
    _alive,
    _types,
    _arrays,
)
