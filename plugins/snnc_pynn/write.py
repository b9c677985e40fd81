"""A compiled graph as populations and connection lists: everything linear between two populations is one list.

A threshold is 1, and a spike takes 1 off; what a spike stands for is in the weights. Elements are numbered as they lie
in snnc's arrays, channels last. All is multiplied in float64 and rounded once.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

import numpy as np

from snnc.api import (
    WRITTEN_BY,
    AnyArray,
    Graph,
    LoweringError,
    MergeLinear,
    Network,
    Neurons,
    Node,
    Stateful,
    Synapse,
    graph_text,
    is_temporal,
    linear_maps,
    neurons,
    numbered_tail,
    ops,
    read_out_of,
    read_values,
    require_none,
    stepwise,
)
from snnc_pynn.network import FORMAT, VERSION
from snnc_pynn.read import TAIL

MOST = 1 << 26
"""Connections of a list: 0.8 GB of them. PyNN takes far less."""
IF = "use --neurons soft-reset-if, or export with --portable"


def write(network: Network) -> dict[str, AnyArray]:
    """Return the arrays of the file.

    ``about`` is JSON: the settings, ``inputs``, ``populations``, ``outputs`` by name with their shapes, and ``lists``.
    Of the n-th population there is the bias ``population/n``, of an output ``output/n``, of list ``k`` ``k/pre``,
    ``k/post`` and ``k/weight``, and ``read_out``, the weight of each step in the answer; the rest is for snnc alone.

    Raises:
        LoweringError: names every layer that such a file cannot say, why, and what to do.

    """
    graph = stepwise(network.graph)
    _require_sayable(graph)
    said, tail = _tail(network)
    forms = MergeLinear().sums(graph)
    lists: list[dict[str, Any]] = []
    arrays: dict[str, AnyArray] = {}
    depths: dict[str, int] = {}

    def feed(target: str, source: str, worth: AnyArray | float, kind: str, number: int) -> None:
        """Add what flows from everywhere to a target, of which ``worth`` is 1."""
        form = forms[source]
        for root, entries in _entries(graph, form, target).items():
            unit = _unit(graph[root], network.dt)
            weight = (entries.data * np.resize(unit, entries.shape[1])[entries.col]) / np.resize(
                worth, entries.shape[0]
            )[entries.row]
            k = len(lists)
            lists.append({"source": root, "target": target, "kind": kind})
            arrays[f"{k}/pre"], arrays[f"{k}/post"] = entries.col.astype(np.int32), entries.row.astype(np.int32)
            arrays[f"{k}/weight"] = weight.astype(np.float32)
        bias = form.constant.ravel() / np.resize(worth, form.constant.size)
        arrays[f"{kind}/{number}"] = bias.astype(np.float32)

    populations = [node for node in graph.nodes(Neurons)]
    for number, node in enumerate(populations):
        (source,) = graph.sources(node.name)
        feed(node.name, source, _unit(node, network.dt), "population", number)
        before = [depths[term.root] + 1 for term in forms[source].terms if term.root in depths]
        depths[node.name] = max(before, default=0)
    for number, (output, name) in enumerate(graph.output_nodes.items()):
        feed(output, name, 1.0, "output", number)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": WRITTEN_BY,
        "name": graph.name,
        "dt": network.dt,
        "steps": network.steps,
        "inputs": {name: graph[name].type.shape for name in graph.inputs},
        "populations": {
            node.name: {
                "shape": node.type.shape,
                "depth": depths[node.name],
                "initial": node.op.model.attrs()["initial"],
            }
            for node in populations
        },
        "outputs": {output: graph[name].type.shape for output, name in graph.output_nodes.items()},
        "lists": lists,
    }
    weights = read_out_of(network.read_out).weights(network.steps, network.dt)
    return {"about": np.array(json.dumps({**about, **said})), "read_out": weights, **arrays, **tail}


def _tail(network: Network) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Return what the loader has no use for: what snnc reads to compare the file with what it was exported from."""
    text, arrays = graph_text(numbered_tail(network.graph))
    first = {node: output for output, node in reversed(read_values(network.graph).items())}
    nodes = dict.fromkeys(read_values(network.graph).values())
    said = {"seed": network.seed, "read_out": network.read_out, "tail": text, "reads": [first[n] for n in nodes]}
    return said, {f"{TAIL}{name}": array for name, array in arrays.items()}


def _entries(graph: Graph, form: linear_maps.LinearSum, target: str) -> dict[str, Any]:
    """Return the sparse matrix (outputs, inputs) from each node that a sum reads."""
    found: dict[str, Any] = defaultdict(int)
    for term in form.terms:
        count = _count(term.map, graph[term.root].type.size)
        if count > MOST:
            raise LoweringError(
                f"layer {target!r}: it takes {count:,} connections from {term.root!r}, the most are {MOST:,}; use "
                "smaller layers, or export to NIR, which has convolutions"
            )
        found[term.root] = found[term.root] + linear_maps.matrix(term.map, graph[term.root].type.size)
    for root, matrix in found.items():
        matrix.eliminate_zeros()
        matrix.sort_indices()
        found[root] = matrix.tocoo()
    return found


def _count(form: linear_maps.LinearMap, size: int) -> int:
    """Return how many connections a map takes at most."""
    if isinstance(form, linear_maps.Correlation):
        return math.prod(form.output[:2]) * form.kernel.size
    return form.matrix.nnz if isinstance(form, linear_maps.MatrixMap) else size


def _unit(node: Node, dt: float) -> AnyArray:
    """Return the activation that 1 of a node stands for: of neurons a spike, by channel."""
    return np.asarray(node.op.scale / np.float64(dt) if isinstance(node.op, Neurons) else 1.0)


def _require_sayable(graph: Graph) -> None:
    """Raise LoweringError naming every layer that is no integrate-and-fire neuron, and not linear."""
    refused = {node.name: _refuses(node) for node in graph}
    if is_temporal(graph):
        refused |= dict.fromkeys(graph.inputs, "its currents change with time; compile without --temporal")
    require_none("PyNN cells cannot do", refused)


def _refuses(node: Node) -> str | None:
    op = node.op
    if isinstance(op, Neurons):
        model = op.model
        if type(model) is not neurons.SoftResetIf:
            return f"its neurons are {model.kind!r}; {IF}"
        if model.gamma != 1:
            return f"its neurons send up to {model.gamma} spikes a step; use --neurons soft-reset-if, whose gamma is 1"
        return None
    if isinstance(op, Synapse):
        return "it filters what spikes bring; compile without --synapse"
    if op.arity == 0 or (op.is_linear and not isinstance(op, (Stateful, ops.LastStep))):
        return None
    return f"there is no op {op.kind!r}; compile at level 1 or above with --neurons soft-reset-if, or change the layer"
