"""The error of a spiking graph on samples, by which a measured pass is kept or taken back."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from snnc.analysis.errors import rms_error
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate_nodes
from snnc.engine.simulate import as_run, present
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import stepwise
from snnc.passes.base import Context

VALUES, FEWEST = 256, 32
"""The values of all outputs that a comparison takes to see, and the fewest samples. They are the same samples before a
pass and after it, so that few of them tell the two apart."""


def spiking_loss(context: Context) -> Callable[[Graph, Graph], float]:
    """Return a function that gives the error of a spiking graph against a model, on some of the samples held back.

    That of the read-out, root mean squared, relative to the model's outputs, and the mean over the outputs. Where
    something is left to the read-out, what it is applied to is compared: the logits, which say more than
    probabilities. It is infinite where a population is silent that is active in the model: a network that does not
    work yet says nothing about what would help it.
    """
    assert context.held_back is not None
    inputs: dict[str, Array] = {}
    wanted: dict[str, Array] = {}
    active: set[str] = set()

    def loss(graph: Graph, model: Graph) -> float:
        if not wanted:
            running = stepwise(model)
            values_each = sum(running[node].type.size for node in running.output_nodes.values())
            count = max(FEWEST, -(-VALUES // values_each))
            inputs.update((name, x[:count]) for name, x in (context.held_back or {}).items())
            neurons = {name for name in spiking_in(graph) if name in model}
            values = evaluate_nodes(running, inputs, neurons | set(running.output_nodes.values()))
            settled = {output: values[node] for output, node in running.output_nodes.items()}
            wanted.update(presentation(model).read_out(settled, context.read_out, context.dt))
            active.update(name for name in neurons if values[name].any())
        steps = context.choices.get("steps", context.steps)
        watch = sorted(active & spiking_in(graph))
        silent = set(watch)

        def listen(name: str, step: int, value: Array) -> None:
            if name in silent and value.any():
                silent.discard(name)

        run = present(
            as_run(graph, watch),
            inputs,
            steps,
            window=context.read_out.window(steps),
            dt=context.dt,
            seed=context.seed,
            watch=watch,
            each_value=listen,
            sums=False,
        )
        if silent:
            return math.inf
        errors = [rms_error(context.read_out(y, context.dt), wanted[name]) for name, y in run.outputs.items()]
        return float(np.mean(errors))

    return loss


def spiking_in(graph: Graph) -> set[str]:
    """Return the names of the spiking populations of a graph."""
    return {node.name for node in graph.nodes(Neurons) if node.op.model.spiking}
