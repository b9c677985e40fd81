"""For hardware with neurons of its own: what the neurons of a file stand for, as activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from snnc.api import Causal, Context, Graph, Neurons, Op, Pass, Shape, Stage, Synapse, neurons, ops
from snnc_nir.neurons import NirIf, NirLi, NirLif, Resetting


@dataclass(frozen=True)
class AsActivations(Pass):
    """Turn populations of a network that spikes already into activations again, for which a chip has neurons.

    In rate mode neurons that stand for an activation are that activation; those of NIR with a leak come near a ReLU.
    What only works on values in time, filters and sums of changes, is what it settles to.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv1 = neurons(%x) {model=soft-reset-if scale=0.001} : spikes[6,6,4]

    After::

        %conv1 = relu(%x) : rate[6,6,4]
    """

    name: ClassVar[str] = "as-activations"
    stage: ClassVar[Stage] = Stage.CANONICALIZE
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)

    def apply(self, graph: Graph, context: Context) -> None:
        if graph.made_for is None:
            return
        kinds: dict[str, None] = {}
        for node in graph.nodes(Neurons):
            steps = _meaning(node.op, node.type.shape)
            if steps is None:
                continue
            kinds[node.op.model.kind] = None
            *before, last = steps
            for step in before:
                graph.insert_before(node.name, 0, graph.fresh_name(f"{node.name}.current"), step)
            graph.replace(node.name, last)
        for filtered in graph.nodes(Synapse):
            graph.remove(filtered.name)
        for change in graph.nodes(Causal):
            if isinstance(change.op, ops.Accumulate) and np.any(change.op.initial):
                initial = np.asarray(change.op.initial)
                graph.replace(change.name, ops.Affine(scale=np.ones_like(initial), shift=initial))
            elif isinstance(change.op, (ops.Accumulate, ops.Difference, ops.Increment)):
                graph.remove(change.name)
        if kinds:
            context.note(
                f"{context.backend} has no neurons {', '.join(kinds)}: populations are the activations that they stand "
                "for, and get neurons, steps and a read-out of the backend's own; spikes are not those of the file"
            )


def _meaning(op: Neurons, shape: Shape) -> list[Op] | None:
    """Return the ops whose values are those of a population in rate mode, or near it; None where there are none."""
    model = op.model
    if isinstance(model, neurons.Wrapping):
        initial = np.asarray(getattr(model, "initial", 0.0), dtype=np.float64)
        if model.scale_invariant:
            arrived = np.resize(initial, shape) * op.scale
            return [*_affine(np.ones(()), arrived if arrived.any() else np.zeros(())), model.of]
        unit = np.asarray(model.unit, dtype=np.float64)
        unit = np.resize(unit, shape) if unit.ndim > 1 else unit
        shift = np.resize(initial, shape) * unit
        return [*_affine(unit / op.scale, shift), model.of, *_affine(op.scale / unit, np.zeros(())), ops.Identity()]
    if isinstance(model, NirIf):
        return [*_affine(*_line(model, shape)), ops.Relu(max_value=1.0)]
    if isinstance(model, NirLif):
        return [*_affine(*_line(model, shape)), ops.Relu(max_value=1.0)]
    if isinstance(model, NirLi):
        r = np.asarray(model.r, dtype=np.float64) * getattr(model, "w_in", 1.0)
        return [*_affine(r, np.asarray(model.v_leak, dtype=np.float64)), ops.Identity()]
    activation = model.activation
    return None if activation is None or not model.spiking else [activation]


def _line(model: Resetting, shape: Shape) -> tuple[Any, Any]:
    """Return the straight line that spikes a step come near: exact without a leak, and far above the threshold."""
    values = {n: np.asarray(v, dtype=np.float64) for n, v in model.attrs().items() if n != "v_reset" and n != "dt"}
    threshold = values["v_threshold"]
    low = np.asarray(0.0 if model.v_reset is None else model.v_reset, dtype=np.float64)
    if isinstance(model, NirLif):
        slope = model.dt / values["tau"] / (threshold - low)
        return values["r"] * values.get("w_in", 1.0) * slope, (values["v_leak"] - (threshold + low) / 2) * slope
    return values["r"] / (threshold - low), np.zeros(())


def _affine(scale: Any, shift: Any) -> list[Op]:
    """Return y = scale x + shift, or nothing where that is x."""
    plain = (np.asarray(scale) == 1).all() and not np.any(shift)
    return [] if plain else [ops.Affine(scale=np.asarray(scale), shift=np.asarray(shift) + 0 * np.asarray(scale))]


__all__ = ["AsActivations"]
