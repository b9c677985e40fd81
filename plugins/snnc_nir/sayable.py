"""What NIR can say of a compiled graph, and what to do about the rest."""

from __future__ import annotations

import numpy as np

from snnc.api import (
    Activation,
    Causal,
    Graph,
    Network,
    Neurons,
    Node,
    RandomStream,
    Synapse,
    neurons,
    ops,
    require_none,
)
from snnc_nir.neurons import Specified

SPIKING = "compile with spiking neurons at level 1 or above"


def require_sayable(graph: Graph) -> None:
    """Raise LoweringError naming every layer that NIR has no node for, why, and what to do."""
    require_none("NIR cannot say", {node.name: refuses(node) for node in graph})


def refuses(node: Node) -> str | None:
    """Return why NIR has no node for one of a graph without its tail, and what to do; None where it has."""
    op = node.op
    if op.arity == 0:
        many = len(node.type.shape) > 3
        return "it has more than two axes besides the channels; NIR has no such convolutions" if many else None
    if isinstance(op, Neurons):
        if not op.model.spiking and not isinstance(op.model, Specified):
            return f"neurons {op.model.kind!r} give rates, no spikes; {SPIKING}"
        state = op.model.start((1,), np.random.default_rng(0))
        if any(isinstance(value, RandomStream) for value in state.values()):
            return f"neurons {op.model.kind!r} draw random numbers in every step; use soft-reset-if"
        return None
    if isinstance(op, Synapse):
        fits = isinstance(op.model, neurons.Lowpass)
        return None if fits else f"NIR has no filter {op.model.kind!r}; use a low-pass, as in --synapse 0.005"
    if isinstance(op, Causal):
        fits = op.elementwise and op.arity == 1
        return None if fits else f"NIR has no op {op.kind!r}, which remembers the steps before; compile without it"
    if isinstance(op, ops.LastStep) or op.is_linear:
        return None
    if isinstance(op, (ops.MaxPool, ops.GlobalMaxPool, ops.SpikingMaxPool)):
        return "NIR has no max pooling; train with average pooling, or name the pass max-to-average"
    if isinstance(op, Activation) and op.elementwise:
        return f"NIR has no op {op.kind!r}; compile with --code graded, whose neurons stand for any activation"
    instead = "train with batch normalisation" if isinstance(op, ops.Standardize) else "change the layer"
    return f"NIR has no op {op.kind!r}; {instead}, or compile with --backend tensorflow and export a SavedModel"


def notes(network: Network) -> list[str]:
    """Return what a reader that knows NIR alone does otherwise, one line each."""
    graph = network.graph
    found: list[str] = []
    models = [node.op.model for node in graph.nodes(Neurons)]
    own = {model.kind for model in models if type(model) not in (neurons.SoftResetIf, neurons.Lif)}
    own |= {node.op.kind for node in graph.nodes(Causal)}
    if own:
        found.append(
            f"NIR has no {', '.join(sorted(own))}: the file has nodes of our own for them, which other readers refuse; "
            "read it with snnc.nir, or export with --portable"
        )
    resets = [model for model in models if isinstance(model, neurons.SoftResetIf)]
    if resets:
        more = "".join(
            [
                f", {max(m.gamma for m in resets)} spikes a step at most" if any(m.gamma > 1 for m in resets) else "",
                ", a voltage at the start" if any(m.initial for m in resets) else "",
            ]
        )
        found.append(
            f"NIR has no words for reset by subtraction{more}: they are in the metadata, which snnc.nir's loaders read "
            "and others do not"
        )
    grouped = any(isinstance(node.op, ops.Conv) and node.op.groups > 1 for node in graph) or graph.nodes(ops.AvgPool)
    if grouped and not network.plain:
        found.append(
            "the readers of snnTorch 1.0, Sinabs 3.1 and Norse 1.1 read no convolutions in groups, such as average "
            "pooling, and nir from 1.0.5 on takes them with type_check=False only: read it with snnc.nir, or export "
            "with --portable"
        )
    if graph.nodes(ops.Add, ops.Concatenate):
        found.append(
            "several edges into one node add up, which the readers of snnTorch 1.0, Sinabs 3.1 and Norse 1.1 get wrong "
            "or refuse (nirtorch 2.0): read it with snnc.nir"
        )
    if any(type(model) is neurons.Lif for model in models):
        found.append(
            "LIF is approximate: snnc's neurons have a refractory period, which is in the metadata, a floor at 0, and "
            "solve the equation exactly; readers take Euler steps"
        )
    if graph.nodes(Synapse):
        found.append("LI is approximate: snnc's low-pass answers a step later, and decays exactly; readers differ")
    return found
