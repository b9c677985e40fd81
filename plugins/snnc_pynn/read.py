"""A file of populations and connection lists as a graph again, so that it can be held against what was exported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnc.api import FileError, Graph, GraphError, Kinds, Network, Neurons, Op, graph_from_text, neurons, ops, read_npz
from snnc_pynn import network as loader

TAIL = "tail/"
"""In front of the names of the tail's arrays."""


def read(path: Path, kinds: Kinds) -> Network:
    """Return the network in a file; raise FileError where it is damaged, or none."""
    try:
        arrays = read_npz(path)
        said, about = loader.parse(arrays, path), json.loads(str(arrays["about"]))
        tail_arrays = {name.removeprefix(TAIL): array for name, array in arrays.items() if name.startswith(TAIL)}
        tail = graph_from_text(about["tail"], tail_arrays, kinds, f"{path}: its tail")
        graph = _Reader(said, about["reads"], tail).graph
        return Network(graph, said.dt, said.steps, int(about["seed"]), str(about["read_out"]))
    except loader.FormatError as error:
        raise FileError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, GraphError) as error:
        raise FileError(f"{path}: is no file of snnc export --format pynn: {error}") from error


class _Reader:
    """Makes the graph: a sparse map for each list, sums and shifts in front of neurons of the scale dt."""

    def __init__(self, said: loader.Network, reads: Sequence[str], tail: Graph) -> None:
        self.said, self.graph = said, Graph(said.name)
        self.taken = {*said.inputs, *said.populations, *(node.name for node in tail)}
        for name, shape in said.inputs.items():
            self.graph.add(name, ops.Input(shape=shape), [])
        for p in sorted(said.populations.values(), key=lambda p: p.depth):
            drive = self._sum([given for given in said.lists if given.target == p.name], p.bias, p.shape)
            model = neurons.SoftResetIf(initial=p.initial)
            self.graph.add(p.name, Neurons(model=model, scale=said.dt), [drive])
        there: dict[str, str] = {}
        for node, output in zip(tail.inputs, reads, strict=True):
            read = [given for given in said.read if given.target == output]
            there[node] = self._sum(read, said.biases[output], said.outputs[output])
        for found in tail:
            if found.op.arity != 0:
                deferred = ops.ReadOutActivation(activation=found.op)
                there[found.name] = self.graph.add(
                    found.name, deferred, [there[source] for source in tail.sources(found.name)]
                ).name
        self.graph.set_outputs({output: there[node] for output, node in tail.output_nodes.items()})
        self.graph.prune()

    def _sum(self, lists: Sequence[loader.Connections], bias: Any, shape: tuple[int, ...]) -> str:
        """Add what flows in, and return the name of the node that gives it."""
        parts = [
            self._add(ops.SparseMap(rows=g.post, columns=g.pre, values=g.weight, shape=shape), g.source) for g in lists
        ]
        whole = parts[0] if len(parts) == 1 else self._add(ops.Add(), *parts)
        return self._add(ops.Shift(shift=bias.reshape(shape)), whole) if bias.any() else whole

    def _add(self, op: Op, *sources: str) -> str:
        number = len(self.taken)
        while (name := f"list.{number}") in self.taken:
            number += 1
        self.taken.add(name)
        return self.graph.add(name, op, list(sources)).name
