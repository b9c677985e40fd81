"""Let neurons that fire once a step at most be activations that are bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from snnc.api import Activation, AnyNeurons, ChosenModels, Context, Graph, Neurons, Node, Pass, Stage, ops
from snnc_loihi.models import STEP, LoihiSoftIf
from snnc_loihi.ops import affine


@dataclass(frozen=True)
class Cap(Pass):
    """Make one population of a ReLU with a largest value, such as ReLU6, or of a hard sigmoid, where it would be two.

    Soft-reset neurons fire in every step from some input on, and no faster: where that says the largest value m, they
    are min(max(x, 0), m). Outputs are left to the read-out.

    Before::

        %x = input() {shape=(4)} : rate[4]
        %y = relu(%x) {max_value=6} : rate[4]
        %z = dense(%y) {weight=f32[4,2] ...} : rate[2]

    After ``loihi-cap{neurons=loihi-soft-if}``::

        %y = neurons(%x) {model=loihi-soft-if{capped=True} scale=0.006} : spikes[4]
        %z = dense(%y) {weight=f32[4,2] ...} : spikes[2]
    """

    name: ClassVar[str] = "loihi-cap"
    stage: ClassVar[Stage] = Stage.FUSE
    arguments: ClassVar[tuple[str, ...]] = ("neurons",)
    after: ClassVar[tuple[str, ...]] = ("fuse-linear", "fold-batch-norm", "fuse-activations", "pool-before-activation")
    default: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = ("loihi",)
    exact: ClassVar[bool] = True
    neurons: AnyNeurons = "loihi-soft-if"

    def apply(self, graph: Graph, context: Context) -> None:
        models = ChosenModels(self.neurons, context)
        for node in graph.nodes(Activation):
            largest = _largest(node)
            model = models.of(node, node.op)[1]
            if largest is None or graph.is_output(node.name) or not isinstance(model, LoihiSoftIf):
                continue
            if isinstance(node.op, ops.HardSigmoid):
                graph.insert_before(node.name, 0, graph.fresh_name(f"{node.name}.in"), affine(node.op.slope, 0.5))
            graph.replace(node.name, Neurons(model=replace(model, capped=True), scale=largest * STEP))


def _largest(node: Node[Activation]) -> float | None:
    """Return m where an activation is clip(x, 0, m), behind the scaling of a hard sigmoid."""
    op = node.op
    if isinstance(op, ops.HardSigmoid):
        return 1.0
    if isinstance(op, ops.Relu) and op.max_value and not op.negative_slope and not op.threshold:
        return float(op.max_value)
    return None
