"""The error of a spiking graph on samples, by which a measured pass is kept or taken back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snnc.analysis.errors import rms_error
from snnc.engine.presentation import presentation
from snnc.engine.rate import evaluate
from snnc.engine.simulate import as_run, present
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.ops.read_out_activation import stepwise
from snnc.passes.base import Context


def spiking_loss(context: Context) -> Callable[[Graph, Graph], float]:
    """Return a function that gives the error of a spiking graph against a model, on the samples held back.

    That of the read-out, root mean squared, relative to the model's outputs, and the mean over the outputs. Where the
    final activation is deferred to the read-out, what it is applied to is compared: the logits, which say more than
    probabilities.
    """
    assert context.held_back is not None
    inputs = context.held_back
    wanted: dict[str, Array] = {}

    def loss(graph: Graph, model: Graph) -> float:
        if not wanted:
            settled = evaluate(stepwise(model), inputs)
            wanted.update(presentation(model).read_out(settled, context.read_out, context.dt))
        run = present(as_run(graph), inputs, context.steps, window=context.window, dt=context.dt, seed=context.seed)
        errors = [rms_error(context.read_out(y, context.dt), wanted[name]) for name, y in run.outputs.items()]
        return float(np.mean(errors))

    return loss
