"""Which vectors of the network get an object of their own, and which are only a connection on the way to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snnc_nengo.transforms import Scale, Transform

FILTER_FREE = 2500
"""Elements that cost as much to filter as it costs to run one more node."""


@dataclass(frozen=True)
class ConnectionPath:
    """The parts of one connection: ``target[at : at + size] += synapse(transform(source))``."""

    size: int
    transform: Transform | None = None
    synapse: Any = None
    """A Nengo synapse, or None."""
    at: int = 0


@dataclass
class Vector:
    """A vector of the network: an object's output, or a sum of links."""

    name: str
    size: int
    feeds: list[tuple[str, ConnectionPath]] = field(default_factory=list)
    """The values it reads, in the order of the node's inputs."""
    obj: Any = None
    """The Node or Neurons that gives it."""
    needed: bool = False
    """Whether it must have an object, because it is an output or takes a constant."""
    sinks: list[tuple[str, ConnectionPath]] = field(default_factory=list)
    """The objects that it reaches, and by which connection."""


def plan_connections(values: Mapping[str, Vector], *, free_filters: bool = False) -> list[str]:
    """Fill in ``sinks`` and return the names of the values that need a passthrough node, all in the order given.

    ``values`` are in topological order. A value without an object dissolves where the links on both of its sides
    can be joined into one connection at no extra cost; with ``free_filters`` filters cost nothing.
    """
    standing = []
    for value in reversed(values.values()):
        value.sinks.reverse()
        dissolved = value.obj is None and not value.needed and _dissolves(value, values, free_filters)
        if value.obj is None and not dissolved:
            standing.append(value.name)
        for source, link in reversed(value.feeds):
            ways = [(t, join(link, rest, value.size)) for t, rest in value.sinks] if dissolved else [(value.name, link)]
            values[source].sinks += [(target, way) for target, way in reversed(ways) if way is not None]
    return standing[::-1]


def join(first: ConnectionPath, then: ConnectionPath, size: int) -> ConnectionPath | None:
    """Return the link that does one after the other, or None if no connection can; ``size`` is of what is between.

    A filter may change places with a transform, because both are linear.
    """
    if first.synapse is not None and then.synapse is not None:
        return None
    synapse = first.synapse or then.synapse
    if then.transform is None:
        return ConnectionPath(first.size, first.transform, synapse, then.at + first.at)
    if first.size != size:
        return None
    if first.transform is None:
        return ConnectionPath(then.size, then.transform, synapse, then.at)
    joint = then.transform.scaled(first.transform.factor) if isinstance(first.transform, Scale) else None
    return None if joint is None else ConnectionPath(then.size, joint, synapse, then.at)


def _dissolves(value: Vector, values: Mapping[str, Vector], free_filters: bool) -> bool:
    if not value.sinks or any(join(f, s, value.size) is None for _, f in value.feeds for _, s in value.sinks):
        return False
    if len(value.feeds) > 1:  # one transform of a sum is cheaper than the sum of transforms
        return len(value.sinks) == 1 and value.sinks[0][1].transform is None
    source, feed = value.feeds[0]
    cheap = values[source].obj is not None and (feed.transform is None or isinstance(feed.transform, Scale))
    if len(value.sinks) > 1 and not cheap:
        return False
    filtered = sum(link.size for _, link in value.sinks)  # as many elements as the filters behind it would hold
    return feed.synapse is None or free_filters or filtered <= 2 * value.size + FILTER_FREE
