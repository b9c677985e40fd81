"""Ops that are applied once, to what is read out, and not in every step: the tail of a graph."""

from __future__ import annotations

from typing import ClassVar

from snnc.ir.graph import Graph
from snnc.ir.op import Op, op
from snnc.ir.types import Array, TensorType
from snnc.ops.layers import Identity, Input


@op
class ReadOutActivation(Op):
    """y = activation(x, ...), applied to what is read out: to the mean over the read-out window, by default.

    A softmax of what jumps with every spike says little; the softmax of the mean is what the model computes. Whatever
    reads such an op is one, too: together they are the tail of the graph, which may have branches and several outputs.
    """

    kind: ClassVar[str] = "deferred"
    arity: ClassVar[int | None] = None
    activation: Op
    """Most often an activation; any op that has no state and no weights."""

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(self.activation.infer(*inputs).shape)

    def evaluate(self, *inputs: Array) -> Array:
        return self.activation.evaluate(*inputs)


def read_values(graph: Graph) -> dict[str, str]:
    """Return the nodes that are read out, by the names that they have among the outputs of ``stepwise(graph)``.

    They are the outputs, and in the place of those in the tail what the tail reads: under the output's own name where
    it depends on that alone, else under that name and a number.
    """
    found: dict[str, str] = {}
    for output, node in graph.output_nodes.items():
        read = _border(graph, node)
        for number, source in enumerate(read, 1):
            if source == node or source not in found.values():
                found[output if len(read) == 1 else f"{output}.{number}"] = source
    return found


def stepwise(graph: Graph) -> Graph:
    """Return the graph as it runs step by step, without its tail: it gives what the tail reads.

    This is what backends lower and the evaluator runs, so that neither needs to know of the tail.
    """
    read = read_values(graph)
    running = graph.copy()
    running.set_outputs(read)
    running.prune()
    for output, node in read.items():
        if not graph.is_output(node) and graph[node].op.arity == 0:
            held = running.add(running.fresh_name(output), Identity(), [node]).name
            running.set_outputs({**running.output_nodes, output: held})
    return running


def read_out_tail(graph: Graph) -> Graph:
    """Return what is applied to the read-out: a graph from the nodes that are read out to the outputs."""
    end = Graph(graph.name)
    for node in read_values(graph).values():
        if node not in end:
            end.add(node, Input(shape=graph[node].type.shape))
    for deferred in graph.nodes(ReadOutActivation):
        end.add(deferred.name, deferred.op.activation, graph.sources(deferred.name))
    end.set_outputs(dict(graph.output_nodes))
    return end


def numbered_tail(graph: Graph) -> Graph:
    """Return the tail with its inputs numbered, so that it does not matter what a graph calls what is read out."""
    tail = read_out_tail(graph)
    for number, name in enumerate(tail.inputs):
        tail.rename(name, tail.fresh_name(f"read.{number}"))
    return tail


def take_back(graph: Graph, name: str) -> None:
    """Let a node of the tail, and whatever of the tail it depends on, run in every step again."""
    for ancestor in graph.ancestors({name}):
        op = graph[ancestor].op
        if isinstance(op, ReadOutActivation):
            graph.replace(ancestor, op.activation)


def _border(graph: Graph, node: str) -> list[str]:
    """Return the nodes in front of the tail that a node depends on, itself where it is none of the tail.

    They are in the order in which the tail reads them, whatever passes put in front of it.
    """
    border, seen, waiting = [], set(), [node]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if isinstance(graph[name].op, ReadOutActivation):
            waiting += reversed(graph.sources(name))
        else:
            border.append(name)
    return border
