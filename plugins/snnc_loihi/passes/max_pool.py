"""Give max pooling a form that the chip has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from snnc.api import Context, Graph, Node, Op, Pass, PassError, Shape, Stage, ops
from snnc_loihi.ops import affine


@dataclass(frozen=True)
class MaxPooling(Pass):
    """Replace max pooling, of which a core knows nothing.

    ``compare``: max(a, b) = a + relu(b - a), one axis after the other, so that neurons of the chip do it: exact in rate
    mode, 3/4 of a neuron more for each input of a 2 x 2 pool. ``average`` computes something else, at no cost. ``host``
    leaves it to the host, before the chip or behind it (see loihi-place).

    Before::

        %x = input() {shape=(24,32)} : rate[24,32]
        %pool = max-pool(%x) {size=(2) strides=(2)} : rate[12,32]

    After ``loihi-max-pool{form=compare}``::

        %pool.part = slice(%x) {start=(0,0) size=(12,32) step=(2,1)} : rate[12,32]
        %pool.part_1 = slice(%x) {start=(1,0) size=(12,32) step=(2,1)} : rate[12,32]
        %pool.minus = affine(%pool.part) {scale=-1 shift=0} : rate[12,32]
        %pool.difference = add(%pool.part_1, %pool.minus) : rate[12,32]
        %pool.more = relu(%pool.difference) : rate[12,32]
        %pool = add(%pool.part, %pool.more) : rate[12,32]
    """

    name: ClassVar[str] = "loihi-max-pool"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    after: ClassVar[tuple[str, ...]] = ("split-activations", "drop-identities", "max-to-average")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    replaces: ClassVar[tuple[str, ...]] = ("pool-before-activation",)
    form: Literal["compare", "average", "host"] = "compare"

    def apply(self, graph: Graph, context: Context) -> None:
        if self.form == "host":
            return
        for node in graph.nodes(ops.MaxPool, ops.GlobalMaxPool):
            if self.form == "average":
                average(graph, node, context)
            else:
                compare(graph, node)


def average(graph: Graph, node: Node, context: Context) -> None:
    """Take the mean of each window instead, and say so."""
    op = node.op
    if isinstance(op, ops.MaxPool):
        graph.replace(node.name, ops.AvgPool(size=op.size, strides=op.strides, padding=op.padding))
    else:
        graph.replace(node.name, ops.GlobalAvgPool())
    context.note(
        f"{node.name}: average pooling instead of max pooling: the network no longer computes what the model does"
    )


def compare(graph: Graph, node: Node) -> None:
    """Take the maximum by sums and ReLUs."""
    op = node.op
    (source,) = graph.sources(node.name)
    best, space = source, graph[source].type.shape[:-1]
    if isinstance(op, ops.MaxPool):
        size, strides, pads = op.size, op.strides, op.pads(space)
        if any(a or b for a, b in pads):
            if not _never_negative(graph[source].op):
                raise PassError(
                    f"loihi-max-pool: {node.name!r} pads, and what it pools may be negative, so that zeros at the "
                    "border would win; use padding='valid' in the model, or loihi-max-pool{form=host} or {form=average}"
                )
            best = _add(graph, node, "padded", ops.ZeroPad(padding=pads), source)
    else:
        size = strides = space
    for axis, (k, stride) in enumerate(zip(size, strides, strict=True)):
        todo = [_add(graph, node, "part", part, best) for part in _parts(graph[best].type.shape, axis, k, stride)]
        while len(todo) > 1:
            todo = [_larger(graph, node, todo[i : i + 2]) for i in range(0, len(todo), 2)]
        best = todo[0]
    if isinstance(op, ops.GlobalMaxPool):
        best = _add(graph, node, "flat", ops.Reshape(shape=node.type.shape), best)
    if _never_negative(graph[source].op):
        # one population for what reads the pool: else each weight behind it would be stored for every summand
        graph.rebuild(node.name, ops.Relu(), [best])
    else:
        graph.rebuild(node.name, graph[best].op, graph.sources(best))
    graph.prune()


def _add(graph: Graph, node: Node, what: str, op: Op, *inputs: str) -> str:
    return graph.add(graph.fresh_name(f"{node.name}.{what}"), op, inputs, layers=node.origin.layers).name


def _parts(shape: Shape, axis: int, size: int, stride: int) -> Iterator[Op]:
    """Yield what reads the first, the second, ... element of each window along an axis."""
    count = (shape[axis] - size) // stride + 1
    for offset in range(size):
        yield ops.Slice(
            start=tuple(offset if i == axis else 0 for i in range(len(shape))),
            size=tuple(count if i == axis else n for i, n in enumerate(shape)),
            step=tuple(stride if i == axis else 1 for i in range(len(shape))),
        )


def _larger(graph: Graph, node: Node, pair: list[str]) -> str:
    """Return max(a, b) = a + relu(b - a), or the only one."""
    if len(pair) == 1:
        return pair[0]
    a, b = pair
    minus = _add(graph, node, "minus", affine(-1.0), a)
    difference = _add(graph, node, "difference", ops.Add(), b, minus)
    more = _add(graph, node, "more", ops.Relu(), difference)
    return _add(graph, node, "larger", ops.Add(), a, more)


def _never_negative(op: Op) -> bool:
    return isinstance(op, ops.Relu) and op.negative_slope == 0 and op.threshold >= 0
