"""Choose how fast neurons fire for the activations they stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.neurons import Neurons
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys


@dataclass(frozen=True)
class ScaleRates(Pass):
    """Let an activation of 1 be a firing rate of ``scale`` Hz, with spikes worth 1 / scale.

    Exact in rate mode for neurons with a piecewise linear rate curve (relu(z / s) s = relu(z), s > 0). Neurons
    whose curve is not, such as sigmoid, are left alone unless they are named, which is an error.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = neurons(%x) {model=spiking-relu} : spikes[6,6,4]

    After ``scale-rates{scale=100}``::

        %conv = neurons(%x) {model=spiking-relu scale=0.01} : spikes[6,6,4]
    """

    name: ClassVar[str] = "scale-rates"
    stage: ClassVar[Stage] = Stage.SCALE
    arguments: ClassVar[tuple[str, ...]] = ("scale",)
    default: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    scale: PerLayer[float] = None

    def apply(self, graph: Graph, context: Context) -> None:
        choice = Choice("scale", self.scale)
        nodes = graph.nodes(Neurons)
        choice.require_known({key for node in nodes for key in layer_keys(node.origin.layers, node.name)})
        for layer, value in choice.items():
            if isinstance(value, (bool, str)) or not np.isfinite(value) or value <= 0:
                raise UsageError(
                    f"scale: {value!r} for {layer!r} is not a positive number of Hz per unit of activation"
                )
        for node in nodes:
            op = node.op
            key = choice.key(*layer_keys(node.origin.layers, node.name))
            if key is None:
                continue
            scale = 1.0 / float(choice[key])
            model = op.model.at_scale(scale)
            if model is None:
                if key != "*":
                    raise UsageError(
                        f"scale: layer {node.name!r} has {op.model.kind} neurons, whose rate curve is no straight "
                        "line, so scaling would change what it computes; leave it out"
                    )
                continue
            graph.replace(node.name, replace(op, model=model, scale=scale))
