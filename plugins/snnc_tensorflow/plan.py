"""The plan of a run: nodes computed once, in every step, and once at the end; and nodes that XLA joins to one loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from snnc.api import Graph, is_temporal, schedule
from snnc_tensorflow.site import Lowered, StatefulFunction


@dataclass(frozen=True)
class Group:
    """Nodes that run one behind the other, as one function."""

    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    """What they read from outside."""
    gives: tuple[str, ...]
    """What is read of them."""
    fused: bool
    """Whether XLA makes one loop over memory of them."""


@dataclass(frozen=True)
class Plan:
    """The nodes of a run by when they are computed, each in topological order."""

    static: tuple[str, ...]
    """Once, before the first step: they depend on nothing that changes."""
    driven: tuple[str, ...]
    """Stateful ones whose inputs do not change: what of a step depends on them alone is done once, too."""
    groups: tuple[Group, ...]
    """In every step."""
    tail: tuple[str, ...]
    """Once, on means over the read-out window: affine ops behind which there is nothing else."""
    summed: tuple[str, ...]
    """Nodes whose mean over time is accumulated in the loop: inputs of the tail, and outputs outside of it."""

    sequences: tuple[str, ...]
    """The inputs of which a slice is presented in every step."""

    @property
    def moving(self) -> frozenset[str]:
        """Return what has another value in every step."""
        return frozenset((*self.sequences, *(name for group in self.groups for name in group.nodes)))


def drive_of(name: str) -> str:
    """Return the name under which the drive of a node stands among the values."""
    return f"drive:{name}"


def make_plan(graph: Graph, lowered: Mapping[str, Lowered], watch: Collection[str], *, every_step: bool) -> Plan:
    """Return the plan of a run.

    Args:
        graph: what to run.
        lowered: what each node became.
        watch: nodes whose values are wanted.
        every_step: whether the outputs of every step are wanted, or their mean alone.
    """
    outputs = tuple(dict.fromkeys(graph.output_nodes.values()))
    when = schedule(graph, {*watch, *outputs})
    sequences = graph.inputs if is_temporal(graph) else ()
    tail = [] if every_step else _tail(graph, lowered, when.dynamic, watch)
    loop = [name for name in when.dynamic if name not in tail]
    read = {source for name in tail for source in graph.sources(name)}
    summed = [] if every_step else [name for name in (*sequences, *loop) if name in read or name in outputs]
    wanted = {*watch, *summed, *(outputs if every_step else ())}
    reads = {name: (drive_of(name),) if name in when.driven else graph.sources(name) for name in loop}
    groups = _groups(lowered, reads, wanted)
    return Plan(when.static, when.driven, groups, tuple(tail), tuple(summed), tuple(sequences))


def _tail(graph: Graph, lowered: Mapping[str, Lowered], dynamic: Sequence[str], watch: Collection[str]) -> list[str]:
    tail: set[str] = set()
    for name in reversed(dynamic):
        ends = all(reader in tail for reader, _ in graph.readers(name) if reader in dynamic)
        affine = graph[name].op.is_linear and not isinstance(lowered[name], StatefulFunction)
        if ends and affine and name not in watch:
            tail.add(name)
    return [name for name in dynamic if name in tail]


def _groups(
    lowered: Mapping[str, Lowered], reads: Mapping[str, Sequence[str]], wanted: Collection[str]
) -> tuple[Group, ...]:
    """Give each node a depth that grows where XLA's work begins or ends; equal depths of its work are one group."""
    depth: dict[str, int] = {}
    found: dict[tuple[int, str], list[str]] = {}
    for name, sources in reads.items():
        fuse = lowered[name].fuse
        before = [(depth[s], lowered[s].fuse) for s in sources if s in depth]
        depth[name] = max((d + (not (fuse and fused)) for d, fused in before), default=0)
        found.setdefault((depth[name], "" if fuse else name), []).append(name)
    group_of = {name: key for key, names in found.items() for name in names}
    crossing = {s for name, sources in reads.items() for s in sources if group_of.get(s) != group_of[name]}
    return tuple(
        Group(
            nodes=tuple(names),
            reads=tuple(dict.fromkeys(s for n in names for s in reads[n] if group_of.get(s) != key)),
            gives=tuple(n for n in names if n in crossing or n in wanted),
            fused=lowered[names[0]].fuse,
        )
        for key, names in sorted(found.items(), key=lambda item: item[0][0])
    )
